"""Turns rendered clips into what the transformer learns from: latents, voices as heard, motion."""
