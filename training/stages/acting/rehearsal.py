"""Dialogues performed without a picture: voices as heard, what everybody does, what a prompt says.

A rendered clip costs seconds a frame's worth of drawing; a performance is only curves, so hours of
it take minutes. Everybody's motion is what a rendered clip's labels would say, but that heads are
told from where they are when they look at the camera, as in a picture that a stream starts from.

Shape letters: P people, T video frames, A acted channels, S prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.studio.acting_config import ACTED
from models.studio.config import HEAD_ANGLES
from training.studio.acting.acts import draw_acts
from training.studio.acting.dialogue import Dialogue, Role, write_dialogue
from training.studio.acting.head_motion import facing
from training.studio.acting.performance import perform
from training.studio.people.gaze import eye_angles, with_look
from training.studio.people.pose import Seat
from training.studio.performance_data import ARKIT, FPS, Act, Performance
from training.studio.shards.portrait import BEHIND, portrait
from training.studio.shards.prompts import WORDINGS, Segment, describe
from training.studio.speech.voices import Catalogue
from training.studio.stage.camera import rotation
from training.studio.stage.scene import sample_scene

EYE_SPACING_M = 0.062
# Cells show heads that are turned a little, and no profiles: larger turns come softly to a stop.
HEAD_LIMITS_RAD = np.array([0.26, 0.2, 0.2], np.float32)
LOOK_LIMIT = 0.8  # of an eyeLook curve, likewise
SHORT_SHARE = 0.4  # of prompts that say only what people do, as users write
SAME_SHARE = 0.3  # of dialogues in which all do the same, so that one word can be said of all
LEAST_SEGMENT = 12  # frames
PLACE_WORDS = {
    1: ("",),
    2: ("left", "right"),
    3: ("left", "middle", "right"),
    4: ("far left", "middle left", "middle right", "far right"),
}
EVERYONE = {1: ("",), 2: ("both ", "they are ", "everyone "), 3: ("all ", "they are ", "everyone ")}
EVERYONE[4] = EVERYONE[3]

HEAD = slice(len(ACTED) - HEAD_ANGLES, len(ACTED))
LOOKS = [index for index, name in enumerate(ARKIT) if name.startswith("eyeLook")]

Floats = NDArray[np.float32]

JOINERS = ("; ", ", ", ". ")
PLACED = (
    "{place}: {does}",
    "on the {place}: {does}",
    "the person on the {place} is {does}",
    "the {place} one {does}",
)


class Rehearsal(NamedTuple):
    """One dialogue."""

    voices: Floats  # [P, n] at 16 kHz
    acting: Floats  # [P, T, A]
    speaking: NDArray[np.bool_]  # [P, T]
    prompts: tuple[Segment, ...]


def rehearse(
    people: int, seconds: float, rng: np.random.Generator, catalogue: Catalogue
) -> Rehearsal:
    """Write a dialogue of 1 to 3 people, perform it, and put it into words.

    Raises:
        SpeechError: when a voice fails on several lines.
    """
    scene = sample_scene(int(rng.integers(1 << 31)), people=people)
    roles = [Role(gender=identity.gender) for identity in scene.people]
    dialogue = write_dialogue(roles, seconds, rng, catalogue)
    performed = perform(dialogue, scene.seats, rng, acts=_acts(dialogue, rng))
    frames = len(performed[0].curves)
    acts = [each.acts for each in performed]
    if rng.random() < SHORT_SHARE:
        prompts = _short(acts, frames, rng)
    else:
        looks = [portrait(identity) for identity in scene.people]
        prompts = describe(looks, acts, frames, BEHIND[scene.backdrop.kind], rng).segments
    return Rehearsal(
        voices=np.stack([dialogue.track(person) for person in range(people)]),
        acting=np.stack(
            [_acted(each, seat) for each, seat in zip(performed, scene.seats, strict=True)]
        ),
        speaking=np.stack([each.is_speaking for each in performed]),
        prompts=prompts,
    )


def _acts(dialogue: Dialogue, rng: np.random.Generator) -> list[list[Act]]:
    """Draw what everybody shows besides speaking; in some dialogues all show the same."""
    frames = round(dialogue.seconds * FPS)
    if dialogue.people > 1 and rng.random() < SAME_SHARE:
        same = draw_acts(frames, dialogue.people, rng)
        return [list(same) for _ in range(dialogue.people)]
    return [draw_acts(frames, dialogue.people, rng) for _ in range(dialogue.people)]


def _acted(performed: Performance, seat: Seat) -> Floats:
    """Give [T, A]: curves with the look of the eyes, heads from where they face the camera."""
    away = performed.head_rad - facing(seat).astype(np.float32)
    eyes = np.asarray(seat.eyes_m, np.float64)
    spread = np.array([EYE_SPACING_M / 2, 0, 0])
    looking = []
    for curves, head, target in zip(
        performed.curves, performed.head_rad, performed.gaze_target, strict=True
    ):
        turn = rotation(float(head[0]) + seat.yaw_rad, float(head[1]), float(head[2]))
        # The left eye is the person's own left: on the viewer's right.
        left, right = (
            eye_angles(eyes + turn @ (spread * side), target, turn) for side in (1.0, -1.0)
        )
        looking.append(with_look(curves, left, right))
    gap = np.zeros((len(looking), 1), np.float32)  # of the lips: the voice's, and not acted
    seen = np.stack(looking)
    seen[:, LOOKS] = LOOK_LIMIT * np.tanh(seen[:, LOOKS] / LOOK_LIMIT)
    turned = HEAD_LIMITS_RAD * np.tanh(away / HEAD_LIMITS_RAD)
    values = np.concatenate([seen, gap, turned], axis=1)
    given: Floats = values[:, list(ACTED)].astype(np.float32)
    return given


def _short(
    acts: Sequence[Sequence[Act]], frames: int, rng: np.random.Generator
) -> tuple[Segment, ...]:
    """Word only what people do, from one change to the next."""
    shown = [[act for act in each if act.name not in ("talking", "listening")] for each in acts]
    edges = {0, frames} | {
        edge for each in shown for act in each for edge in (act.start_frame, act.end_frame)
    }
    starts = [0]
    for edge in sorted(edges):
        if edge - starts[-1] >= LEAST_SEGMENT and frames - edge >= LEAST_SEGMENT:
            starts.append(edge)
    ends = [*starts[1:], frames]
    return tuple(
        Segment(start_frame=start, end_frame=end, text=sentence(shown, (start + end) // 2, rng))
        for start, end in zip(starts, ends, strict=True)
    )


def sentence(acts: Sequence[Sequence[Act]], frame: int, rng: np.random.Generator) -> str:
    """Word only what people do at a frame, as users write; nothing is said of who does nothing."""
    people = len(acts)
    done = [_names(each, frame) for each in acts]
    if people > 1 and all(each == done[0] for each in done):
        return f"{rng.choice(EVERYONE[people])}{_worded(done[0], rng)}".strip()
    order = rng.permutation(people)
    clauses = []
    for person in order:
        place = PLACE_WORDS[people][person]
        words = _worded(done[person], rng)
        if people == 1:
            clauses.append(words)
        elif words:
            clauses.append(str(rng.choice(PLACED)).format(place=place, does=words))
    return str(rng.choice(JOINERS)).join(clauses)


def _names(acts: Sequence[Act], frame: int) -> tuple[str, ...]:
    return tuple(sorted(act.name for act in acts if act.start_frame <= frame < act.end_frame))


def _worded(names: Sequence[str], rng: np.random.Generator) -> str:
    return ", ".join(str(rng.choice(WORDINGS[name])).format("") for name in names)


def short_words() -> list[str]:
    """List texts that hold every word which only short prompts use."""
    places = [each for group in PLACE_WORDS.values() for each in group if each]
    return [
        *(form.format(place=place, does="") for form in PLACED for place in places),
        *JOINERS,
        *(text for group in EVERYONE.values() for text in group),
        *(text.format("") for group in WORDINGS.values() for text in group),
    ]
