"""The least time that a pass of a DiT can take on a machine of given limits.

FLOP = 2 per multiply-add. Text, picture and audio keys and values are computed outside of a pass.
Each class of work costs its arithmetic or its bytes, whichever takes longer.

Shape letters: N tokens of a chunk, T tokens attended to, d width, L layers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DitShape:
    """What one pass works on."""

    width: int
    feed_forward: int
    layers: int
    new_tokens: int  # N
    seen_tokens: int  # T: cached and new
    text_tokens: int
    voice_tokens: int  # audio tokens that each token looks at, of all people


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Arithmetic and memory of one pass."""

    linear_flops: float
    attention_flops: float
    cross_flops: float
    weights: float  # elements read
    cached: float  # elements of keys and values read

    @property
    def flops(self) -> float:
        return self.linear_flops + self.attention_flops + self.cross_flops


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Limits of a device."""

    linear_flops_per_second: float
    attention_flops_per_second: float
    bytes_per_second: float
    weight_bytes: float  # of one element
    cache_bytes: float


def dit_work(shape: DitShape) -> Work:
    """Count a pass: self-attention, text and voice cross-attention, feed-forward, in each layer."""
    d, n, layers = shape.width, shape.new_tokens, shape.layers
    # Q K V O; the text's Q O; the voices' Q O; two feed-forward matrices.
    per_token = 4 * d * d + 2 * d * d + 2 * d * d + 2 * d * shape.feed_forward
    # The text's and the voices' K V are read with the weights, though used outside of the pass.
    weights = 12 * d * d + 2 * d * shape.feed_forward
    return Work(
        linear_flops=2.0 * n * per_token * layers,
        attention_flops=4.0 * n * shape.seen_tokens * d * layers,
        cross_flops=4.0 * n * (shape.text_tokens + shape.voice_tokens) * d * layers,
        weights=float(weights * layers),
        cached=2.0 * shape.seen_tokens * d * layers,
    )


def pass_seconds(work: Work, machine: Machine) -> float:
    """Give the least time of one pass."""
    linear = max(
        work.linear_flops / machine.linear_flops_per_second,
        work.weights * machine.weight_bytes / machine.bytes_per_second,
    )
    attention = max(
        (work.attention_flops + work.cross_flops) / machine.attention_flops_per_second,
        work.cached * machine.cache_bytes / machine.bytes_per_second,
    )
    return linear + attention
