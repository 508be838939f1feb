"""The acting network's training task: windows of dialogues, noise to motion by flow matching.

Everything of a window but its noise is told as it was, the past a little off: in a stream the past
is the network's own.

Source: flow matching (arXiv 2210.02747); x_t = (1 - t) noise + t motion.

Shape letters: B batch, P people, K chunks, T = 4 K video frames, S prompts, L words, C numbers of
a chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from models.errors import ConfigError
from models.studio.acting import ActingNetwork
from models.studio.acting_config import ActingConfig
from models.studio.config import HEAD_ANGLES
from models.studio.vae_config import FRAMES_PER_LATENT
from training.runs.draw import Draw
from training.runs.folder import RunFolder
from training.runs.loop import LoopConfig
from training.stages.acting.addressing import Addresser, addressed_loss
from training.stages.acting.rehearsal_folder import Heard, RehearsalConfig
from training.stages.dit.words import WordTable
from training.studio.performance_data import FPS

MOST_ADDRESSED = 4  # people in a sentence
LEAST_DEVIATION = 0.02  # of a channel: what hardly moves is not blown up


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingWindows:
    """What one batch is.

    Raises:
        ConfigError: when a number is out of its range.
    """

    batch: int
    chunks: int
    prompts: int  # of one window; where more meet in it, the first ones hold on
    no_prompt: float  # share of examples without words
    past_noise: float  # the past is up to so many deviations off, as one's own making would be

    def __post_init__(self) -> None:
        if min(self.batch, self.chunks, self.prompts) < 1 or self.past_noise < 0:
            raise ConfigError(f"batch, chunks and prompts are at least 1: {self}")
        if not 0 <= self.no_prompt <= 1:
            raise ConfigError(f"no_prompt={self.no_prompt} is outside 0..1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingLosses:
    """Weights beside the velocity's error.

    Raises:
        ConfigError: when one is negative.
    """

    asked: float  # of what the reader alone knows about the motion, see `asked_loss`
    addressed: float  # of whom sentences are about, see `addressed_loss`

    def __post_init__(self) -> None:
        if min(self.asked, self.addressed) < 0:
            raise ConfigError(f"losses' weights are not negative: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingStageConfig:
    """Everything that decides a run.

    Raises:
        ConfigError: when the network is too narrow for what its reader has to say.
    """

    rehearsals: RehearsalConfig
    network: ActingConfig
    windows: ActingWindows
    losses: ActingLosses
    loop: LoopConfig

    def __post_init__(self) -> None:
        least = self.network.channels + HEAD_ANGLES
        if self.network.dim < least:
            raise ConfigError(f"dim={self.network.dim} is less than {least}, see `asked_loss`")


class Window(NamedTuple):
    """What is learned from in one step."""

    features: Tensor  # [B, P, T, features]
    values: Tensor  # [B, P, T, A]
    before: Tensor  # [B, P, C] the chunk before the window, in units of deviation
    tokens: Tensor  # [B, S, L]
    said: Tensor  # [B, K] which of the prompts holds


class Measuring(Protocol):
    """Measures a network on held-out dialogues."""

    def __call__(
        self, network: ActingNetwork, folder: RunFolder, steps: int
    ) -> Mapping[str, float]: ...


class ActingTask:
    """Trains on windows of dialogues."""

    # Muon is for the larger matrices; tables, first and last layers are not.
    adam_names: tuple[str, ...] = ("prompt.words", "prompt.places", "prompt.who", "velocity")

    def __init__(
        self,
        config: ActingStageConfig,
        dialogues: Sequence[Heard],
        words: WordTable,
        measuring: Measuring,
    ) -> None:
        self.config, self.words, self.measuring = config, words, measuring
        self._groups = [
            group
            for people in range(1, len(config.rehearsals.people_shares) + 1)
            if (group := [each for each in dialogues if len(each.acting) == people])
        ]
        with torch.random.fork_rng(devices=[]):  # initial weights follow from the seed alone
            torch.random.manual_seed(config.loop.seed)
            self.network: ActingNetwork = ActingNetwork(config.network)
        self._addresser = Addresser(words, config.loop.seed)
        spread = spread_of(dialogues)
        self.network.mean.copy_(spread.mean)
        self.network.deviation.copy_(spread.deviation)
        self.network.most_turned.copy_(spread.most_turned)
        self.samples_per_step = config.windows.batch

    def losses(self, draw: Draw) -> Mapping[str, Tensor]:
        """Draw a batch, times and noise; compare velocities."""
        window = self._drawn(draw)
        network = self.network
        motion = network.normalized(window.values)
        past = torch.cat([window.before[:, :, None], motion[:, :, :-1]], dim=2)
        past = self._worn(past, draw)
        said = said_of(network, window)
        moment, _ = network.follow(window.features, past, said)
        generator, device = draw.torch, motion.device
        time = torch.rand(motion.shape[:-1], generator=generator, device=device)
        noise = torch.randn(motion.shape, generator=generator, device=device)
        noisy = (1 - time[..., None]) * noise + time[..., None] * motion
        error = network.flow(noisy, time, moment) - (motion - noise)
        loss = error.square().mean()
        frames = (*error.shape[:-1], FRAMES_PER_LATENT, network.config.channels)
        head = error.reshape(frames)[..., -HEAD_ANGLES:].square().mean()
        asked = asked_loss(said, motion.reshape(frames))
        weights = self.config.losses
        loss = loss + weights.asked * asked
        parts = {"head": head, "asked": asked}
        if weights.addressed:
            count = self.config.windows.batch
            people = int(draw.numpy.integers(1, MOST_ADDRESSED + 1))
            drawn = self._addresser.draw(count, people, draw.numpy)
            parts["addressed"] = addressed_loss(network, drawn)
            loss = loss + weights.addressed * parts["addressed"]
        return {"loss": loss, **parts}

    def measure(self, network: ActingNetwork, folder: RunFolder, steps: int) -> Mapping[str, float]:
        """Measure on held-out dialogues."""
        return self.measuring(network, folder, steps)

    def _drawn(self, draw: Draw) -> Window:
        rng = draw.numpy
        sizes = np.array([len(group) for group in self._groups])
        group = self._groups[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
        config = self.config.windows
        examples = []
        for _ in range(config.batch):
            heard = group[int(rng.integers(len(group)))]
            last = heard.acting.shape[1] // FRAMES_PER_LATENT - config.chunks
            first = int(rng.integers(-last // 8, last + 1))  # beginnings come more often
            no_words = bool(rng.random() < config.no_prompt)
            examples.append(
                cut(heard, self.network, self.words, config, max(first, 0), no_words=no_words)
            )
        window = Window(*(torch.stack(parts) for parts in zip(*examples, strict=True)))
        return Window(*(part.to(draw.torch.device) for part in window))

    def _worn(self, past: Tensor, draw: Draw) -> Tensor:
        """Put pasts [B, P, K, C] off as one's own making would be."""
        config, generator, device = self.config.windows, draw.torch, past.device
        by_example = (len(past), 1, 1, 1)
        amount = torch.rand(by_example, generator=generator, device=device) * config.past_noise
        noise = torch.randn(past.shape, generator=generator, device=device)
        return past + amount * noise


