"""Writes dialogues of one to three people: who says what, when, with which voice.

Times are seconds from the clip's start. Everything is drawn from the generator passed in: the same
seed and catalogue give the same dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from models.errors import InputError
from training.studio.performance_data import SAMPLE_RATE, Floats, Phone, Speech
from training.studio.speech.augmentation import change_pitch
from training.studio.speech.noise import SOUNDS
from training.studio.speech.phones import SILENCE, filled, shifted
from training.studio.speech.sentences import Split
from training.studio.speech.singing import breath_sound, draw_singer, laugh, sing
from training.studio.speech.voices import Catalogue, Gender, SpeechError, Voice
from training.studio.speech.waveform import add_at, faded, levelled

MOST_PEOPLE = 4
SHORTEST_CLIP = 1.0
TRIES = 8  # lines that a voice may fail on before the dialogue gives up


class Kind(StrEnum):
    """What happens in a clip."""

    CONVERSATION = "conversation"  # everybody takes turns
    OVERLAPPING = "overlapping"  # turns begin before the last has ended
    ONE_LISTENS = "one listens"  # one of them hardly says anything
    MONOLOGUE = "monologue"  # one speaks, the others listen
    SINGING = "singing"  # one sings, the others listen
    SILENCE = "silence"  # nobody makes a sound
    SOUNDS = "sounds"  # noises that are no speech, and nobody speaks


KIND_SHARES: dict[int, dict[Kind, float]] = {
    1: {Kind.MONOLOGUE: 0.8, Kind.SINGING: 0.06, Kind.SILENCE: 0.07, Kind.SOUNDS: 0.07},
    2: {
        **{Kind.CONVERSATION: 0.5, Kind.OVERLAPPING: 0.12, Kind.ONE_LISTENS: 0.12},
        **{Kind.MONOLOGUE: 0.14, Kind.SINGING: 0.04, Kind.SILENCE: 0.04, Kind.SOUNDS: 0.04},
    },
}
KIND_SHARES[3] = KIND_SHARES[4] = KIND_SHARES[2]

# Mean and standard deviation of the pause between two people's turns. Everyday talk has a mode
# near 0.2 s (Stivers et al., PNAS 106, 2009); below 0 the turns overlap.
GAPS = {Kind.OVERLAPPING: (-0.5, 0.35)}
USUAL_GAP = (0.28, 0.32)
LONG_PAUSE_CHANCE, LONG_PAUSE = 0.08, (0.9, 1.8)
SENTENCE_PAUSE = (0.12, 0.55)
SENTENCES = ((1, 2, 3), (0.55, 0.33, 0.12))  # how many in a turn, and how often
BACKCHANNEL_CHANCE = 0.45  # per listener and turn of more than 2 s
LAUGH_CHANCE = 0.06
BREATH_CHANCE = 0.5  # before a turn
STRAY_SOUND_CHANCE = 0.08  # a noise in the track of somebody in a clip with speech
OPENING_SECONDS = (0.15, 1.0)
OTHER_PITCH_CHANCE, OTHER_PITCH = 0.5, (0.88, 1.14)  # training voices only: more of them

TOPIC_SHARES = {
    **{"meeting": 0.22, "service": 0.2, "small talk": 0.22, "story": 0.13, "question": 0.1},
    **{"exclamation": 0.06, "numbers": 0.07},
}
Action = Literal["speech", "backchannel", "laugh", "song"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What is known of a person before the dialogue is written."""

    gender: Gender | None = None
    voice: str | None = None  # a voice's name; None draws one of the gender


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """One person's utterance."""

    person: int
    start: float
    speech: Speech
    action: Action

    @property
    def end(self) -> float:
        return self.start + len(self.speech.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """A sound in somebody's track that moves no mouth."""

    person: int
    start: float
    name: str
    samples: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dialogue:
    """Everything heard in a clip."""

    seconds: float
    people: int
    kind: Kind
    turns: tuple[Turn, ...]
    noises: tuple[Noise, ...]
    voices: tuple[str, ...]  # of each person

    def track(self, person: int) -> Floats:
        """Mix one person's track, [n], noises of theirs included."""
        track = np.zeros(round(self.seconds * SAMPLE_RATE), np.float32)
        for noise in self.noises:
            if noise.person == person:
                add_at(track, noise.samples, noise.start)
        return (track + self.voice(person)).clip(-1, 1)

    def voice(self, person: int) -> Floats:
        """Mix one person's speech, [n], without noises: what moves the mouth."""
        track = np.zeros(round(self.seconds * SAMPLE_RATE), np.float32)
        for turn in self.turns:
            if turn.person == person:
                add_at(track, turn.speech.samples, turn.start)
        return track

    def phones(self, person: int) -> tuple[Phone, ...]:
        """Give one person's phones, silences included, from 0 to the clip's end."""
        said = [
            phone
            for turn in self.turns
            if turn.person == person
            for phone in shifted(turn.speech.phones, turn.start)
            if phone.symbol != SILENCE
        ]
        return filled(tuple(said), self.seconds)


def write_dialogue(
    roles: Sequence[Role],
    seconds: float,
    rng: np.random.Generator,
    catalogue: Catalogue,
    kind: Kind | None = None,
) -> Dialogue:
    """Write a dialogue; without a `kind` one is drawn.

    The last turn is cut off by the clip's end. Blocks while the voices speak.

    Raises:
        InputError: when there are not 1 to 4 people or the clip is shorter than a second.
        MissingVoiceError: when a role asks for a voice that is not in the catalogue.
        SpeechError: when a voice fails on several lines.
    """
    people = len(roles)
    if not 1 <= people <= MOST_PEOPLE or seconds < SHORTEST_CLIP:
        raise InputError(
            f"a dialogue has 1 to {MOST_PEOPLE} people and at least {SHORTEST_CLIP} s, "
            f"got {people} people and {seconds} s"
        )
    shares = KIND_SHARES[people]
    names = list(shares)
    chosen = kind or names[int(rng.choice(len(names), p=list(shares.values())))]
    voices: list[Voice] = []
    for role in roles:
        named = catalogue.find(role.voice) if role.voice else None
        voices.append(named or catalogue.draw(rng, role.gender, voices))
    writer = _Writer(
        voices=tuple(voices),
        pitches=tuple(_pitch(catalogue.split, rng) for _ in voices),
        seconds=seconds,
        catalogue=catalogue,
        kind=chosen,
    )
    turns = _turns(writer, rng)
    return Dialogue(
        seconds=seconds,
        people=people,
        kind=chosen,
        turns=tuple(sorted(turns, key=lambda turn: (turn.start, turn.person))),
        noises=tuple(_noises(writer, turns, rng)),
        voices=tuple(voice.name for voice in voices),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """What stays the same while a dialogue is written."""

    voices: tuple[Voice, ...]
    pitches: tuple[float, ...]  # what each voice is raised by
    seconds: float
    catalogue: Catalogue
    kind: Kind


def _pitch(split: Split, rng: np.random.Generator) -> float:
    is_changed = rng.random() < OTHER_PITCH_CHANCE
    factor = float(rng.uniform(*OTHER_PITCH))
    return factor if is_changed and split == "train" else 1.0


def _turns(writer: _Writer, rng: np.random.Generator) -> list[Turn]:
    people = len(writer.voices)
    if writer.kind in (Kind.SILENCE, Kind.SOUNDS):
        return []
    speaker = int(rng.integers(people))
    if writer.kind is Kind.SINGING:
        singer = draw_singer(rng, writer.voices[speaker].gender)
        song = sing(singer, writer.seconds, rng)
        return [Turn(person=speaker, start=0.0, speech=song, action="song")]
    quiet = int(rng.integers(people)) if writer.kind is Kind.ONE_LISTENS else None
    if speaker == quiet:
        speaker = (speaker + 1) % people
    topic = str(rng.choice(list(TOPIC_SHARES), p=list(TOPIC_SHARES.values())))
    turns: list[Turn] = []
    time = float(rng.uniform(*OPENING_SECONDS))
    while time < writer.seconds - 0.3:
        said = _turn(writer, speaker, time, topic, rng)
        end = said[-1].end
        turns += said
        for turn in _answers_meanwhile(writer, speaker, (time, end), rng):
            if turn.start > _free_from(turns, turn.person):
                turns.append(turn)
        following = _next_speaker(writer.kind, people, speaker, quiet, rng)
        wanted = max(end + _gap(writer.kind, following == speaker, rng), time + 0.5)
        time = max(wanted, _free_from(turns, following))
        speaker = following
    return turns


def _free_from(turns: Sequence[Turn], person: int) -> float:
    """Give the time from which a person can speak again: nobody talks over themselves."""
    return max((turn.end + 0.1 for turn in turns if turn.person == person), default=0.0)


def _turn(
    writer: _Writer, person: int, start: float, topic: str, rng: np.random.Generator
) -> list[Turn]:
    """Say one to three sentences, or laugh; the first sentence may be a reply."""
    if rng.random() < LAUGH_CHANCE:
        return [_laugh(writer, person, start, rng)]
    turns: list[Turn] = []
    count = int(rng.choice(SENTENCES[0], p=SENTENCES[1]))
    for index in range(count):
        is_reply = index == 0 and start > OPENING_SECONDS[1] and rng.random() < 0.4
        speech = _said(writer, person, "reply" if is_reply else topic, rng)
        turns.append(Turn(person=person, start=start, speech=speech, action="speech"))
        start = turns[-1].end + float(rng.uniform(*SENTENCE_PAUSE))
        if start > writer.seconds:
            break
    return turns


def _laugh(writer: _Writer, person: int, start: float, rng: np.random.Generator) -> Turn:
    singer = draw_singer(rng, writer.voices[person].gender)
    sound = laugh(singer, float(rng.uniform(0.9, 1.8)), rng)
    return Turn(person=person, start=start, speech=sound, action="laugh")


def _said(writer: _Writer, person: int, topic: str, rng: np.random.Generator) -> Speech:
    """Let a person say something of a topic; a line on which the voice fails is replaced."""
    voice = writer.voices[person]
    failures: list[str] = []
    for _ in range(TRIES):
        text = writer.catalogue.line(voice, topic, rng)
        speed = float(rng.choice([0.85, 0.92, 1.0, 1.0, 1.08, 1.18]))
        try:
            speech = writer.catalogue.speak(text, voice, speed)
        except SpeechError as error:
            failures.append(str(error))
            continue
        pitch = writer.pitches[person]
        return _trimmed(speech if pitch == 1 else change_pitch(speech, pitch))
    raise SpeechError(f"{voice.name} failed on {TRIES} lines, the last time: {failures[-1]}")


def _trimmed(speech: Speech) -> Speech:
    """Cut the silence around an utterance and bring it to the usual loudness."""
    spoken = [phone for phone in speech.phones if phone.symbol != SILENCE]
    if not spoken:
        raise SpeechError(f"{speech.voice} made no sound of {speech.text!r}")
    margin = 0.04
    start = max(spoken[0].start - margin, 0.0)
    first, last = (round(time * SAMPLE_RATE) for time in (start, spoken[-1].end + margin))
    return Speech(
        samples=faded(levelled(speech.samples[first:last])),
        phones=shifted(tuple(spoken), -first / SAMPLE_RATE),
        text=speech.text,
        voice=speech.voice,
        source=speech.source,
    )


def _answers_meanwhile(
    writer: _Writer, speaker: int, span: tuple[float, float], rng: np.random.Generator
) -> list[Turn]:
    """Let listeners say "mm hmm" during a long turn; recorded voices have no such lines."""
    turns: list[Turn] = []
    for person, voice in enumerate(writer.voices):
        is_short = span[1] - span[0] < 2.0
        if person == speaker or is_short or voice.texts is not None:
            continue
        if rng.random() < BACKCHANNEL_CHANCE:
            speech = _said(writer, person, "backchannel", rng)
            start = float(rng.uniform(span[0] + 1.0, span[1]))
            turns.append(Turn(person=person, start=start, speech=speech, action="backchannel"))
    return turns


def _next_speaker(
    kind: Kind, people: int, speaker: int, quiet: int | None, rng: np.random.Generator
) -> int:
    if people == 1 or kind is Kind.MONOLOGUE:
        return speaker
    others = [person for person in range(people) if person not in (speaker, quiet)]
    if quiet is not None and (not others or rng.random() < 0.08):
        return speaker if rng.random() < 0.8 else quiet
    return int(rng.choice(others)) if others and rng.random() < 0.92 else speaker


def _gap(kind: Kind, is_same_speaker: bool, rng: np.random.Generator) -> float:
    if rng.random() < LONG_PAUSE_CHANCE:
        return float(rng.uniform(*LONG_PAUSE))
    gap = float(rng.normal(*GAPS.get(kind, USUAL_GAP)))
    shortest = 0.15 if is_same_speaker else -1.2
    return max(gap, shortest)


def _noises(writer: _Writer, turns: Sequence[Turn], rng: np.random.Generator) -> list[Noise]:
    """Add breaths before turns, and noises: throughout in a clip of sounds, else rarely."""
    out: list[Noise] = []
    for turn in turns:
        seconds = float(rng.uniform(0.25, 0.5))
        start = turn.start - seconds - 0.05
        if turn.action == "speech" and start > 0 and rng.random() < BREATH_CHANCE:
            samples = breath_sound(seconds, rng)
            out.append(Noise(person=turn.person, start=start, name="breath", samples=samples))
    for person in range(len(writer.voices)):
        is_noisy = writer.kind is Kind.SOUNDS or (turns and rng.random() < STRAY_SOUND_CHANCE)
        if is_noisy:
            name = str(rng.choice(list(SOUNDS)))
            level = np.float32(rng.uniform(0.1, 1.0) if writer.kind is Kind.SOUNDS else 0.12)
            samples = SOUNDS[name](writer.seconds, rng) * level
            out.append(Noise(person=person, start=0.0, name=name, samples=samples))
    return out
