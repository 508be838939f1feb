from __future__ import annotations

import numpy as np
import pytest

from models.errors import InputError
from tests.training.studio.made_up import phones_of, tone
from training.studio.performance_data import SAMPLE_RATE, Speech
from training.studio.speech.augmentation import (
    Chances,
    add_noise,
    augment,
    change_pitch,
    change_speed,
    change_tempo,
    equalize,
    opus,
    reverb,
    telephone,
    usual_chances,
)
from training.studio.speech.loudness import pitch_hz
from training.studio.speech.noise import SOUNDS, colored_noise
from training.studio.speech.singing import draw_singer, laugh, sing

SECONDS = 2.0


def burst() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A tone from 0.8 s to 1.2 s: where it begins says whether timing was kept."""
    samples = np.zeros(round(SECONDS * SAMPLE_RATE), np.float32)
    samples[12_800:19_200] = tone(0.4, 500)
    return samples


def onset(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    level = np.abs(samples)
    return float(np.argmax(level > 0.3 * level.max())) / SAMPLE_RATE


def speech() -> Speech:
    return Speech(
        samples=tone(SECONDS, 150), phones=phones_of("AA", "M"), text="", voice="v", source="s"
    )


@pytest.mark.parametrize("bits_per_second", [6000, 16_000])
def test_opus_keeps_length_and_timing(bits_per_second: int) -> None:
    heard = opus(burst(), bits_per_second)
    assert len(heard) == len(burst())
    assert onset(heard) == pytest.approx(0.8, abs=0.012)
    assert not np.allclose(heard, burst(), atol=0.01)


def test_rooms_microphones_and_telephones_keep_length_and_timing() -> None:
    rng = np.random.default_rng(0)
    for heard in (reverb(burst(), 0.5, rng), equalize(burst(), rng), telephone(burst())):
        assert len(heard) == len(burst())
        assert heard.dtype == np.float32
        assert onset(heard) == pytest.approx(0.8, abs=0.01)


def test_a_telephone_drops_what_is_high() -> None:
    assert np.std(telephone(tone(1.0, 6000))) < 0.02
    assert np.std(telephone(tone(1.0, 1000))) > 0.15


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
def test_noise_is_added_at_the_ratio_asked_for(snr_db: float) -> None:
    noise = colored_noise(0.5, np.random.default_rng(0))  # repeated to length
    added = add_noise(tone(SECONDS), noise, snr_db) - tone(SECONDS)
    ratio = 20 * np.log10(np.std(tone(SECONDS)) / np.std(added))
    assert ratio == pytest.approx(snr_db, abs=0.5)


def test_everything_at_once_keeps_length_and_range_and_follows_the_seed() -> None:
    every = Chances(noise=1, reverb=1, equalizer=1, telephone=1, opus=1, gain=1)
    first, again = (augment(burst(), np.random.default_rng(4), every) for _ in range(2))
    assert first.shape == burst().shape
    assert np.abs(first).max() <= 1
    assert first.tobytes() == again.tobytes()


def test_chances_outside_0_and_1_are_refused() -> None:
    with pytest.raises(InputError, match="reverb"):
        Chances(noise=0, reverb=1.5, equalizer=0, telephone=0, opus=0, gain=0)
    assert usual_chances().noise > 0


def test_speed_moves_labels_and_pitch() -> None:
    fast = change_speed(speech(), 1.25)
    assert len(fast.samples) == pytest.approx(SECONDS * SAMPLE_RATE / 1.25, abs=1)
    assert fast.phones[1].end == pytest.approx(speech().phones[1].end / 1.25)
    assert np.median(pitch_hz(fast.samples, 30)) == pytest.approx(150 * 1.25, rel=0.03)


def test_tempo_moves_labels_and_keeps_pitch() -> None:
    slow = change_tempo(speech(), 0.8)
    assert len(slow.samples) == pytest.approx(SECONDS * SAMPLE_RATE / 0.8, abs=1)
    assert slow.phones[1].end == pytest.approx(speech().phones[1].end / 0.8)
    assert np.median(pitch_hz(slow.samples, 50)) == pytest.approx(150, rel=0.05)


def test_pitch_moves_no_label() -> None:
    high = change_pitch(speech(), 1.2)
    assert len(high.samples) == len(speech().samples)
    assert high.phones == speech().phones
    assert np.median(pitch_hz(high.samples, 40)) == pytest.approx(180, rel=0.05)


def test_too_strange_a_voice_is_refused() -> None:
    with pytest.raises(InputError, match=r"2\.0"):
        change_pitch(speech(), 2.0)


@pytest.mark.parametrize("name", sorted(SOUNDS))
def test_noises_have_the_length_asked_for_and_do_not_clip(name: str) -> None:
    samples = SOUNDS[name](3.0, np.random.default_rng(1))
    assert samples.shape == (3 * SAMPLE_RATE,)
    assert samples.dtype == np.float32
    assert 0.001 < np.abs(samples).max() <= 1


def test_songs_are_sung_at_their_pitch_with_phones_where_they_sound() -> None:
    singer = draw_singer(np.random.default_rng(3), "male")
    song = sing(singer, 6.0, np.random.default_rng(3))
    frames = 6 * 25
    voiced = pitch_hz(song.samples, frames) > 0
    inside = np.zeros(frames, np.bool_)
    for phone in song.phones:
        inside[int(phone.start * 25) + 1 : int(phone.end * 25) - 1] = True
    assert voiced[inside].mean() > 0.85
    assert voiced[~inside].mean() < voiced[inside].mean()


def test_a_laugh_is_a_row_of_breaths_and_vowels() -> None:
    sound = laugh(draw_singer(np.random.default_rng(0), "female"), 1.5, np.random.default_rng(0))
    assert {phone.symbol for phone in sound.phones} == {"HH", "AH"}
    assert 5 <= len(sound.phones) <= 20
