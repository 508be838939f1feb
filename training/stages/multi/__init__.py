"""Teaches a transformer that knows one person to tell several apart, in both published ways."""
