from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.checkpoints.errors import LoraError
from models.checkpoints.loading import load_network
from models.checkpoints.lora import Lora
from models.errors import ConfigError
from tests.models.checkpoints import layouts
from tests.models.checkpoints.layouts import FLOAT32

Q = "blocks.1.self_attn.q"
RANK = 3


@pytest.fixture
def state(tmp_path: Path) -> dict[str, Tensor]:
    state = layouts.wan_state(2)
    save_file(state, tmp_path / "weights")
    return state


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def merged(root: Path, *loras: Lora) -> dict[str, Tensor]:
    network = load_network(layouts.wan_network(), root, FLOAT32, loras)
    return dict(network.state_dict())


def unchanged(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in before.items() if torch.equal(tensor, after[name])}


@pytest.mark.parametrize(
    "prefix", ["", "diffusion_model.", "transformer.", "model.", "base_model.model."]
)
@pytest.mark.parametrize(("down", "up"), [("lora_A", "lora_B"), ("lora_down", "lora_up")])
@pytest.mark.parametrize("alpha", [None, 1.5])
def test_a_low_rank_change_is_merged_exactly(
    tmp_path: Path, state: dict[str, Tensor], prefix: str, down: str, up: str, alpha: float | None
) -> None:
    a, b = noise(RANK, 32, seed=1), noise(32, RANK, seed=2)
    lora = {f"{prefix}{Q}.{down}.weight": a, f"{prefix}{Q}.{up}.weight": b}
    if alpha is not None:
        lora[f"{prefix}{Q}.alpha"] = torch.tensor(alpha)
    save_file(lora, tmp_path / "lora.safetensors")
    after = merged(tmp_path, Lora(path=tmp_path / "lora.safetensors", strength=0.7))
    scale = 0.7 * (1 if alpha is None else alpha / RANK)
    expected = state[f"{Q}.weight"].double() + scale * b.double() @ a.double()
    torch.testing.assert_close(after[f"{Q}.weight"].double(), expected, rtol=1e-6, atol=1e-6)
    assert unchanged(state, after) == state.keys() - {f"{Q}.weight"}


