"""Computes what the same stages would need at the published sizes, without any weights."""
