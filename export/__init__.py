"""Turns torch networks into a bundle: ONNX, quantized or compiled, each verified against torch.

May import `models` and `engines.manifest`, nothing else of ours. Not built yet.
"""
