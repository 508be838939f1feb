"""Runs a bundle: the runtimes, the few-step sampler and the rolling avatar stream.

Imports nothing of ours, and torch only in its one optional runtime.
"""
