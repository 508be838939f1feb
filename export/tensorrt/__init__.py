"""TensorRT: graphs its parser takes as they are meant, profiles, builds, names, checks.

Nothing here imports TensorRT before a build is asked for: TensorRT 11 (its own API) and
TensorRT-RTX (ahead of time, without a GPU) are both optional.
"""
