from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.media.jitter import RtpAudio
from streamer.media.level import LevelConfig
from streamer.media.live_voice import LiveVoice
from streamer.media.opus import MOST_PAYLOAD_BYTES, OpusDecoder, OpusEncoder
from streamer.media.voice_input import VoiceChange, VoiceEvent
from tests.streamer.fuzzing import budget
from tests.streamer.media.simulated_link import PACKET, speech_like

OFF = LevelConfig(is_on=False)


def packets_of(seconds: float) -> tuple[np.ndarray, list[RtpAudio]]:
    signal = speech_like(seconds)
    payloads = OpusEncoder().encode(signal[: len(signal) // PACKET * PACKET])
    return signal, [RtpAudio(n, n * PACKET, 7, p) for n, p in enumerate(payloads)]


def test_opus_gives_back_what_went_in() -> None:
    signal, packets = packets_of(1.0)
    decoder = OpusDecoder()
    heard = np.concatenate([decoder.decode(packet.payload) for packet in packets])
    assert len(heard) == len(packets) * PACKET
    match = np.correlate(heard[9000:20000], signal[8000:18000], "valid")
    scale = np.linalg.norm(signal[8000:18000]) * np.linalg.norm(heard[9000:19000])
    assert match.max() > 0.5 * scale
    assert decoder.failed == 0


@budget(50)
@given(st.lists(st.binary(max_size=MOST_PAYLOAD_BYTES + 1), max_size=10))
def test_what_is_no_opus_does_no_harm(payloads: list[bytes]) -> None:
    _, packets = packets_of(0.1)
    decoder = OpusDecoder()
    for payload in [b"", *payloads]:
        assert np.isfinite(decoder.decode(payload)).all()
    assert len(decoder.decode(packets[0].payload)) == PACKET


def test_only_whole_packets_are_encoded() -> None:
    with pytest.raises(ValueError, match="multiple of 960"):
        OpusEncoder().encode(np.zeros(100, np.float32))


def test_stalls_and_returns_are_told_once() -> None:
    _, packets = packets_of(3.0)
    voice = LiveVoice(0.0, level=OFF)
    events: list[VoiceEvent] = []
    for n in range(300):
        now = n * 0.02
        number = n if n < 75 else n - 100  # nothing between 1.5 and 3.5 s
        if n < 75 or 75 <= number < 150:
            late = packets[number]
            voice.add(late._replace(timestamp=n * PACKET), now)
        events += voice.read(now).events
    told = [e.change for e in events if e.change in (VoiceChange.STALLED, VoiceChange.RETURNED)]
    assert told == [VoiceChange.RETURNED, VoiceChange.STALLED, VoiceChange.RETURNED] or told == [
        VoiceChange.RETURNED,
        VoiceChange.STALLED,
        VoiceChange.RETURNED,
        VoiceChange.STALLED,
    ]
    assert voice.jitter.counts.lost == 0


def test_a_voice_comes_through_the_whole_chain_at_its_own_pace() -> None:
    signal, packets = packets_of(4.0)
    voice = LiveVoice(0.0, level=OFF)
    made = []
    for n in range(200):
        now = (n + 1) * 0.02
        voice.add(packets[n], now)
        made.append(voice.read(now).samples)
    heard = np.concatenate(made)
    assert len(heard) == pytest.approx(64000, abs=40)
    said = signal[::3]
    piece = heard[48000:56000]
    scores = np.correlate(said[40000:56000], piece, "valid")
    late = (8000 - int(np.argmax(scores))) / 16000
    # One packet, the least delay and its tolerance, the codec's 6.5 ms, the resampler's 1 ms.
    assert 0.02 <= late < 0.06
    piece_said = said[40000 + int(np.argmax(scores)) :][:8000]
    assert np.corrcoef(piece, piece_said)[0, 1] > 0.7
