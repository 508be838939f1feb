"""Which way heads look in still pictures, so that what is acted turns them from there."""
