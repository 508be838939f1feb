"""What stands at the other end of the wire: web pages, a bot SDK, adapters, benches.

Imports nothing of ours: a client knows the protocol and its golden messages alone. Not built yet.
"""
