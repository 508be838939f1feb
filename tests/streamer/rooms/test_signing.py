from __future__ import annotations

from pathlib import Path

import pytest

from streamer.errors import SettingsError
from streamer.rooms import signing
from streamer.rooms.recordings import Recordings
from streamer.rooms.signing import C2paSigner
from tests.streamer.rooms.certificates import key_and_chain
from tests.streamer.rooms.test_recordings import ROOM, SIZE, flash

needs_c2pa = pytest.mark.skipif(not signing.IS_INSTALLED, reason="the extra `signing` is missing")


@needs_c2pa
def test_a_recording_says_that_a_machine_made_it_and_notices_a_changed_byte(
    tmp_path: Path,
) -> None:
    c2pa = pytest.importorskip("c2pa")
    chain, key = key_and_chain(tmp_path)
    recordings = Recordings(tmp_path / "recordings", 1 << 30, C2paSigner(chain, key))
    recorder = recordings.begin(ROOM, SIZE)
    for index in range(60):
        recorder.write(*flash(index))
    recorder.finish()
    path = recordings.path(ROOM)
    with c2pa.Reader(path) as reader:
        said = reader.json()
    assert "trainedAlgorithmicMedia" in said
    assert "dataHash.mismatch" not in said
    assert "bmffHash.mismatch" not in said
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0xFF
    path.write_bytes(data)
    with c2pa.Reader(path) as reader:
        assert "bmffHash.mismatch" in reader.json()


@needs_c2pa
def test_a_key_that_does_not_fit_stops_the_server_at_its_start(tmp_path: Path) -> None:
    chain, key = key_and_chain(tmp_path)
    key.write_text("-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n")
    with pytest.raises(SettingsError, match="cannot be used with es256"):
        C2paSigner(chain, key)


@needs_c2pa
def test_a_missing_key_stops_the_server_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the signing key"):
        C2paSigner(tmp_path / "chain.pem", tmp_path / "key.pem")


def test_without_the_library_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "IS_INSTALLED", False)
    with pytest.raises(SettingsError, match="install the extra `signing`"):
        C2paSigner(tmp_path / "chain.pem", tmp_path / "key.pem")
