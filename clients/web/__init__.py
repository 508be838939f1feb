"""Web pages: plain ES modules, no framework, no build step."""
