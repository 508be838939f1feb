"""The toy stream in plain numpy, the whole past kept in lists: what a stream must come to.

No ring, no mask, no buffers: each latent frame attends to the sink and to the last WINDOW frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.engines import toy_networks as toy
from tests.engines.toy_bundle import BOXES, PROMPT, Toy

Array = NDArray[Any]
THETA = 100.0


def features(voices: Array, first_frame: int) -> Array:
    """Loudness, mean and peak of the four video frames of a chunk [P, 4, 3]."""
    frames = voices[:, first_frame * 640 : (first_frame + 4) * 640].reshape(toy.PEOPLE, 4, 640)
    return np.stack([toy.HUM + np.sqrt((frames**2).mean(2)), frames.mean(2), frames.max(2)], 2)


def rotation(position: int | None) -> tuple[Array, Array]:
    """Cos and sin [n, 3]: time, height, width have one pair each, at angles of the position."""
    cos, sin = np.ones((toy.TOKENS, 3)), np.zeros((toy.TOKENS, 3))
    for token in range(toy.TOKENS):  # one row of two tokens
        angles = np.array([position or 0, 0, token], np.float64)
        cos[token], sin[token] = np.cos(angles), np.sin(angles)
    if position is None:  # the sink has no time
        cos[:, 0] = sin[:, 0] = 0
    return cos, sin


def turn(x: Array, table: tuple[Array, Array]) -> Array:
    """The toy puts the turned even channels of a pair beside the odd ones."""
    even, odd = x.reshape(toy.TOKENS, 3, 2)[..., 0], x.reshape(toy.TOKENS, 3, 2)[..., 1]
    cos, sin = table
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(toy.TOKENS, 6)


def owners() -> Array:
    """[n, P]: the toy's two tokens are its two people, left and right."""
    assert BOXES[0].right < toy.WIDTH / 2 < BOXES[1].left
    return np.eye(2)


@dataclass
class Reference:
    """A stream with its whole past."""

    picture: Array  # [H, W, 3]
    options: Toy
    prompt: str = PROMPT
    past: list[list[tuple[Array, Array]]] = field(default_factory=list)  # [frame][layer] (x, v)
    moved_back: int = 0
    acted: Array = field(default_factory=lambda: np.zeros((toy.PEOPLE, 1)))
    decoded: Array = field(default_factory=lambda: np.zeros((4, 2, 4)))

    def __post_init__(self) -> None:
        self.weights = {name: value.astype(np.float64) for name, value in toy.weights().items()}
        pixels = self.picture.astype(np.float64).transpose(2, 0, 1) / 127.5 - 1
        pooled = pixels.reshape(3, 2, 16, 4, 16).mean((2, 4))
        self.pixels = pixels
        self.reference = np.concatenate([pooled, pooled.mean(0, keepdims=True)])
        silence = np.zeros((toy.PEOPLE, 4, 3))
        _, new = self._pass(self.reference, 0.0, self.sink_position, [], silence)
        self.past.append(new)

    @property
    def sink_position(self) -> int | None:
        return None if self.options.most_positions is None else 0

    def chunk(self, voices: Array, number: int, noise: np.random.Generator) -> Array:
        """Give the frame [H, W, 3] that the chunk shows four times."""
        heard = features(voices, number * 4)
        if self.options.has_acting:
            drawn = noise.standard_normal((toy.PEOPLE, 1), np.float32)
            self.acted = 0.5 * self.acted + drawn
        draw = [self._draw(noise)]
        steps = self.options.schedules[0]
        if self.options.sampler == "renoise":
            draw += [self._draw(noise) for _ in steps[1:]]
        sigma = self.options.context_timestep / 1000
        context_noise = self._draw(noise) if sigma else 0.0
        most = self.options.most_positions
        position = number + 1 - self.moved_back
        if most is not None and position + 1 > most:
            self.moved_back += position - (toy.SINK + toy.WINDOW)
            position = toy.SINK + toy.WINDOW
        window = [(self.sink_position, self.past[0])]
        recent = self.past[1:][-toy.WINDOW :]
        window += [(position - len(recent) + i, frame) for i, frame in enumerate(recent)]
        x = draw[0]
        for index, step in enumerate(steps):
            after = steps[index + 1] / 1000 if index + 1 < len(steps) else 0.0
            velocity, _ = self._pass(x, step, position, window, heard)
            if self.options.sampler == "euler":
                x = x + (after - step / 1000) * velocity
            else:
                clean = x - step / 1000 * velocity
                x = (1 - after) * clean + after * draw[index + 1] if after else clean
        context = (1 - sigma) * x + sigma * context_noise
        _, new = self._pass(context, self.options.context_timestep, position, window, heard)
        self.past.append(new)
        return self._decode(x)

    def _draw(self, noise: np.random.Generator) -> Array:
        return noise.standard_normal((1, 4, 1, 2, 4), np.float32)[0, :, 0].astype(np.float64)

    def _decode(self, latent: Array) -> Array:
        gray = (latent + 0.25 * self.decoded).mean(0).repeat(16, 0).repeat(16, 1)
        self.decoded = latent
        level = np.clip((gray + 0.5 * self.pixels) * 40 + 128, 0, 255)
        frame: Array = np.round(level).transpose(1, 2, 0)
        return frame

    def _pass(
        self,
        latent: Array,
        timestep: float,
        position: int | None,
        past: list[tuple[int | None, list[tuple[Array, Array]]]],
        heard: Array,
    ) -> tuple[Array, list[tuple[Array, Array]]]:
        """One pass: velocity [4, 2, 4] and this frame's keys and values by layer."""
        weights = self.weights
        both = (latent + self.reference).reshape(4, 2, 2, 2)
        x = both.transpose(2, 0, 1, 3).reshape(toy.TOKENS, 16) @ weights["into"]
        numbers = np.zeros(toy.TEXT_TOKENS)
        data = [byte + 1 for byte in self.prompt.encode()][: toy.TEXT_TOKENS]
        numbers[: len(data)] = data
        words = np.tile(numbers[:, None] / 128, (1, 4)) @ weights["words"]
        motion = np.zeros((toy.PEOPLE, 4))
        if self.options.has_acting and heard.any():
            motion = heard[:, :, 0] + toy.ACTED * self.acted
        elif self.options.has_curves:
            motion = heard[:, :, 0] * toy.CURVES / toy.MOTION
        new = []
        for layer in range(toy.LAYERS):
            k = turn(x, rotation(position))
            v = x @ weights["values"]
            new.append((x, v))
            past_keys = [turn(frame[layer][0], rotation(where)) for where, frame in past]
            keys = np.concatenate([*past_keys, k])
            values = np.concatenate([*(frame[layer][1] for _, frame in past), v])
            scores = np.exp(k @ keys.T)
            seen = scores / scores.sum(1, keepdims=True) @ values
            text = (words * 0.5 * (words + 0.1 * layer)).mean(0)
            audio = heard * 0.5 + heard + motion[..., None] + 0.05 * layer
            voice = owners() @ audio.mean(1) @ weights["voice"]
            x = np.tanh(x + seen + text + voice + timestep / 1000)
        patches = (x @ weights["out"]).reshape(2, 4, 2, 2)
        return 0.5 * latent + patches.transpose(1, 2, 0, 3).reshape(4, 2, 4), new
