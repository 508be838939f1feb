"""The decoder taught on what the transformer makes, and told what faces do."""
