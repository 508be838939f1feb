"""What still pictures show of faces already, so that what is acted goes on from there."""
