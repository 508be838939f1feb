"""The audio encoder: tracks with exact curves, made without drawing; training; measurements."""
