from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engines.architectures.wan import REQUIRED
from export.errors import RequestError
from export.recipes import recipe
from export.request import ExportRequest, Target, parse_size
from export.running import run_export
from export.wan_facts import find_tokenizer, wan_facts
from export.wan_recipes import CLIP_FRAMES, TOKENIZER_FILE
from export.weights import Weights


def request(weights: Weights) -> ExportRequest:
    return ExportRequest(
        preset="multitalk-14b",
        weights=weights,
        target=Target.TORCH,
        precision="bf16",
        out=Path("unused"),
        sizes=(parse_size("832x480x2"),),
        roles=frozenset(),
        gpus=(),
        parity_chunks=1,
        schedules=((1000.0,),),
    )


@pytest.mark.parametrize("name", ["anytalker-1.3b", "multitalk-14b"])
def test_a_published_preset_has_every_role_that_a_room_needs(name: str) -> None:
    roles = frozenset[str]().union(*(piece.roles for piece in recipe(name).pieces))
    assert set(REQUIRED) <= roles
    assert ("face_encoder" in roles) == (name == "anytalker-1.3b")


def test_without_voices_there_is_nothing_to_tell_a_room() -> None:
    plain = recipe("wan-t2v-1.3b")
    assert not {"audio_encoder", "vae_encoder", "image_encoder"} & set[str]().union(
        *(piece.roles for piece in plain.pieces)
    )
    assert wan_facts(plain, request(Weights(directory=None, seed=1)), "").wan is None


def test_positions_end_with_the_training_clip() -> None:
    facts = wan_facts(recipe("multitalk-14b"), request(Weights(directory=None, seed=1)), "card")
    assert facts.rotation.most_positions == CLIP_FRAMES == 21
    assert facts.wan is not None
    assert (facts.wan.clip_frames, facts.wan.audio_past_frames) == (21, 100)
    assert facts.look_ahead_samples == 1280
    assert facts.tokenizer == "bytes"  # random weights have no other


def test_the_tokenizer_is_found_where_the_base_was_downloaded_to(tmp_path: Path) -> None:
    preset = recipe("multitalk-14b")
    for base in (tmp_path, tmp_path / "Wan2.1-I2V-14B-480P"):
        file = base / TOKENIZER_FILE
        file.parent.mkdir(parents=True)
        file.write_bytes(b"x")
        assert find_tokenizer(preset, tmp_path) == file
    facts = wan_facts(preset, request(Weights(directory=tmp_path, seed=None)), "card")
    assert facts.tokenizer == "sentencepiece"
    assert facts.tokenizer_file == file


def test_an_export_without_the_tokenizer_stops_before_it_begins(tmp_path: Path) -> None:
    asked = replace(request(Weights(directory=tmp_path, seed=None)), out=tmp_path / "out")
    with pytest.raises(RequestError, match=r"spiece\.model.*comes with the text encoder"):
        run_export(recipe("multitalk-14b"), asked, lambda _line: None)
    assert not asked.out.exists()
