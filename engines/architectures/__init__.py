"""How each architecture makes a chunk out of the networks of its bundle."""
