"""Benches of whole servers from outside: nothing but docs/protocol.md is known of them."""
