"""Torch definitions of every network Parley runs. The ground floor: imports nothing of ours.

Read in this order: `wan` (the diffusion transformer both systems grow from, and the one causal
mechanism), `multitalk` and `anytalker` (how voices bind to people), `vae`, `encoders` (audio, text,
image), `sampling` (schedules, solvers, guidance), `checkpoints` (published layouts into these
modules).
"""
