"""Independent judges of talking video."""
