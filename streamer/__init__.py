"""The WebRTC server: rooms, seats, audio in, one clock, video and audio out.

May import `engines`, nothing else of ours, and neither torch nor onnxruntime. Not built yet.
"""
