"""How like people the acting is: numbers of what was made beside the same numbers of the truth.

Nobody can foresee when somebody blinks, so nothing is compared frame by frame: how often, how much,
how quickly, and whether words and the others' voices have the effect that they have in the truth.

Shape letters: B clips, P people, T video frames, A acted channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from models.studio.acting import ActingNetwork
from models.studio.acting_config import ACTED
from models.studio.vae_config import FRAMES_PER_LATENT
from training.runs.folder import RunFolder
from training.stages.acting.rehearsal import HEAD
from training.stages.acting.rehearsal_folder import Heard
from training.stages.acting.rolling import roll
from training.stages.acting.shipped import write_acting
from training.stages.acting.task import ActingStageConfig, ActingWindows, Window, cut
from training.stages.dit.words import WordTable
from training.studio.performance_data import ARKIT, FPS

BLINK_SHUT, BLINK_OPEN = 0.6, 0.3  # of eyeBlink: a blink rises above one, having been below another
NOD_HZ = (0.8, 3.0)
SPEAKS_FOR_FRAMES = 15  # until then a listener may not have turned to a new speaker yet
YAW, PITCH = HEAD.start, HEAD.start + 1
EXPRESSIONS = ("mouthSmileLeft", "browDownLeft", "browInnerUp", "mouthFrownLeft", "noseSneerLeft")

Floats = NDArray[np.float32]


class Shown(NamedTuple):
    """The same clip made and true."""

    made: Floats  # [P, T, A]
    true: Floats  # [P, T, A]
    speaking: NDArray[np.bool_]  # [P, T]
    words: str


class ActingExaminer:
    """Rolls held-out dialogues and writes the weights that were measured."""

    def __init__(
        self, config: ActingStageConfig, dialogues: Sequence[Heard], words: WordTable
    ) -> None:
        self.config, self.dialogues, self.words = config, dialogues, words

    def __call__(
        self, network: ActingNetwork, folder: RunFolder, steps: int
    ) -> Mapping[str, float]:
        shown = self.play(network)
        measures = compare(shown)
        facts = {"steps": steps, "measures": {k: round(v, 4) for k, v in measures.items()}}
        write_acting(folder.path, network, self.words, facts)
        return measures

    def play(self, network: ActingNetwork) -> list[Shown]:
        """Act every dialogue from its beginning, with its own voices and words."""
        generator = torch.Generator(network.mean.device).manual_seed(0)
        return [self._played(network, heard, generator) for heard in self.dialogues]

    def _played(self, network: ActingNetwork, heard: Heard, generator: torch.Generator) -> Shown:
        frames = heard.acting.shape[1]
        whole = ActingWindows(
            batch=1,
            chunks=frames // FRAMES_PER_LATENT,
            prompts=len(heard.prompts),
            no_prompt=0.0,
            past_noise=0.0,
        )
        example = cut(heard, network, self.words, whole, 0, no_words=False)
        window = Window(*(part[None].to(network.mean.device) for part in example))
        made = roll(network, window, generator)[0].cpu().numpy()
        words = " ".join(text for _, _, text in heard.prompts)
        return Shown(made, heard.acting.astype(np.float32), heard.speaking, words)


def compare(shown: Sequence[Shown]) -> dict[str, float]:
    """Measure what was made, and the truth beside it."""
    both = {"made": [each.made for each in shown], "true": [each.true for each in shown]}
    found: dict[str, float] = {}
    for name, clips in both.items():
        minutes = sum(clip.shape[0] * clip.shape[1] for clip in clips) / FPS / 60
        found[f"blinks_per_minute_{name}"] = sum(blinks(clip) for clip in clips) / minutes
        found[f"yaw_deviation_{name}"] = float(np.mean([clip[..., YAW].std() for clip in clips]))
        heads = [np.abs(np.diff(clip[..., HEAD], axis=1)).mean() for clip in clips]
        found[f"head_speed_{name}"] = float(np.mean(heads))
        turns = [turn_to_speaker(c, s.speaking) for c, s in zip(clips, shown, strict=True)]
        found[f"turn_to_speaker_{name}"] = _mean([each for each in turns if each is not None])
        for is_told in (True, False):
            chosen = [c for c, s in zip(clips, shown, strict=True) if ("nod" in s.words) is is_told]
            label = f"nods_{'told' if is_told else 'untold'}_{name}"
            found[label] = _mean([nodding(clip) for clip in chosen])
    for name in EXPRESSIONS:
        channel = ACTED.index(ARKIT.index(name))
        made, true = ([c[..., channel].mean(1) for c in clips] for clips in both.values())
        found[f"{name}_r"] = _r(np.concatenate(made), np.concatenate(true))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def blinks(clip: Floats) -> int:
    """Count the blinks of a clip [P, T, A]."""
    lids = clip[..., ACTED.index(ARKIT.index("eyeBlinkLeft"))]
    count = 0
    for each in lids:
        is_open = True
        for value in each:
            if is_open and value > BLINK_SHUT:
                count, is_open = count + 1, False
            elif value < BLINK_OPEN:
                is_open = True
    return count


def turn_to_speaker(clip: Floats, speaking: NDArray[np.bool_]) -> float | None:
    """Say how far listeners' heads are turned to who speaks alone, in radians; None if nobody."""
    turned = []
    for person, head in enumerate(clip[..., YAW]):
        for other in range(len(clip)):
            if other == person:
                continue
            alone = speaking[other] & (speaking.sum(0) == 1)
            run = np.convolve(alone, np.ones(SPEAKS_FOR_FRAMES), "full")[: len(alone)]
            when = run >= SPEAKS_FOR_FRAMES
            if when.any():
                turned.append(float((head[when] * np.sign(other - person)).mean()))
    return float(np.mean(turned)) if turned else None


def nodding(clip: Floats) -> float:
    """Give the deviation of heads' pitch within the frequencies of nods, in radians."""
    band = butter(2, NOD_HZ, "bandpass", fs=FPS, output="sos")
    return float(sosfiltfilt(band, clip[..., PITCH], axis=1).std())


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _r(a: Floats, b: Floats) -> float:
    if len(a) < 3 or a.std() < 1e-6 or b.std() < 1e-6:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
