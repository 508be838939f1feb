"""Rooms on several machines: a front that places them, and workers that are servers each."""
