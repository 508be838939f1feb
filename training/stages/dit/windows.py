"""Batches for the transformer: some latent frames around a face, what is heard, a reference.

Shape letters: B batch, P people, F latent frames, T = 4 F video frames, C latent channels, h and w
size of the window in latent positions, n = h / 2 * w / 2 tokens of a latent frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import ConfigError
from models.studio.config import MOUTH_CURVES, SPEECH_CURVES
from models.studio.motion import Motion
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from models.studio.vae_movement import Told
from training.runs.draw import Draw
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import EncodedClip, clip_files, read_clip
from training.stages.motion import HEAD, LIP_GAP
from training.stages.vae.crops import as_pixels

PATCH = 2
TRIES, LOOKS = 4, 3  # moments that are looked at for a calm head, and for a lively face
EXPRESSION = [channel for channel in range(MOUTH_CURVES) if channel not in SPEECH_CURVES]
MOUTH_SPREAD, EYE_SPREAD = 0.2, 0.12  # of the weights around mouths and eyes, of a face's width


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """What one batch is.

    Raises:
        ConfigError: when a window has no frame, or its side is no whole number of tokens.
    """

    batch: int
    latent_frames: int
    side: int  # of a window, in latent positions; pictures that are smaller are taken whole
    whole_share: float  # of batches that see whole pictures (fewer of them, at the same cost)
    # Of examples that are taken where heads stay nearest to those of the still picture. A stream
    # starts from its picture, so that this is what it mostly meets.
    calm_share: float
    # Of examples that are taken, of some moments, where expressions are furthest from those of the
    # still picture: most moments show what the picture shows anyway.
    lively_share: float
    exact_speech: float  # share of examples told the exact curves of speech ...
    heard_speech: float  # ... those that the audio encoder heard; the others are told none
    known_expression: float
    known_head: float
    no_voice: float  # share of examples that hear nothing: picture and prompt alone
    no_prompt: float
    floor_weight: float  # of a position that is neither mouth nor eye
    mouth_weight: float
    eye_weight: float
    # Of examples that are taken, of some moments, where lips move most: in dialogues most rest.
    open_share: float = 0.0

    def __post_init__(self) -> None:
        if min(self.batch, self.latent_frames) < 1 or self.side < PATCH or self.side % PATCH:
            raise ConfigError(
                f"batch={self.batch}, latent_frames={self.latent_frames} must be at least 1 and "
                f"side={self.side} a multiple of {PATCH}"
            )
        if self.exact_speech + self.heard_speech > 1:
            raise ConfigError("exact_speech and heard_speech are shares of the same examples")

    @property
    def frames(self) -> int:
        return self.latent_frames * FRAMES_PER_LATENT


class Window(NamedTuple):
    """What the transformer learns from in one step."""

    latents: Tensor  # [B, C, F, h, w]
    reference: Tensor  # [B, C, 1, h, w]
    picture: Tensor  # [B, 3, 16 h, 16 w] in -1..1, whose latent `reference` is
    people: Tensor  # [B, P, h, w] regions in 0..1
    faces: Tensor  # [B, P, 3, S, S] in -1..1
    features: Tensor  # [B, P, T, 128]
    motion: Tensor  # [B, P, T, 56]; heads turn from where the reference picture has them
    known: Tensor  # [B, P, T, 3]
    words: Tensor  # [B, L] int64
    weight: Tensor  # [B, 1, F, h, w], mean 1 over a window
    mouths: Tensor  # [B, P, T, 2] pixels of the window
    eyes: Tensor  # [B, P, T, 2] the point between a person's eyes, pixels of the window
    gap: Tensor  # [B, P, T] true lip gap in 10 mm
    face_widths: Tensor  # [B, P] in pixels


def told_by(window: Window) -> Told:
    """Give what a window tells the decoder of its people."""
    return Told(Motion(window.motion, window.known), window.people)


WindowSource = Callable[[Draw], Window]
"""A step's generators -> the batch of that step, on the CPU."""


class Bank(Protocol):
    """Encoded clips by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> EncodedClip: ...


class ClipBank:
    """Encoded clips of one folder or several, read when drawn; small enough to stay in memory."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._files = [file for folder in folders for file in clip_files(folder)]
        self._read: dict[Path, EncodedClip] = {}

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> EncodedClip:
        path = self._files[index]
        if path not in self._read:
            self._read[path] = read_clip(path)
        return self._read[path]

    def of_people(self, least: int, most: int | None) -> list[EncodedClip]:
        """Give the clips that show so many people; None has no upper bound."""
        clips = [self[index] for index in range(len(self))]
        return [each for each in clips if least <= each.people <= (most or each.people)]

    def prompts(self) -> list[str]:
        """List every prompt, with repetitions."""
        return [spoken.text for index in range(len(self)) for spoken in self[index].prompts]


