"""Noise schedules, solvers and guidance: pure functions over latents."""
