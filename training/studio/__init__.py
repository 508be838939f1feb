"""Synthetic people who talk: who they are, how they move, how they are drawn, what they say.

Everything is decided by a seed. The pictures come with exact labels: blend shape curves, lip gap,
head pose, gaze, landmarks, face boxes and a mask for each person.
"""
