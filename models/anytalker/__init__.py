"""AnyTalker (arXiv 2511.23475): identity-aware attention over any number of people."""
