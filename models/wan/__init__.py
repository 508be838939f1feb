"""The Wan2.1 diffusion transformer and the causal mechanism shared by every DiT here."""
