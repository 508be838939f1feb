"""Parley's avatars in the frameworks that people build voice agents with: Pipecat and LiveKit.

docs/adapters.md shows how. Each module needs the framework that it is named after.
"""
