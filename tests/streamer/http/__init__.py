"""The HTTP surface: every check, every answer."""
