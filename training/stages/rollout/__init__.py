"""Teaches a transformer to go on from what it made itself, so that long streams do not drift."""
