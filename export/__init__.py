"""Turns torch networks into a bundle: ONNX, quantized or compiled, each verified against torch.

May import `models` and `engines.manifest`, nothing else of ours. Read in this order: `network`,
`shapes` and `families.family` (what is exported), `dit` and `attention_forms` (both flavors of a
transformer), `rollout` and `parity` (what verified means), `recipes`, `drafts`, `finishing` and
`running` (how a bundle comes about), `tensorrt` (engines ahead of time).
"""
