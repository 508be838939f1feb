from __future__ import annotations

import logging

import numpy as np
import pytest

from models.errors import InputError
from tests.training.studio.made_up import MadeUpSource, made_up_catalogue, tone
from training.studio.acting.dialogue import Kind, Role, write_dialogue
from training.studio.acting.performance import perform
from training.studio.acting.visemes import lip_opening
from training.studio.performance_data import SAMPLE_RATE, Performance, Phone
from training.studio.speech.alignment import Aligner
from training.studio.speech.catalogue import open_catalogue
from training.studio.speech.espeak import EspeakSource
from training.studio.speech.flite import FliteSource
from training.studio.speech.kokoro import KokoroSource
from training.studio.speech.loudness import frame_rms, pitch_hz
from training.studio.speech.phones import SILENCE, SYMBOLS
from training.studio.speech.piper import PiperSource
from training.studio.speech.recordings import RecordingSource
from training.studio.speech.sentence_templates import SLOTS, TOPICS
from training.studio.speech.voices import (
    Catalogue,
    MissingVoiceError,
    SpeechError,
    VoiceSource,
    open_sources,
)
from training.studio.speech.waveform import add_at, at_sample_rate, faded, levelled

SENTENCE = "Maybe Bob wants five big maps for my mother."


def test_training_and_test_voices_are_apart() -> None:
    train, test = made_up_catalogue("train"), made_up_catalogue("test")
    assert {voice.name for voice in train.voices} == {"made up/ann", "made up/carl"}
    assert {voice.name for voice in test.voices} == {"made up/bea"}
    assert train.listing() == {"made up 1": ["made up/ann", "made up/carl"]}


def test_a_source_that_is_not_installed_is_left_out_with_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def absent() -> VoiceSource:
        raise MissingVoiceError("nothing: pip install nothing")

    with caplog.at_level(logging.WARNING):
        sources = open_sources([absent, MadeUpSource])
    assert [source.name for source in sources] == ["made up"]
    assert [record.getMessage() for record in caplog.records] == [
        "left out of the voice catalogue: nothing: pip install nothing"
    ]


def test_a_catalogue_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no voice"):
        Catalogue([], "train")


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(InputError, match="gramophone"):
        open_catalogue("train", ["gramophone"])


def test_voices_are_drawn_by_gender_and_not_twice_while_there_are_others() -> None:
    catalogue, rng = made_up_catalogue(), np.random.default_rng(0)
    drawn = [catalogue.draw(rng, "male") for _ in range(5)]
    assert {voice.name for voice in drawn} == {"made up/carl"}
    first = catalogue.draw(rng, None)
    assert all(catalogue.draw(rng, None, [first]) != first for _ in range(10))


def test_speed_beyond_reason_is_refused() -> None:
    catalogue = made_up_catalogue()
    with pytest.raises(InputError, match=r"got 3\.0"):
        catalogue.speak("Hello.", catalogue.voices[0], 3.0)


def test_pitch_and_loudness_of_a_tone_are_found() -> None:
    samples = tone(1.0, 220)
    assert np.median(pitch_hz(samples, 25)) == pytest.approx(220, rel=0.02)
    assert frame_rms(samples, 25)[5:20] == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    assert not pitch_hz(np.zeros(16_000, np.float32), 25).any()


def test_sounds_are_placed_levelled_and_cut() -> None:
    track = np.zeros(100, np.float32)
    add_at(track, np.ones(80, np.float32), 50 / SAMPLE_RATE)
    add_at(track, np.ones(20, np.float32), -10 / SAMPLE_RATE)
    assert np.flatnonzero(track).tolist() == [*range(10), *range(50, 100)]
    assert np.sqrt(np.mean(levelled(tone(1.0)) ** 2)) == pytest.approx(0.08, rel=0.02)
    assert faded(np.ones(1000, np.float32))[[0, 500]].tolist() == [0, 1]
    assert len(at_sample_rate(tone(1.0), 24_000)) == pytest.approx(16_000 * 2 / 3, abs=1)


def boundaries(phones: tuple[Phone, ...]) -> list[float]:
    return [phone.start for phone in phones if phone.symbol != SILENCE]


def opened(source: type[VoiceSource]) -> VoiceSource:
    try:
        return source()
    except MissingVoiceError as missing:
        pytest.skip(str(missing))


