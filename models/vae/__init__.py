"""Video autoencoders between pictures and latents.

Read in this order: `config`, `causal` (how a convolution remembers), `blocks`, `resample`, `coder`
(encoder and decoder as one kind of layer chain), `stream` (checks, and the loop over latent
frames), `scale`, `wan_vae` (the network), `cache` (the past as named tensors, and what it costs).
"""
