"""Trains the studio's transformer on encoded clips."""
