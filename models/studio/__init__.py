"""The studio family: a small member of the Wan family, trained from nothing on synthetic people."""
