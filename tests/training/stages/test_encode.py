from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.errors import InputError
from training.cli import app
from training.stages.audio.shipped import write_encoder
from training.stages.dit.smoke import doll_encoders
from training.stages.latents.encoded import clip_files, read_clip, read_film
from training.stages.multi.smoke import doll_pair
from training.stages.vae.shipped import write_vae
from training.studio.shards.archive import ShardWriter
from training.studio.shards.coding import encode_video, encode_voice
from training.studio.shards.record import FORMAT, pack_arrays


def test_dolls_are_encoded_with_all_that_a_transformer_learns_from(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["encode", "--smoke", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    files = clip_files(tmp_path / "dolls")
    assert len(files) > len(clip_files(tmp_path / "held-out-dolls")) > 4
    clips = [read_clip(file) for file in files]
    assert {clip.people for clip in clips} == {1}
    assert all(clip.features.shape[1] == 4 * clip.frames for clip in clips)
    latents = np.concatenate([clip.latents.astype(np.float32) for clip in clips])
    assert np.allclose(latents.mean((0, 2, 3)), 0, atol=0.5)
    assert np.allclose(latents.std((0, 2, 3)), 1, atol=0.5), "latents come scaled"
    assert min(clip.motion[0, :, 52].astype(np.float32).std() for clip in clips) > 0.05


def test_what_is_to_be_encoded_must_be_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["encode", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "--clips, --vae and --audio" in result.output


def test_people_are_apart_only_in_cells(tmp_path: Path) -> None:
    for name in ("clips", "vae", "audio"):
        (tmp_path / name).touch()
    named = [x for n in ("clips", "vae", "audio") for x in (f"--{n}", str(tmp_path / n))]
    result = CliRunner().invoke(app, ["encode", "--out", str(tmp_path), "--apart", *named])
    assert result.exit_code == 1
    assert "are for --cell" in result.output


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of two dolls each in a shard, and the dolls' encoders beside it."""
    folder = tmp_path_factory.mktemp("pairs")
    with ShardWriter(folder / "shard-00000.tar") as shard:
        for number in range(2):
            pair = doll_pair(10 * number)
            described = {
                "format": FORMAT,
                "frames": len(pair.video),
                "people": [{}, {}],
                "prompt": {"text": pair.prompt, "segments": []},
            }
            files = {
                "json": json.dumps(described).encode(),
                "mp4": encode_video(pair.video),
                "npz": pack_arrays(pair.labels),
            }
            voices = {
                f"voice{person}.flac": encode_voice(voice)
                for person, voice in enumerate(pair.voices)
            }
            shard.add(f"{number:07}", files | voices)
    encoders = doll_encoders()
    write_vae(folder / "vae.safetensors", encoders.vae, {})
    write_encoder(folder / "audio.safetensors", encoders.audio, {})
    return folder


def encode(pairs: Path, out: Path, *options: str) -> list[Path]:
    weights = ["--vae", str(pairs / "vae.safetensors"), "--audio", str(pairs / "audio.safetensors")]
    command = ["encode", "--clips", str(pairs), "--out", str(out), *weights, *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return clip_files(out)


def test_people_who_are_apart_are_each_a_clip_with_their_own_voice(
    pairs: Path, tmp_path: Path
) -> None:
    cells = ("--cell", "64", "--jitter", "0")
    (together, _), apart = (
        encode(pairs, tmp_path / "together", *cells),
        encode(pairs, tmp_path / "apart", *cells, "--apart"),
    )
    names = ["0000000_0", "0000000_1", "0000001_0", "0000001_1"]
    assert [path.stem for path in apart] == names
    both, each = read_clip(together), [read_clip(path) for path in apart[:2]]
    assert both.people == 2
    for person, clip in enumerate(each):
        assert clip.people == 1
        np.testing.assert_array_equal(clip.motion[0], both.motion[person])
        np.testing.assert_array_equal(clip.features[0], both.features[person])
        cell = both.latents[..., 4 * person : 4 * person + 4]
        np.testing.assert_allclose(clip.latents, cell, atol=2e-3)
    assert not np.array_equal(each[0].motion, each[1].motion)


def test_films_are_the_pictures_that_latents_are_of(pairs: Path, tmp_path: Path) -> None:
    options = ("--cell", "64", "--apart", "--film")
    files = encode(pairs, tmp_path, *options)
    clip = read_clip(files[1])
    film = read_film(files[1], 0, 4 * clip.frames)
    assert film.shape == (4 * clip.frames, 64, 64, 3)
    np.testing.assert_array_equal(film[clip.still_frames], clip.pictures)
    with pytest.raises(InputError, match="encode it anew"):
        read_film(files[1], 4 * clip.frames - 2, 4)


def test_a_film_can_be_had_of_clips_that_were_encoded_without(pairs: Path, tmp_path: Path) -> None:
    options = ("--cell", "64", "--apart")
    file = encode(pairs, tmp_path, *options)[0]
    with pytest.raises(InputError, match="encode --film"):
        read_film(file, 0, 4)
    before = file.stat().st_mtime_ns
    encode(pairs, tmp_path, *options, "--film")
    assert file.stat().st_mtime_ns == before, "what is there stays"
    clip = read_clip(file)
    np.testing.assert_array_equal(read_film(file, 0, 40)[clip.still_frames], clip.pictures)


def test_whole_pictures_have_no_film(pairs: Path, tmp_path: Path) -> None:
    weights = ["--vae", str(pairs / "vae.safetensors"), "--audio", str(pairs / "audio.safetensors")]
    command = ["encode", "--clips", str(pairs), "--out", str(tmp_path), *weights, "--film"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "--cell" in result.output
