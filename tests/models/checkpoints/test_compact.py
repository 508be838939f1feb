from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from models.checkpoints.compact import SCALE, pack, read_tensors, unpack
from training.cli import app


def tensors() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    loud = torch.randn(64, 16, 3, 3, generator=rng)
    loud[0] *= 100  # one row far above the others costs the others nothing
    return {
        "loud": loud,
        "silent": torch.zeros(64, 64),
        "vector": torch.randn(5000, generator=rng),
        "small": torch.randn(8, 8, generator=rng),
        "count": torch.tensor(3),
    }


def test_rows_are_rounded_to_their_own_127_steps() -> None:
    exact = tensors()
    packed = pack(exact)
    assert packed["loud"].dtype == torch.int8
    assert packed["loud" + SCALE].shape == (64,)
    found = unpack(packed)
    assert found.keys() == exact.keys()
    step = exact["loud"].flatten(1).abs().amax(1) / 127
    error = (found["loud"] - exact["loud"]).flatten(1).abs().amax(1)
    of_16_bits = exact["loud"].flatten(1).abs().amax(1) * 2**-10
    assert bool((error <= step / 2 + of_16_bits).all())
    assert torch.equal(found["loud"], found["loud"].half().float()), "a bundle stores it exactly"
    assert error.max() > 0
    assert torch.equal(found["silent"], exact["silent"])
    assert found["count"] == 3
    assert found["count"].dtype == torch.int64


def test_vectors_and_small_matrices_keep_16_bits() -> None:
    exact = tensors()
    found = unpack(pack(exact))
    for name in ("vector", "small"):
        assert torch.equal(found[name], exact[name].half().float())


def test_packing_again_changes_nothing() -> None:
    once = unpack(pack(tensors()))
    twice = unpack(pack(once))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_the_command_halves_a_file_that_every_reader_reads(tmp_path: Path) -> None:
    plain, small = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    exact = {"w": torch.randn(256, 256, generator=torch.Generator().manual_seed(1))}
    save_file({"w": exact["w"].half()}, plain)
    plain.with_suffix(".json").write_text("{}")
    result = CliRunner().invoke(app, ["compact", str(plain), "--out", str(small)])
    assert result.exit_code == 0, result.output
    assert small.stat().st_size < 0.55 * plain.stat().st_size
    assert small.with_suffix(".json").read_text() == "{}"
    difference = read_tensors(small)["w"] - read_tensors(plain)["w"]
    assert 0 < difference.norm() / exact["w"].norm() < 0.01


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"x" * 100)
    out = str(tmp_path / "b.safetensors")
    result = CliRunner().invoke(app, ["compact", str(tmp_path / "a.safetensors"), "--out", out])
    assert result.exit_code == 2
    assert "cannot read" in result.output
