"""Muon for the weights of matrices and convolutions, Adam for everything else, in one optimizer.

`torch.optim.Muon` takes 2-D parameters only; here a convolution's weight [out, in, ...] counts as
the matrix [out, in * ...].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.errors import ConfigError

# Coefficients of a quintic whose fifth iterate maps all of (0, 1] near 1 (Jordan 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """Learning rates and memories of both halves."""

    muon_rate: float
    adam_rate: float
    momentum: float  # of Muon, Nesterov
    adam_betas: tuple[float, float]
    weight_decay: float  # decoupled, of Muon's matrices only
    clip_norm: float  # gradients of Adam's half are scaled down to this norm; Muon has no scale

    def __post_init__(self) -> None:
        if not (0 < self.muon_rate < 1 and 0 < self.adam_rate < 1):
            raise ConfigError(f"rates must be in 0..1: {self.muon_rate} and {self.adam_rate}")
        if not all(0 <= beta < 1 for beta in (self.momentum, *self.adam_betas)):
            raise ConfigError(f"momentum={self.momentum}, betas={self.adam_betas}: within 0..1")


def orthogonalized(matrix: Tensor) -> Tensor:
    """Replace the singular values of a matrix [m, n] by about 1 (0.7 to 1.2).

    Every iterate is a polynomial in the Gram matrix times the input, and those polynomials commute.
    So the iteration runs on the short side's square alone, and the long side is read twice: less
    than half the time of the usual form for the weights of convolutions.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """
    a, b, c = _QUINTIC
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).float()
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    product = identity
    for _ in range(_ITERATIONS):
        step = a * identity + b * gram + c * gram @ gram
        product = step @ product
        gram = step @ gram @ step
    result: Tensor = product @ x
    return (result.T if is_tall else result).to(matrix.dtype)


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Say whether Muon fits: hidden weights of 2 and more dimensions, no embeddings or tables.

    A weight whose matrix has a side of 1 (a depthwise or a scalar output) gains nothing from it.
    """
    if parameter.ndim < 2 or "embed" in name:
        return False
    return min(parameter.shape[0], parameter[0].numel()) > 1


class Muon(torch.optim.Optimizer):
    """Muon and Adam side by side; `scale_rates` is the schedule's handle."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        config: OptimizerConfig,
        adam_names: Iterable[str] = (),
    ) -> None:
        """Sort parameters by `is_matrix`; those whose name starts with one of `adam_names` go to
        Adam (first and last layers, by the authors' advice).
        """
        held = [(name, p) for name, p in named_parameters if p.requires_grad]
        prefixes = tuple(adam_names)
        by_muon = [n for n, p in held if is_matrix(n, p) and not n.startswith(prefixes or ("\0",))]
        muon = [p for n, p in held if n in set(by_muon)]
        adam = [p for n, p in held if n not in set(by_muon)]
        self.config = config
        groups: list[dict[str, Any]] = [
            {"params": muon, "is_muon": True, "lr": config.muon_rate},
            {"params": adam, "is_muon": False, "lr": config.adam_rate},
        ]
        super().__init__([group for group in groups if group["params"]], {})

    def scale_rates(self, scale: float) -> None:
        """Set both learning rates to `scale` times their full values."""
        for group in self.param_groups:
            full = self.config.muon_rate if group["is_muon"] else self.config.adam_rate
            group["lr"] = full * scale

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            held = [p for p in group["params"] if p.grad is not None]
            if group["is_muon"]:
                for parameter in held:
                    self._muon(parameter, group["lr"])
            elif held:
                nn.utils.clip_grad_norm_(held, self.config.clip_norm)
                for parameter in held:
                    self._adam(parameter, group["lr"])

    def _muon(self, parameter: Tensor, rate: float) -> None:
        gradient, state = _gradient(parameter), self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        beta = self.config.momentum
        momentum = state["momentum"].lerp_(gradient, 1 - beta)
        ahead = gradient.lerp(momentum, beta).flatten(1)
        update = orthogonalized(ahead) * max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        parameter.mul_(1 - rate * self.config.weight_decay)
        parameter.add_(update.view_as(parameter), alpha=-rate)

    def _adam(self, parameter: Tensor, rate: float) -> None:
        gradient, state = _gradient(parameter), self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
            state["step"] = torch.zeros(())  # torch leaves this name on the CPU when loading
        first, second = self.config.adam_betas
        state["step"] += 1
        steps = float(state["step"])
        mean = state["mean"].lerp_(gradient, 1 - first) / (1 - first**steps)
        square = state["square"].lerp_(gradient.square(), 1 - second) / (1 - second**steps)
        parameter.addcdiv_(mean, square.sqrt_().add_(1e-8), value=-rate)


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:  # callers choose those that have one
        raise ValueError("no gradient")
    return parameter.grad
