"""Says in words what is seen in a clip, in varied wording, and anew where it changes.

Who people are comes in as a small mapping, such as {"gender": "woman", "age": "young",
"hair": "long black hair", "clothes": "red jacket", "extra": "round glasses"}: all but the gender
may be missing. Acts are those of `performance_data.Act`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import InputError
from training.studio.performance_data import Act

SHORTEST_SEGMENT = 12  # frames; a change sooner than this after another belongs to it
SLIGHT, STRONG = 0.6, 0.85
DETAIL_CHANCE = 0.75  # that hair, clothes or an extra is mentioned at all

WORDINGS: dict[str, tuple[str, ...]] = {
    "smiling": ("{}smiling", "with a smile", "looking {}pleased", "wearing a friendly smile"),
    "laughing": ("laughing", "amused", "breaking into a laugh", "grinning with joy"),
    "sad": ("{}sad", "looking {}unhappy", "with a sad face", "{}downcast"),
    "angry": ("{}angry", "looking {}cross", "frowning in anger", "with an angry face"),
    "surprised": (
        "{}surprised",
        "looking {}astonished",
        "with raised brows and wide eyes",
        "{}amazed",
    ),
    "disgusted": ("{}disgusted", "wrinkling the nose in disgust", "with a look of disgust"),
    "skeptical": (
        "{}skeptical",
        "raising one eyebrow",
        "looking {}doubtful",
        "with a doubting look",
    ),
    "worried": ("{}worried", "looking {}anxious", "with a worried face", "{}concerned"),
    "nodding": ("nodding", "nodding the head", "giving a nod"),
    "shaking_head": ("shaking the head", "shaking the head in denial"),
    "tilting_head": ("tilting the head", "with the head tilted to one side"),
    "looking_at_camera": ("looking at the camera", "facing the viewer", "looking at us"),
    "looking_at_other": ("looking at the other", "turning to the other", "with eyes on the other"),
    "listening": ("listening", "listening closely", "paying attention", "silent and attentive"),
    "talking": ("talking", "speaking", "saying something", "in the middle of speaking"),
}
SLIGHTLY = ("slightly ", "a little ", "faintly ", "somewhat ")
STRONGLY = ("clearly ", "visibly ", "obviously ", "unmistakably ")
STILL = ("sitting quietly", "waiting in silence", "saying nothing", "resting calmly")

PLACES: dict[int, tuple[tuple[str, ...], ...]] = {
    1: (("",),),
    2: (("on the left", "to the left"), ("on the right", "to the right")),
    3: (("on the left", "to the left"), ("in the middle", "between them"), ("on the right",)),
    4: (
        ("on the far left",),
        ("left of the middle",),
        ("right of the middle",),
        ("on the far right",),
    ),
}
OPENINGS: dict[int, tuple[str, ...]] = {
    1: ("", "A video call with one person: ", "Portrait of a person: ", "Close view: "),
    2: ("", "Two people in conversation: ", "A video call of two: ", "Two people side by side: "),
    3: ("", "Three people in a meeting: ", "A group of three: ", "Three people side by side: "),
    4: ("", "Four people in a meeting: ", "A group of four: ", "Four people side by side: "),
}
JOINERS = ("; ", ". ", ", and ", ", while ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What is seen from `start_frame` up to `end_frame`."""

    start_frame: int
    end_frame: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A clip in words."""

    text: str  # of the whole clip
    segments: tuple[Segment, ...]  # cover the clip; one when nothing that has a name changes


def describe(
    people: Sequence[Mapping[str, str]],
    acts: Sequence[Sequence[Act]],
    frames: int,
    scene: str,
    rng: np.random.Generator,
) -> Prompt:
    """Describe a clip of 1 to 4 people, given from left to right, and its scene in a few words.

    `scene` is put after "in front of" or "with ... behind": "a bookshelf", "a gray wall"; it may
    be empty. Who people are is worded once and stays the same in all segments.

    Raises:
        InputError: when people and acts differ in number, or there are none or more than four.
    """
    if len(people) != len(acts) or len(people) not in PLACES:
        raise InputError(f"expected 1 to 4 people with acts for each, got {len(people)}")
    names = [_named(person, index, len(people), rng) for index, person in enumerate(people)]
    ending = _ending(scene, rng)
    opening = str(rng.choice(OPENINGS[len(people)]))
    edges = [*_edges(acts, frames), frames]
    segments = tuple(
        Segment(
            start_frame=start,
            end_frame=end,
            text=_sentence(opening, names, acts, (start, end), ending, rng),
        )
        for start, end in itertools.pairwise(edges)
    )
    whole = _sentence(opening, names, acts, (0, frames), ending, rng)
    return Prompt(text=whole, segments=segments)


def _edges(acts: Sequence[Sequence[Act]], frames: int) -> list[int]:
    """List the frames at which named acts change; who talks changes too often to count."""
    changes = {0}
    for act in (act for each in acts for act in each):
        if act.name not in ("talking", "listening"):
            changes |= {act.start_frame, act.end_frame}
    edges = [0]
    for change in sorted(changes):
        if change - edges[-1] >= SHORTEST_SEGMENT and frames - change >= SHORTEST_SEGMENT:
            edges.append(change)
    return edges


def _named(person: Mapping[str, str], index: int, people: int, rng: np.random.Generator) -> str:
    noun = person.get("gender", "person")
    age = person.get("age", "")
    adjective = f"{age} " if age and rng.random() < DETAIL_CHANCE else ""
    seen = {key for key in ("hair", "clothes", "extra") if rng.random() < DETAIL_CHANCE}
    features = [person[key] for key in ("hair", "extra") if key in seen and person.get(key)]
    details = ["with " + " and ".join(features)] if features else []
    if "clothes" in seen and person.get("clothes"):
        worn = str(rng.choice(("in {}", "wearing {}")))
        details.append(worn.format(_with_article(person["clothes"])))
    place = str(rng.choice(PLACES[people][index]))
    words = [_with_article(adjective + noun), *details]
    if place:
        words.insert(int(rng.choice([0, len(words)])), place)
    return " ".join(words)


def _with_article(noun: str) -> str:
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun  # a plural
    return f"an {noun}" if noun[0].lower() in "aeiou" else f"a {noun}"


def _sentence(
    opening: str,
    names: Sequence[str],
    acts: Sequence[Sequence[Act]],
    span: tuple[int, int],
    ending: str,
    rng: np.random.Generator,
) -> str:
    clauses = [f"{name}, {_doing(each, span, rng)}" for name, each in zip(names, acts, strict=True)]
    joiner = str(rng.choice(JOINERS))
    if joiner == ". ":
        clauses = [clauses[0], *(_capital(clause) for clause in clauses[1:])]
    text = opening + joiner.join(clauses) + ending
    return _capital(text) + "."


def _doing(acts: Sequence[Act], span: tuple[int, int], rng: np.random.Generator) -> str:
    """Word what somebody does within a span of frames, in order of time."""
    start, end = span
    inside: dict[str, Act] = {}
    for act in sorted(acts, key=lambda act: act.start_frame):
        shared = min(act.end_frame, end) - max(act.start_frame, start)
        if shared >= min(SHORTEST_SEGMENT, end - start) * 0.8:
            inside.setdefault(act.name, act)
    moods = [act for name, act in inside.items() if name not in ("talking", "listening")]
    words = [str(rng.choice(WORDINGS[name])) for name in ("talking", "listening") if name in inside]
    state = " and then ".join(words) if len(words) > 1 else "".join(words)
    parts = [_graded(act, rng) for act in moods]
    first = [str(rng.choice(STILL))] if not state and not parts else [state] if state else []
    order = [*first, *parts] if rng.random() < 0.7 else [*parts, *first]
    return ", ".join(order)


def _graded(act: Act, rng: np.random.Generator) -> str:
    grade = ""
    if act.strength < SLIGHT:
        grade = str(rng.choice(SLIGHTLY))
    elif act.strength > STRONG:
        grade = str(rng.choice(STRONGLY))
    return str(rng.choice(WORDINGS[act.name])).format(grade)


def _ending(scene: str, rng: np.random.Generator) -> str:
    if not scene:
        return ""
    return str(
        rng.choice((", in front of {}", ", with {} behind", "; the background is {}"))
    ).format(scene)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
