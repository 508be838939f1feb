"""Batches of several people: single clips set side by side, and true scenes.

Shape letters: B batch, P people, F latent frames, h and w latent size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import ConfigError, InputError
from training.runs.draw import Draw
from training.stages.dit.windows import (
    PATCH,
    Bank,
    Window,
    WindowConfig,
    choose_moment,
    cut_window,
    stacked,
)
from training.stages.dit.words import WordTable
from training.stages.latents.encoded import EncodedClip
from training.stages.multi.side_by_side import (
    MOST_PEOPLE,
    beside,
    held_still,
    panel,
    quiet_starts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneConfig:
    """Who is seen together.

    Raises:
        ConfigError: when shares are none, or a panel is no whole number of tokens.
    """

    people_shares: tuple[float, ...]  # of batches with one, two, three, four people side by side
    panel: int  # latent positions across for each of them
    listener: float  # chance of everybody but one to be silent
    true_share: float  # of batches that are true scenes; without such clips this must be 0

    def __post_init__(self) -> None:
        shares = self.people_shares
        if not 0 < len(shares) <= MOST_PEOPLE or min(shares) < 0 or sum(shares) <= 0:
            raise ConfigError(f"people_shares={shares} are no shares of 1 to {MOST_PEOPLE} people")
        if self.panel < PATCH or self.panel % PATCH:
            raise ConfigError(f"panel={self.panel} is no multiple of {PATCH}")
        if not (0 <= self.listener <= 1 and 0 <= self.true_share <= 1):
            raise ConfigError(
                f"listener={self.listener}, true_share={self.true_share}: within 0..1"
            )


class SceneSource:
    """Draws the batches of the multi-person stage."""

    def __init__(
        self,
        singles: Bank | None,
        scenes: Bank | None,
        words: WordTable,
        config: SceneConfig,
        windows: WindowConfig,
    ) -> None:
        """Sort clips by what can be in one batch.

        Raises:
            InputError: when clips are missing that the config asks for, or no single clip is long
                and wide enough.
        """
        self.words, self.config, self.windows = words, config, windows
        self._singles = [] if singles is None else _of_common_height(singles, config, windows)
        self._groups = [] if scenes is None else _alike(scenes, windows.latent_frames)
        if config.true_share < 1 and not self._singles:
            raise InputError(
                f"no clip of one person has {windows.latent_frames} latent frames and a width of "
                f"{config.panel} latent positions; name --clips, or set true_share = 1"
            )
        if config.true_share > 0 and not self._groups:
            raise InputError(
                f"true_share={config.true_share} needs --scenes: encoded clips of several people "
                f"of {windows.latent_frames} latent frames"
            )

    def __call__(self, draw: Draw) -> Window:
        """Draw a batch."""
        rng = draw.numpy
        if rng.random() < self.config.true_share:
            return self._true_batch(rng)
        shares = np.array(self.config.people_shares)
        people = 1 + int(rng.choice(len(shares), p=shares / shares.sum()))
        height = self._singles[0].latents.shape[2]
        count = self._count(height * people * self.config.panel)
        return self._cut([self._side_by_side(people, rng) for _ in range(count)], rng)

    def _true_batch(self, rng: np.random.Generator) -> Window:
        sizes = np.array([len(group) for group in self._groups])
        group = self._groups[int(rng.choice(len(sizes), p=sizes / sizes.sum()))]
        count = self._count(int(np.prod(group[0].latents.shape[2:])))
        return self._cut([group[int(rng.integers(len(group)))] for _ in range(count)], rng)

    def _count(self, positions: int) -> int:
        """Give as many examples as cost what a batch of face windows costs."""
        return max(1, round(self.windows.batch * self.windows.side**2 / positions))

    def _cut(self, clips: Sequence[EncodedClip], rng: np.random.Generator) -> Window:
        side = max(clips[0].latents.shape[2:])
        return stacked([cut_window(c, self.words, self.windows, side, rng) for c in clips])

    def _side_by_side(self, people: int, rng: np.random.Generator) -> EncodedClip:
        speaker = int(rng.integers(people))
        listens = rng.random(people) < self.config.listener
        return beside([self._panel(bool(listens[k]) and k != speaker, rng) for k in range(people)])

    def _panel(self, is_listener: bool, rng: np.random.Generator) -> EncodedClip:
        frames, width = self.windows.latent_frames, self.config.panel
        clip = self._singles[int(rng.integers(len(self._singles)))]
        still = int(rng.integers(len(clip.stills)))
        if not is_listener:
            first = int(rng.integers(clip.frames - frames + 1))
            if self.windows.calm_share or self.windows.lively_share:
                first, still = choose_moment(clip, self.windows, rng)
            return panel(clip, first, frames, width, still)
        starts = quiet_starts(clip, frames)
        if starts:
            return panel(clip, int(rng.choice(starts)), frames, width, still)
        return panel(held_still(clip, frames), 0, frames, width, still)


class SideBySideBank:
    """Clips of one person as pairs or more, whole: what a stage without true scenes is measured on.

    Clip k stands beside the clips that follow it.
    """

    def __init__(self, singles: Bank, people: int, width: int) -> None:
        self._singles, self._people, self._width = singles, people, width

    def __len__(self) -> int:
        return len(self._singles)

    def __getitem__(self, index: int) -> EncodedClip:
        if not 0 <= index < len(self):
            raise IndexError(index)
        count = len(self._singles)
        clips = [self._singles[(index + k) % count] for k in range(self._people)]
        frames = min(clip.frames for clip in clips)
        return beside([panel(clip, 0, frames, self._width, 0) for clip in clips])


def _of_common_height(bank: Bank, config: SceneConfig, windows: WindowConfig) -> list[EncodedClip]:
    """Keep the clips of one person that are long and wide enough, of the most frequent height."""
    fitting = [
        clip
        for clip in (bank[index] for index in range(len(bank)))
        if clip.people == 1
        and clip.frames >= windows.latent_frames
        and clip.latents.shape[3] >= config.panel
    ]
    heights = [clip.latents.shape[2] for clip in fitting]
    return [clip for clip in fitting if clip.latents.shape[2] == max(heights, key=heights.count)]


def _alike(bank: Bank, frames: int) -> list[list[EncodedClip]]:
    """Group clips of several people by number of people and size."""
    groups: dict[tuple[int, ...], list[EncodedClip]] = defaultdict(list)
    for index in range(len(bank)):
        clip = bank[index]
        if clip.people > 1 and clip.frames >= frames:
            groups[(clip.people, *clip.latents.shape[2:])].append(clip)
    return list(groups.values())