def cut(
    heard: Heard,
    network: ActingNetwork,
    words: WordTable,
    config: ActingWindows,
    first: int,
    *,
    no_words: bool,
) -> Window:
    """Cut one example from chunk `first` on, its tensors without a batch dimension."""
    span = slice(first * FRAMES_PER_LATENT, (first + config.chunks) * FRAMES_PER_LATENT)
    values = torch.from_numpy(heard.acting.astype(np.float32))
    led = network.normalized(values[:, : FRAMES_PER_LATENT * max(first, 1)])
    before = led[:, -1] if first else torch.zeros_like(led[:, -1])
    tokens = np.zeros((config.prompts, words.length), np.int64)
    said = np.zeros(config.chunks, np.int64)
    count = 0
    for start, end, text in heard.prompts:
        begins, ends = start // FRAMES_PER_LATENT - first, -(-end // FRAMES_PER_LATENT) - first
        if ends <= 0 or begins >= config.chunks or count == config.prompts:
            continue
        if not no_words:
            tokens[count] = words.encode(text)
        said[max(begins, 0) :] = count
        count += 1
    return Window(
        features=torch.from_numpy(heard.features[:, span].astype(np.float32)),
        values=values[:, span],
        before=before,
        tokens=torch.from_numpy(tokens),
        said=torch.from_numpy(said),
    )


def said_of(network: ActingNetwork, window: Window) -> Tensor:
    """Give [B, P, K, dim], what the prompts of a window's chunks say."""
    b, prompts, length = window.tokens.shape
    people = window.features.shape[1]
    read = network.read(window.tokens.reshape(b * prompts, length), people)
    by_prompt = read.reshape(b, prompts, people, -1)
    rows = torch.arange(b, device=read.device)[:, None]
    return by_prompt[rows, window.said].transpose(1, 2)


def asked_loss(said: Tensor, motion: Tensor) -> Tensor:
    """Say how badly the reader of prompts guesses the motion that comes with them.

    Its first numbers have to be the mean motion, and how quickly heads move. Without this it learns
    late whom words are about: noise and the past explain most of what the velocity's error sees.

    Args:
        said: [B, P, K, dim] by the reader.
        motion: [B, P, K, 4, A] in units of deviation.

    Returns:
        The mean squared error over A + 3 numbers.
    """
    speed = motion[..., -HEAD_ANGLES:].diff(dim=-2).abs().mean(-2) * FPS
    wanted = torch.cat([motion.mean(-2), speed], dim=-1)
    return (said[..., : wanted.shape[-1]] - wanted).square().mean()


class Spread(NamedTuple):
    """How acted channels are spread."""

    mean: Tensor  # [A]
    deviation: Tensor  # [A]
    most_turned: Tensor  # [3] of heads, radians


def spread_of(dialogues: Sequence[Heard]) -> Spread:
    """Measure how acted channels are spread."""
    frames = np.concatenate([each.acting.reshape(-1, each.acting.shape[-1]) for each in dialogues])
    values = torch.from_numpy(frames.astype(np.float32))
    return Spread(
        values.mean(0),
        values.std(0).clamp(min=LEAST_DEVIATION),
        values[:, -HEAD_ANGLES:].abs().amax(0),
    )
