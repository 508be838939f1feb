"""Whom words are about: prompts in all wordings, and the expressions that they ask of everybody.

Dialogues hold few sentences in which one of several people does something and the others nothing.
Sentences cost nothing: these are drawn anew at every step.

Shape letters: N prompts, P people, L words, M moving channels among the acted ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.studio.acting import ActingNetwork
from models.studio.acting_config import ACTED
from training.stages.acting.rehearsal import sentence
from training.stages.dit.words import WordTable
from training.studio.acting.expressions import EXPRESSIONS, REST
from training.studio.people.identity import sample_identity
from training.studio.performance_data import ARKIT, Act
from training.studio.shards.portrait import BEHIND, portrait
from training.studio.shards.prompts import describe

PORTRAITS = 256
FRAMES = 50
BARE_SHARE, SHORT_SHARE = 0.5, 0.4  # of people without a portrait; of sentences as users write them
MOODS = tuple(EXPRESSIONS)
STRENGTHS = (0.5, 1.0)
CALM_SHARE = 0.55  # of people who show nothing

# Where moods differ: brows, nose, eyes' width, corners of the mouth; lids and gaze have their own.
MOVING = tuple(
    place
    for place, channel in enumerate(ACTED)
    if channel < len(ARKIT)
    and ARKIT[channel].startswith(("brow", "nose", "eyeWide", "mouthSmile", "mouthFrown"))
)
Floats = NDArray[np.float32]


class Addressed(NamedTuple):
    """Sentences, and what they ask for."""

    tokens: Tensor  # [N, L]
    wanted: Tensor  # [N, P, M] mean curves of the channels `MOVING`


class Addresser:
    """Draws sentences about moods."""

    def __init__(self, words: WordTable, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._words = words
        self._portraits = [
            portrait(sample_identity(int(rng.integers(1 << 31)))) for _ in range(PORTRAITS)
        ]

    def draw(self, count: int, people: int, rng: np.random.Generator) -> Addressed:
        """Draw sentences about so many people, in each of which somebody shows a mood."""
        drawn = [self._one(people, rng) for _ in range(count)]
        tokens = np.stack([self._words.encode(text) for text, _ in drawn])
        wanted = np.stack([curves for _, curves in drawn])
        return Addressed(torch.from_numpy(tokens), torch.from_numpy(wanted))

    def _one(self, people: int, rng: np.random.Generator) -> tuple[str, Floats]:
        strengths = rng.uniform(*STRENGTHS, people)
        moods = [str(rng.choice(MOODS)) for _ in range(people)]
        shows = rng.random(people) > CALM_SHARE
        shows[int(rng.integers(people))] = True
        acts = [
            [Act(name=mood, start_frame=0, end_frame=FRAMES, strength=float(strength))]
            if is_shown
            else []
            for mood, strength, is_shown in zip(moods, strengths, shows, strict=True)
        ]
        if rng.random() < SHORT_SHARE:
            text = sentence(acts, 0, rng)
        else:
            behind = str(rng.choice(list(BEHIND.values()))) if rng.random() < BARE_SHARE else ""
            looks = [self._look(rng) for _ in range(people)]
            text = describe(looks, acts, FRAMES, behind, rng).text
        return text, np.stack([_curves(each) for each in acts])

    def _look(self, rng: np.random.Generator) -> dict[str, str]:
        chosen = dict(self._portraits[int(rng.integers(len(self._portraits)))])
        if rng.random() < BARE_SHARE:
            return {"gender": str(rng.choice(("person", chosen.get("gender", "person"))))}
        return chosen


def _curves(acts: list[Act]) -> Floats:
    """Give what somebody shows, [M]."""
    curves = REST.astype(np.float32).copy()
    for act in acts:
        shape = EXPRESSIONS[act.name]
        curves += act.strength * (shape - np.where(shape > 0, REST, 0))
    channels = [ACTED[place] for place in MOVING]
    return curves.clip(0, 1)[channels].astype(np.float32)


def addressed_loss(network: ActingNetwork, addressed: Addressed) -> Tensor:
    """Say how badly the reader tells who was asked for what: mean squared error, in deviations.

    As in `asked_loss`, its first numbers have to be the mean motion.
    """
    device = network.mean.device
    moving = torch.tensor(MOVING, device=device)
    said = network.read(addressed.tokens.to(device), addressed.wanted.shape[1])
    wanted = (addressed.wanted.to(device) - network.mean[moving]) / network.deviation[moving]
    return (said[..., moving] - wanted).square().mean()
