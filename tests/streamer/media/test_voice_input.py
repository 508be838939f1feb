from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streamer.media.level import DcRemoval, LevelConfig, LevelControl
from streamer.media.types import SAMPLE_RATE, Samples
from streamer.media.vad import VoiceActivity, level_db
from streamer.media.voice_input import VoiceChange, VoiceInput, to_mono
from tests.streamer.fuzzing import budget
from tests.streamer.media.simulated_link import speech_like

OFF = LevelConfig(is_on=False)


def voice_16k(seconds: float, level: float = 1.0) -> Samples:
    return level * speech_like(seconds)[::3]


def noise(seconds: float, db: float) -> Samples:
    rng = np.random.default_rng(2)
    return rng.normal(0, 10 ** (db / 20), round(seconds * SAMPLE_RATE)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_pcm_becomes_the_same_voice_at_16_khz(rate: int, channels: int) -> None:
    def tone(at: int) -> Samples:
        return (0.3 * np.sin(2 * np.pi * 440 * np.arange(at) / at)).astype(np.float32)

    pcm = np.round(tone(rate) * 32767).astype(np.int16)
    wide = pcm if channels == 1 else np.stack([pcm, pcm], axis=1)
    chain = VoiceInput(rate, OFF)
    made = np.concatenate([chain.push(block).samples for block in np.array_split(wide, 50)])
    assert len(made) >= 0.99 * SAMPLE_RATE
    assert np.abs(made - tone(SAMPLE_RATE)[: len(made)])[500:].max() < 0.02
    assert chain.delay < 0.003


def test_speech_is_reported_at_its_beginning_and_after_its_end() -> None:
    sound = np.concatenate([noise(1.0, -65), voice_16k(2.0), noise(1.5, -65)])
    chain = VoiceInput(16000)
    events = [e for block in np.array_split(sound, 225) for e in chain.push(block).events]
    assert [e.change for e in events] == [VoiceChange.SPEECH_STARTED, VoiceChange.SPEECH_STOPPED]
    assert events[0].position == pytest.approx(1.0 * SAMPLE_RATE, abs=0.12 * SAMPLE_RATE)
    assert events[1].position == pytest.approx(3.3 * SAMPLE_RATE, abs=0.12 * SAMPLE_RATE)


@pytest.mark.parametrize("db", [-70, -50, -35])
def test_steady_noise_is_nobody_speaking(db: float) -> None:
    activity = VoiceActivity()
    activity.process(noise(3.0, db))
    assert activity.process(noise(10.0, db)) == []
    assert not activity.is_speech


def test_speech_is_heard_over_the_noise_of_a_room() -> None:
    activity = VoiceActivity()
    activity.process(noise(4.0, -45))
    activity.process(voice_16k(1.0) + noise(1.0, -45))
    assert activity.is_speech


@pytest.mark.parametrize("level", [0.4, 1.0, 3.0])
def test_speech_of_any_loudness_comes_to_one_level(level: float) -> None:
    chain = VoiceInput(16000)
    made = [chain.push(b).samples for b in np.array_split(voice_16k(12.0, level), 600)]
    assert level_db(np.concatenate(made[400:])) == pytest.approx(-23, abs=3)  # with its pauses
    assert np.abs(np.concatenate(made)).max() <= 1


def test_noise_between_sentences_is_never_pumped_up() -> None:
    control = LevelControl()
    activity = VoiceActivity()
    quiet = np.concatenate([voice_16k(5.0, 0.2) + noise(5.0, -62), noise(20.0, -62)])
    made = []
    for block in np.array_split(quiet, 2500):
        activity.process(block)
        made.append(control.process(block, activity.is_speech, activity.floor_db))
    after = np.array([level_db(block) for block in made[600:]])
    assert after.max() - after.min() < 4  # what a block of noise varies by itself
    assert after.max() < -45
    assert control.gain_db <= control.config.most_gain_db


def test_gain_moves_slowly_and_within_its_limits() -> None:
    control = LevelControl()
    before = 0.0
    for block in np.array_split(voice_16k(10.0, 0.01), 500):
        control.process(block, is_speech=True, floor_db=-90)
        assert 0 <= control.gain_db - before <= 4.0 * 0.02 + 1e-6
        before = control.gain_db
    assert control.gain_db == pytest.approx(18)


def test_direct_current_is_taken_away_without_a_step() -> None:
    dc = DcRemoval()
    made = np.concatenate([dc.process(np.full(320, 0.2, np.float32)) for _ in range(250)])
    assert abs(made[-1]) < 1e-3
    assert np.abs(np.diff(made)).max() < 1e-3


@budget(60)
@given(
    pcm=st.one_of(
        hnp.arrays(np.float32, st.integers(0, 700), elements=st.floats(width=32)),
        hnp.arrays(np.int16, st.tuples(st.integers(0, 300), st.integers(1, 3))),
    ),
    rate=st.integers(8000, 48000),
)
def test_no_pcm_whatever_gives_anything_but_a_voice(pcm: np.ndarray, rate: int) -> None:
    chain = VoiceInput(rate)
    for _ in range(3):
        made = chain.push(pcm).samples
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert np.abs(made).max(initial=0) <= 1


def test_what_is_no_pcm_is_refused() -> None:
    with pytest.raises(ValueError, match="int16 or float"):
        to_mono(np.zeros(3, np.int32))
    with pytest.raises(ValueError, match=r"\[n, channels\]"):
        to_mono(np.zeros((3, 9), np.float32))
    with pytest.raises(ValueError, match="8000 to 48000"):
        VoiceInput(96000)
    with pytest.raises(ValueError, match="0 dB"):
        LevelConfig(most_gain_db=-1)