def draw_windows(bank: Bank, words: WordTable, config: WindowConfig, draw: Draw) -> Window:
    """Draw one batch with a step's generators."""
    rng = draw.numpy
    is_whole = bool(rng.random() < config.whole_share)
    first = bank[int(rng.integers(len(bank)))]
    side = max(first.latents.shape[2:]) if is_whole else config.side
    count = max(1, round(config.batch * config.side**2 / side**2)) if is_whole else config.batch
    clips = [first] + [bank[int(rng.integers(len(bank)))] for _ in range(count - 1)]
    examples = [cut_window(clip, words, config, side, rng) for clip in clips]
    return stacked(examples)


def windows_of(bank: Bank, words: WordTable, config: WindowConfig) -> WindowSource:
    """Give what draws batches of a bank."""
    return lambda draw: draw_windows(bank, words, config, draw)


def stacked(examples: Sequence[Window]) -> Window:
    """Make a batch of examples of one size and number of people."""
    return Window(*(torch.stack(parts) for parts in zip(*examples, strict=True)))


def cut_window(
    clip: EncodedClip,
    words: WordTable,
    config: WindowConfig,
    side: int,
    rng: np.random.Generator,
) -> Window:
    """Cut one example: its tensors without a batch dimension."""
    return window_at(clip, words, config, side, choose_moment(clip, config, rng), rng)


