"""The randomness of one training step: it has no state, so nothing of it is in a checkpoint."""

from __future__ import annotations

import numpy as np
import torch


class Draw:
    """Both generators of one step of one process; they follow from three numbers alone."""

    def __init__(self, seed: int, rank: int, step: int, device: torch.device) -> None:
        sequence = np.random.SeedSequence((seed, rank, step))
        self.numpy = np.random.default_rng(sequence)
        self.torch = torch.Generator(device)
        self.torch.manual_seed(int(sequence.generate_state(1, np.uint32)[0]))
