"""Hours of rendered clips as shards on disk: planned, made by workers, read back for training."""