def window_at(
    clip: EncodedClip,
    words: WordTable,
    config: WindowConfig,
    side: int,
    moment: tuple[int, int],
    rng: np.random.Generator,
) -> Window:
    """Cut an example as `cut_window` does, at a first latent frame and with a still picture."""
    first, still = moment
    rows, columns = _place(clip, first, still, side, rng)
    latent_span = slice(first, first + config.latent_frames)
    span = slice(first * FRAMES_PER_LATENT, (first + config.latent_frames) * FRAMES_PER_LATENT)
    corner = np.array([columns.start, rows.start], np.float32) * SPATIAL_STRIDE
    mouths = clip.mouths[:, span] - corner
    features, motion, known = _told(clip, span, still, config, rng)
    middle = (span.start + span.stop) // 2
    prompt = "" if rng.random() < config.no_prompt else clip.prompt_at(middle)
    tokens = tuple(slice(each.start // PATCH, each.stop // PATCH) for each in (rows, columns))
    pixels = [slice(s.start * SPATIAL_STRIDE, s.stop * SPATIAL_STRIDE) for s in (rows, columns)]
    regions = clip.regions[still][:, tokens[0], tokens[1]].astype(np.float32)
    latents = clip.latents[latent_span][:, :, rows, columns].astype(np.float32)
    reference = clip.stills[still][:, rows, columns].astype(np.float32)
    faces = clip.faces[still].astype(np.float32) / 127.5 - 1
    return Window(
        latents=torch.from_numpy(latents).transpose(0, 1),
        reference=torch.from_numpy(reference)[:, None],
        picture=as_pixels(clip.pictures[still][pixels[0], pixels[1]]),
        people=torch.from_numpy(regions.repeat(PATCH, axis=1).repeat(PATCH, axis=2)),
        faces=torch.from_numpy(faces).permute(0, 3, 1, 2),
        features=torch.from_numpy(features),
        motion=torch.from_numpy(motion),
        known=torch.from_numpy(known),
        words=torch.from_numpy(words.encode(prompt)),
        weight=torch.from_numpy(_weights(clip, span, corner, latents.shape[2:], config))[None],
        mouths=torch.from_numpy(mouths),
        eyes=torch.from_numpy(clip.eyes[:, span].mean(2) - corner),
        gap=torch.from_numpy(clip.motion[:, span, LIP_GAP].astype(np.float32)),
        face_widths=torch.from_numpy(clip.face_widths.astype(np.float32)),
    )


def choose_moment(
    clip: EncodedClip, config: WindowConfig, rng: np.random.Generator
) -> tuple[int, int]:
    """Choose an example's first latent frame, and its still picture."""
    last = clip.frames - config.latent_frames
    if last == 0 and len(clip.stills) == 1:
        return 0, 0
    if config.open_share and rng.random() < config.open_share:
        moments = [_calm_moment(clip, config, last, rng) for _ in range(LOOKS)]
        return max(moments, key=lambda each: _lip_motion(clip, each[0], config.latent_frames))
    if not config.lively_share or rng.random() >= config.lively_share:
        return _calm_moment(clip, config, last, rng)
    moments = [_calm_moment(clip, config, last, rng) for _ in range(LOOKS)]
    return max(moments, key=lambda each: _liveliness(clip, each, config.latent_frames))


def _calm_moment(
    clip: EncodedClip, config: WindowConfig, last: int, rng: np.random.Generator
) -> tuple[int, int]:
    first = int(rng.integers(last + 1))
    if not config.calm_share or rng.random() >= config.calm_share:
        return first, int(rng.integers(len(clip.stills)))
    tries = [first, *(int(rng.integers(last + 1)) for _ in range(TRIES - 1))]
    turns = np.array([_turns(clip, each, config.latent_frames) for each in tries])
    calmest, still = np.unravel_index(turns.argmin(), turns.shape)
    return tries[int(calmest)], int(still)


def _liveliness(clip: EncodedClip, moment: tuple[int, int], frames: int) -> float:
    """Measure how far expressions are from those of a still picture, everybody's together."""
    first, still = moment
    span = slice(first * FRAMES_PER_LATENT, (first + frames) * FRAMES_PER_LATENT)
    curves = clip.motion[..., EXPRESSION].astype(np.float32)
    shown = curves[:, clip.still_frames[still], None]
    return float(np.abs(curves[:, span] - shown).mean(1).sum())


def _lip_motion(clip: EncodedClip, first: int, frames: int) -> float:
    """Measure how much lips move in so many latent frames, everybody's together."""
    span = slice(first * FRAMES_PER_LATENT, (first + frames) * FRAMES_PER_LATENT)
    return float(clip.motion[:, span, LIP_GAP].astype(np.float32).std(1).sum())


def _turns(clip: EncodedClip, first: int, frames: int) -> NDArray[np.float32]:
    """Measure how far heads get from where each still picture [R] has them."""
    heads = clip.motion[..., HEAD].astype(np.float32)
    span = slice(first * FRAMES_PER_LATENT, (first + frames) * FRAMES_PER_LATENT)
    away = np.abs(heads[:, None, span] - clip.still_heads.swapaxes(0, 1)[:, :, None])
    furthest: NDArray[np.float32] = away.max((0, 2, 3))
    return furthest


def _place(
    clip: EncodedClip, first: int, still: int, side: int, rng: np.random.Generator
) -> tuple[slice, slice]:
    """Choose rows and columns of a window: around a person's face, on whole tokens."""
    height, width = clip.latents.shape[2:]
    person = int(rng.integers(clip.people))
    center = clip.mouths[person, first * FRAMES_PER_LATENT] / SPATIAL_STRIDE
    spans = []
    for middle, size in ((center[1], height), (center[0], width)):
        length = min(side, size)
        start = middle - length / 2 + rng.uniform(-1, 1) * length / 6
        start = int(np.clip(round(start / PATCH) * PATCH, 0, size - length))
        spans.append(slice(start, start + length))
    return spans[0], spans[1]


def _told(
    clip: EncodedClip, span: slice, still: int, config: WindowConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Choose what an example is told: features, motion, and which of it is known."""
    motion = clip.motion[:, span].astype(np.float32)
    motion[..., HEAD] -= clip.still_heads[still][:, None].astype(np.float32)
    features = clip.features[:, span].astype(np.float32)
    is_silent = rng.random() < config.no_voice
    how = rng.random()
    is_speech_known = how < config.exact_speech + config.heard_speech and not is_silent
    if config.exact_speech <= how:
        heard = clip.heard[:, span].astype(np.float32)
        motion[..., list(SPEECH_CURVES)] = heard[..., list(SPEECH_CURVES)]
    known = np.zeros((*motion.shape[:2], 3), np.float32)
    known[..., 0] = is_speech_known
    known[..., 1] = rng.random() < config.known_expression and not is_silent
    known[..., 2] = rng.random() < config.known_head and not is_silent
    return (features * 0 if is_silent else features), motion, known


def _weights(
    clip: EncodedClip,
    span: slice,
    corner: NDArray[np.float32],
    size: tuple[int, ...],
    config: WindowConfig,
) -> NDArray[np.float32]:
    """Weigh positions [F, h, w] by how near a mouth or an eye is; the mean is 1."""
    height, width = size
    frames = (span.stop - span.start) // FRAMES_PER_LATENT
    down = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * SPATIAL_STRIDE + corner[1]
    across = (np.arange(width, dtype=np.float32)[None] + 0.5) * SPATIAL_STRIDE + corner[0]
    weight = np.full((frames, height, width), config.floor_weight, np.float32)
    for person in range(clip.people):
        marks = [(clip.mouths[person, span], MOUTH_SPREAD, config.mouth_weight)]
        marks += [(clip.eyes[person, span, eye], EYE_SPREAD, config.eye_weight) for eye in (0, 1)]
        for places, spread, strength in marks:
            middle = places.reshape(frames, FRAMES_PER_LATENT, 2).mean(1)
            scale = max(spread * float(clip.face_widths[person]), SPATIAL_STRIDE / 2)
            for frame, (x, y) in enumerate(middle):
                away = ((across - x) / scale) ** 2 + ((down - y) / scale) ** 2
                weight[frame] += strength * np.exp(-0.5 * away)
    return np.asarray(weight / weight.mean(), np.float32)
