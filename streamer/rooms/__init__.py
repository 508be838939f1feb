"""Rooms: seats, viewers, pacing and turns on one engine. Knows no network and no HTTP."""