@pytest.mark.studio
@pytest.mark.parametrize("kind", [EspeakSource, FliteSource, KokoroSource, PiperSource])
def test_a_synthesizer_says_the_same_bytes_twice_with_phones_to_the_end(
    kind: type[VoiceSource],
) -> None:
    source = opened(kind)
    first = source.speak(SENTENCE, source.voices[0], 1.0)
    source.speak("Something else in between.", source.voices[-1], 1.2)
    again = source.speak(SENTENCE, source.voices[0], 1.0)
    assert first.samples.tobytes() == again.samples.tobytes()
    assert first.phones == again.phones
    assert {phone.symbol for phone in first.phones} <= SYMBOLS
    assert sum(phone.symbol in "BMP" for phone in first.phones) >= 7
    assert first.phones[-1].end == pytest.approx(len(first.samples) / SAMPLE_RATE, abs=0.05)
    source.close()


@pytest.mark.studio
def test_all_espeak_voices_exist_and_speak() -> None:
    source = opened(EspeakSource)
    for voice in source.voices:
        spoken = source.speak("Papa, mama.", voice, 1.0)
        assert sum(phone.symbol in "PBM" for phone in spoken.phones) == 4


@pytest.mark.studio
def test_alignment_agrees_with_flites_own_times() -> None:
    source = opened(FliteSource)
    try:
        aligner = Aligner()
    except MissingVoiceError as missing:
        pytest.skip(str(missing))
    errors: list[float] = []
    for voice in source.voices:
        spoken = source.speak(SENTENCE, voice, 1.0)
        found, true = boundaries(aligner.align(spoken.samples, SENTENCE)), boundaries(spoken.phones)
        if len(found) == len(true):
            errors += np.abs(np.subtract(found, true)).tolist()
    assert len(errors) > 60
    assert np.median(errors) < 0.012
    assert np.mean(np.array(errors) < 0.04) > 0.93


@pytest.mark.studio
def test_the_aligner_knows_every_word_and_refuses_others() -> None:
    try:
        aligner = Aligner()
    except MissingVoiceError as missing:
        pytest.skip(str(missing))
    for text in TOPICS.values():
        for line in text.strip().splitlines():
            assert aligner.knows(" ".join(w for w in line.split() if "{" not in w)), line
    assert all(aligner.knows(word) for words in SLOTS.values() for word in words)
    with pytest.raises(SpeechError, match="dictionary"):
        aligner.align(tone(1.0), "xqzzy")


@pytest.mark.studio
def test_recordings_are_split_by_sentence() -> None:
    source = opened(RecordingSource)
    train, test = (set(voice.texts or ()) for voice in source.voices)
    assert len(train) > 100
    assert len(test) > 30
    assert not train & test
    with pytest.raises(SpeechError, match="no recording"):
        source.speak("What was never recorded.", source.voices[0], 1.0)


def correlation(people: list[Performance], lag: int) -> float:
    pairs = []
    for person in people:
        opening, level = lip_opening(person.curves), frame_rms(person.samples, person.frames)
        inside = slice(4, person.frames - 4)
        moved = slice(4 + lag, person.frames - 4 + lag)
        heard = person.is_speaking[inside]
        if heard.any():
            loud = level[inside][heard] / level[inside][heard].max()
            pairs.append((opening[moved][heard], loud))
    lips, levels = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return float(np.corrcoef(lips, levels)[0, 1])


@pytest.mark.studio
@pytest.mark.parametrize("name", ["espeak", "flite"])
def test_the_mouth_opens_when_the_voice_is_loud(name: str) -> None:
    try:
        catalogue = open_catalogue("train", [name])
    except MissingVoiceError as missing:
        pytest.skip(str(missing))
    people: list[Performance] = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        dialogue = write_dialogue([Role()], 8.0, rng, catalogue, Kind.MONOLOGUE)
        people += perform(dialogue, [Seat()], rng)
    by_lag = {lag: correlation(people, lag) for lag in range(-4, 5)}
    assert max(by_lag, key=by_lag.__getitem__) in (-1, 0, 1)
    assert max(by_lag.values()) > 0.25


class Seat:
    eyes_m = (0.0, 0.0, -1.0)
    yaw_rad = 0.0
