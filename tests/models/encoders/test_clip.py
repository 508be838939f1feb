from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from models.encoders.clip import (
    ClipConfig,
    ClipImageTower,
    clip_vit_h14,
    image_context,
    prepare_pictures,
    rename,
)
from models.errors import ConfigError, InputError
from tests.models.encoders.tiny import seeded

TINY = ClipConfig(
    image_px=28,
    patch_px=14,
    channels=32,
    feedforward_channels=64,
    output_channels=8,
    heads=4,
    layers=3,
    norm_eps=1e-5,
)


@pytest.fixture
def tower() -> ClipImageTower:
    module = seeded(lambda: ClipImageTower(TINY))
    assert isinstance(module, ClipImageTower)
    return module


def pictures(height: int = 40, width: int = 30) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(2, 3, height, width, generator=generator) * 2 - 1


def transformers_twin(tower: ClipImageTower) -> nn.Module:
    with torch.random.fork_rng():
        twin: nn.Module = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=32,
                intermediate_size=64,
                projection_dim=8,
                num_hidden_layers=3,
                num_attention_heads=4,
                image_size=28,
                patch_size=14,
                hidden_act="gelu",
            )
        )
    ours = tower.state_dict()
    names = {
        "embeddings.class_embedding": ours["cls_embedding"][0, 0],
        "embeddings.patch_embedding.weight": ours["patch_embedding.weight"],
        "embeddings.position_embedding.weight": ours["pos_embedding"][0],
    }
    for kind in ("weight", "bias"):
        names[f"pre_layrnorm.{kind}"] = ours[f"pre_norm.{kind}"]
        names[f"post_layernorm.{kind}"] = ours[f"post_norm.{kind}"]
        for i in range(3):
            block, theirs = f"transformer.{i}", f"encoder.layers.{i}"
            qkv = ours[f"{block}.attn.to_qkv.{kind}"].chunk(3)
            for letter, tensor in zip("qkv", qkv, strict=True):
                names[f"{theirs}.self_attn.{letter}_proj.{kind}"] = tensor
            names[f"{theirs}.self_attn.out_proj.{kind}"] = ours[f"{block}.attn.proj.{kind}"]
            names[f"{theirs}.layer_norm1.{kind}"] = ours[f"{block}.norm1.{kind}"]
            names[f"{theirs}.layer_norm2.{kind}"] = ours[f"{block}.norm2.{kind}"]
            names[f"{theirs}.mlp.fc1.{kind}"] = ours[f"{block}.mlp.0.{kind}"]
            names[f"{theirs}.mlp.fc2.{kind}"] = ours[f"{block}.mlp.2.{kind}"]
    is_nested = any(name.startswith("vision_model.") for name in twin.state_dict())
    prefix = "vision_model." if is_nested else ""
    twin.load_state_dict({prefix + name: tensor for name, tensor in names.items()})
    return twin.eval()


def test_its_tokens_are_transformers_hidden_states_before_the_last_block(
    tower: ClipImageTower,
) -> None:
    prepared = prepare_pictures(pictures(), TINY)
    with torch.no_grad():
        states = transformers_twin(tower)(prepared, output_hidden_states=True).hidden_states
    assert tower(prepared).shape == (2, 5, 32)
    torch.testing.assert_close(tower(prepared), states[-2], atol=1e-5, rtol=1e-4)


def test_the_h14_tower_has_the_published_tensors() -> None:
    with torch.device("meta"):
        state = ClipImageTower(clip_vit_h14()).state_dict()
    assert len(state) == 392
    assert sum(tensor.numel() for tensor in state.values()) == 632_076_800
    assert state["pos_embedding"].shape == (1, 257, 1280)
    assert state["transformer.31.mlp.0.weight"].shape == (5120, 1280)
    assert state["head"].shape == (1280, 1024)


def test_a_gray_picture_becomes_clips_gray_at_any_size() -> None:
    prepared = prepare_pictures(torch.zeros(1, 3, 50, 20), TINY)
    assert prepared.shape == (1, 3, 28, 28)
    gray = (0.5 - 0.48145466) / 0.26862954
    torch.testing.assert_close(prepared[0, 0], torch.full((28, 28), gray))


def test_the_resize_is_bicubic_and_overshoots_an_edge() -> None:
    edge = torch.ones(1, 3, 14, 14)
    edge[..., :7] = -1.0
    white = (1.0 - 0.48145466) / 0.26862954
    assert float(prepare_pictures(edge, TINY)[0, 0].max()) > white + 0.1


def test_the_resize_does_not_smooth() -> None:
    stripes = torch.ones(1, 3, 84, 84)
    stripes[..., 1::3] = -1.0  # the columns that a third-size resize lands on
    assert float(prepare_pictures(stripes, TINY)[0, 0, 14, 14]) < -1.0


def test_a_pictures_tokens_do_not_depend_on_its_neighbor(tower: ClipImageTower) -> None:
    both = image_context(tower, pictures())
    torch.testing.assert_close(both[:1], image_context(tower, pictures()[:1]))


def test_bfloat16_parameters_work_in_inference_mode(tower: ClipImageTower) -> None:
    exact = image_context(tower, pictures())
    with torch.inference_mode():
        rough = image_context(tower.to(torch.bfloat16), pictures())
    assert rough.dtype == torch.bfloat16
    assert float((rough.float() - exact).norm() / exact.norm()) < 0.1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(3, 40, 30), r"\[B, 3"),
        (torch.zeros(1, 4, 40, 30), r"\[B, 3"),
        (torch.zeros(1, 3, 0, 30), r"\[B, 3"),
        (torch.zeros(1, 3, 40, 30, dtype=torch.uint8), "floats"),
        (torch.full((1, 3, 40, 30), float("nan")), "finite"),
    ],
)
def test_what_is_no_picture_is_refused(tower: ClipImageTower, bad: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        image_context(tower, bad)


def test_a_prepared_picture_of_another_size_is_refused(tower: ClipImageTower) -> None:
    with pytest.raises(InputError, match="not interpolated"):
        tower(torch.zeros(1, 3, 42, 42))


def test_published_names_lose_their_prefix_and_the_text_tower_goes() -> None:
    assert rename("visual.transformer.0.norm1.weight") == "transformer.0.norm1.weight"
    assert rename("textual.token_embedding.weight") is None
    assert rename("log_scale") is None


@pytest.mark.parametrize("changes", [{"image_px": 30}, {"heads": 5}, {"layers": 1}])
def test_a_contradictory_config_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        replace(TINY, **changes)
