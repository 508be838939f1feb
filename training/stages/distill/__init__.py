"""Teaches a transformer to make a chunk in fewer steps: 8, then 4, then 2, each from the last."""
