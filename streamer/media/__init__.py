"""Media without a network and without asyncio: every clock is an argument."""
