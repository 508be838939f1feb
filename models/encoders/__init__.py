"""Frozen encoders: wav2vec2 for voices, umT5 for prompts, CLIP for pictures.

Read `waveform` and `wav2vec2` for whole recordings, then `wav2vec2_streaming` (with `_frontend` and
`_statistics` under it) for live voices; `wav2vec2_bench` measures the one against the other.
"""