def test_whole_changes_reach_weights_biases_norms_and_modulations(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    changes = {
        "diffusion_model.blocks.0.norm3.diff": ("blocks.0.norm3.weight", (32,)),
        "diffusion_model.blocks.0.norm3.diff_b": ("blocks.0.norm3.bias", (32,)),
        "diffusion_model.blocks.0.self_attn.norm_q.diff": (
            "blocks.0.self_attn.norm_q.weight",
            (32,),
        ),
        "diffusion_model.blocks.1.diff_m": ("blocks.1.modulation", (6, 32)),
        "diffusion_model.head.modulation.diff": ("head.modulation", (1, 2, 32)),
        "diffusion_model.head.head.diff_b": ("head.head.bias", (64,)),
        "diffusion_model.patch_embedding.diff": ("patch_embedding.weight", (32, 36, 1, 2, 2)),
    }
    deltas = {n: noise(*shape, seed=i) for i, (n, (_, shape)) in enumerate(changes.items())}
    save_file(deltas, tmp_path / "lora")
    after = merged(tmp_path, Lora(path=tmp_path / "lora", strength=-2.0))
    for name, (target, _) in changes.items():
        expected = state[target] - 2 * deltas[name].reshape(state[target].shape)
        torch.testing.assert_close(after[target], expected, rtol=1e-6, atol=1e-6)
    assert unchanged(state, after) == state.keys() - {target for target, _ in changes.values()}


def test_a_convolution_takes_a_low_rank_change(tmp_path: Path, state: dict[str, Tensor]) -> None:
    a, b = noise(RANK, 36, 1, 2, 2, seed=1), noise(32, RANK, 1, 1, 1, seed=2)
    lora = {"patch_embedding.lora_down.weight": a, "patch_embedding.lora_up.weight": b}
    save_file(lora, tmp_path / "lora")
    after = merged(tmp_path, Lora(path=tmp_path / "lora"))
    delta = torch.einsum("or,rithw->oithw", b.flatten(1), a)
    expected = state["patch_embedding.weight"] + delta
    torch.testing.assert_close(after["patch_embedding.weight"], expected, rtol=1e-5, atol=1e-5)


def test_several_loras_add_up(tmp_path: Path, state: dict[str, Tensor]) -> None:
    loras = []
    expected = state[f"{Q}.weight"].clone()
    for number, strength in enumerate((1.0, 0.5)):
        a, b = noise(RANK, 32, seed=number), noise(32, RANK, seed=number + 10)
        path = tmp_path / f"{number}.safetensors"
        save_file({f"{Q}.lora_A.weight": a, f"{Q}.lora_B.weight": b}, path)
        loras.append(Lora(path=path, strength=strength))
        expected += strength * b @ a
    after = merged(tmp_path, *loras)
    torch.testing.assert_close(after[f"{Q}.weight"], expected, rtol=1e-5, atol=1e-5)


def test_a_merge_is_rounded_once_at_its_end(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "lora"
    delta = noise(64, seed=1) * 1e-3
    save_file({"head.head.diff_b": delta.to(torch.bfloat16)}, path)
    placement = replace(FLOAT32, dtype=torch.bfloat16)
    loras = [Lora(path=path)] * 3
    bias = load_network(layouts.wan_network(), tmp_path, placement, loras).head.head.bias
    exact = state["head.head.bias"] + 3 * delta.to(torch.bfloat16).float()
    assert torch.equal(bias, exact.to(torch.bfloat16))


def test_a_lora_of_strength_zero_changes_nothing(tmp_path: Path, state: dict[str, Tensor]) -> None:
    save_file({"head.head.diff_b": noise(64, seed=1)}, tmp_path / "lora")
    after = merged(tmp_path, Lora(path=tmp_path / "lora", strength=0.0))
    assert unchanged(state, after) == state.keys()


@pytest.mark.usefixtures("state")
def test_every_tensor_that_fits_nothing_is_listed(tmp_path: Path) -> None:
    stray = ["diffusion_model.blocks.9.norm3.diff", "lora_unet_blocks_0.lora_down.weight", "note"]
    lora = {name: torch.zeros(32) for name in stray} | {"blocks.0.norm3.diff": torch.zeros(32)}
    save_file(lora, tmp_path / "lora")
    with pytest.raises(LoraError, match="3 fit no tensor") as raised:
        merged(tmp_path, Lora(path=tmp_path / "lora"))
    assert sorted(raised.value.unmatched) == sorted(stray)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("half", ["lora_A.weight", "lora_B.weight", "alpha"])
def test_half_a_pair_is_an_error(tmp_path: Path, half: str) -> None:
    save_file({f"{Q}.{half}": torch.zeros(RANK, 32)}, tmp_path / "lora")
    with pytest.raises(LoraError, match="other half") as raised:
        merged(tmp_path, Lora(path=tmp_path / "lora"))
    assert raised.value.unpaired == (f"{Q}.{half}",)


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("a", "b"), [((3, 16), (32, 3)), ((3, 32), (16, 3)), ((3, 32), (32, 2)), ((32,), (32, 3))]
)
def test_a_pair_of_another_shape_is_an_error(
    tmp_path: Path, a: tuple[int, ...], b: tuple[int, ...]
) -> None:
    lora = {f"{Q}.lora_A.weight": torch.zeros(a), f"{Q}.lora_B.weight": torch.zeros(b)}
    save_file(lora, tmp_path / "lora")
    with pytest.raises(LoraError, match=r"for \[32, 32\]") as raised:
        merged(tmp_path, Lora(path=tmp_path / "lora"))
    assert len(raised.value.misshapen) == 1


def test_what_does_not_fit_can_be_left_out_by_name(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    # A LoRA of a text-to-video model on an image-to-video one: 16 input channels, not 36.
    lora = {"patch_embedding.diff": torch.ones(32, 16, 1, 2, 2), "head.head.diff_b": torch.ones(64)}
    save_file(lora, tmp_path / "lora")
    with pytest.raises(LoraError, match="another shape"):
        merged(tmp_path, Lora(path=tmp_path / "lora"))
    after = merged(tmp_path, Lora(path=tmp_path / "lora", skip=("patch_embedding",)))
    assert unchanged(state, after) == state.keys() - {"head.head.bias"}


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_that_is_no_number_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="strength"):
        Lora(path=Path("lora"), strength=strength)
