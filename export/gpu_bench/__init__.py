"""Wan-size transformers and their decoder on one GPU, with random weights, in a few minutes.

Runs the modules that `parley export` traces, without writing 30 GB programs first: `cases` is what
is measured, `networks` makes it, `chunk_loop` runs it, `limits` says what would be possible.
"""
