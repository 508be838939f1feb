"""Trains the studio's video autoencoder."""
