from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.anytalker.config import AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.checkpoints import presets
from models.checkpoints.errors import MismatchError, MissingFilesError
from models.checkpoints.loading import Placement, load_network
from models.checkpoints.lora import Lora
from models.checkpoints.network import Network
from models.encoders.wav2vec2 import Wav2Vec2Network, Wav2Vec2NetworkConfig
from models.errors import CheckpointError, ConfigError
from models.vae.config import WanVAEConfig
from models.vae.wan_vae import WanVAE
from tests.models import tiny
from tests.models.checkpoints import layouts
from tests.models.checkpoints.layouts import AUDIO_FILE, AUDIO_FOLDER, FLOAT32, WAN_FOLDER

BF16 = replace(FLOAT32, dtype=torch.bfloat16)


def assert_equal(got: nn.Module, expected: dict[str, Tensor]) -> None:
    state = got.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0, msg=name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    layouts.write_multitalk(tmp_path, tiny.multitalk(seed=3).state_dict())
    return tmp_path


def test_multitalk_is_put_together_from_the_base_and_the_audio_file(root: Path) -> None:
    dit = load_network(layouts.multitalk_network(), root, FLOAT32)
    assert_equal(dit, dict(tiny.multitalk(seed=3).state_dict()))
    assert all(parameter.requires_grad for parameter in dit.parameters())


def test_a_loaded_network_owns_its_memory(root: Path) -> None:
    dit = load_network(layouts.multitalk_network(), root, FLOAT32)
    for path in root.rglob("*.safetensors"):
        path.write_bytes(bytes(path.stat().st_size))
    assert_equal(dit, dict(tiny.multitalk(seed=3).state_dict()))


def test_one_type_is_decided_at_load_with_exceptions_by_name(root: Path) -> None:
    exceptions = {"head.": torch.float32, "head.head.bias": torch.float64}
    placement = replace(BF16, exceptions=exceptions)
    dit = load_network(layouts.multitalk_network(), root, placement)
    by_type: dict[torch.dtype, set[str]] = {}
    for name, parameter in dit.named_parameters():
        by_type.setdefault(parameter.dtype, set()).add(name)
    assert by_type[torch.float64] == {"head.head.bias"}
    assert by_type[torch.float32] == {"head.head.weight", "head.modulation"}
    assert by_type.keys() == {torch.float64, torch.float32, torch.bfloat16}


def test_a_type_that_weights_cannot_have_is_refused() -> None:
    with pytest.raises(ConfigError, match="int8"):
        Placement(dtype=torch.int8, device=torch.device("cpu"))


def test_files_that_are_not_there_are_named_with_the_commands_that_fetch_them(root: Path) -> None:
    (root / AUDIO_FOLDER / AUDIO_FILE).unlink()
    with pytest.raises(MissingFilesError) as raised:
        load_network(layouts.multitalk_network(), root, FLOAT32)
    assert raised.value.names == (AUDIO_FILE,)
    assert "hf download MeiGen-AI/MeiGen-MultiTalk multitalk.safetensors" in str(raised.value)


def test_every_missing_unexpected_and_misshapen_tensor_is_in_one_error(tmp_path: Path) -> None:
    state = layouts.wan_state()
    del state["head.head.bias"], state["blocks.0.norm3.bias"], state["blocks.1.norm3.bias"]
    state["text_embedding.0.weight"] = torch.zeros(3, 4)
    state["text_embedding.0.bias"] = torch.zeros(state["text_embedding.0.bias"].shape).long()
    state["surplus"] = torch.zeros(1)
    save_file(state, tmp_path / "weights")
    with pytest.raises(MismatchError) as raised:
        load_network(layouts.wan_network(), tmp_path, FLOAT32)
    error = raised.value
    assert isinstance(error, CheckpointError)
    assert set(error.missing) == {"head.head.bias", "blocks.0.norm3.bias", "blocks.1.norm3.bias"}
    assert error.unexpected == ("surplus",)
    misshapen = {each.name: each for each in error.misshapen}
    assert misshapen.keys() == {"text_embedding.0.weight", "text_embedding.0.bias"}
    assert misshapen["text_embedding.0.weight"].expected == (32, 10)
    assert misshapen["text_embedding.0.weight"].found.shape == (3, 4)
    text = str(error)
    assert "3 tensors missing: blocks.*.norm3.bias (2), head.head.bias" in text
    assert "expected [32, 10], found [3, 4]" in text
    assert "found [32] torch.int64" in text
    assert f"3 of the 3 tensors that do not fit are in {tmp_path / 'weights'}" in text
    assert "hf download who/where weights" in text


def test_an_error_about_hundreds_of_tensors_stays_readable(tmp_path: Path) -> None:
    save_file({f"other.{i}.x{i}": torch.zeros(1) for i in range(300)}, tmp_path / "weights")
    with pytest.raises(MismatchError) as raised:
        load_network(layouts.wan_network(), tmp_path, FLOAT32)
    assert len(raised.value.unexpected) == 300
    assert len(raised.value.missing) == len(layouts.wan_state())
    assert "and 292 more" in str(raised.value)
    assert len(str(raised.value)) < 2000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("condition_embedder.time_proj.weight", "-Diffusers"),
        ("blocks.0.self_attn.q.lora_down.weight", "LoRA"),
        ("blocks.0.self_attn.q.scale_weight", "quantized"),
        ("blocks.0.audio_cross_attn.proj.bias", "audio layers"),
    ],
)
def test_a_file_of_another_kind_is_recognized_by_its_names(
    tmp_path: Path, name: str, said: str
) -> None:
    save_file(layouts.wan_state() | {name: torch.zeros(1)}, tmp_path / "weights")
    with pytest.raises(MismatchError, match=said):
        load_network(layouts.wan_network(), tmp_path, FLOAT32)


def test_a_file_of_another_network_is_recognized_although_its_tensors_are_left_out(
    tmp_path: Path,
) -> None:
    save_file({"encoder.block.0.weight": torch.zeros(1)}, tmp_path / "weights")
    network = replace(
        layouts.wan_network(), rename=lambda name: None if name.startswith("encoder.") else name
    )
    with pytest.raises(MismatchError, match="another network's") as raised:
        load_network(network, tmp_path, FLOAT32)
    assert "-Diffusers" in str(raised.value)
    assert raised.value.unexpected == ()


def test_missing_audio_tensors_are_to_be_fetched_where_audio_is_published(root: Path) -> None:
    audio = {n: t for n, t in tiny.multitalk().state_dict().items() if layouts.is_audio(n)}
    del audio["audio_proj.norm.bias"]
    save_file(audio, root / AUDIO_FOLDER / AUDIO_FILE)
    with pytest.raises(MismatchError) as raised:
        load_network(layouts.multitalk_network(), root, FLOAT32)
    assert raised.value.missing == ("audio_proj.norm.bias",)
    (command,) = raised.value.advice
    assert command.startswith("hf download MeiGen-AI/MeiGen-MultiTalk")
    assert command.endswith(f"--local-dir {root / AUDIO_FOLDER}")
    assert WAN_FOLDER not in command


def test_missing_base_tensors_are_to_be_fetched_where_the_base_is_published(root: Path) -> None:
    base = {n: t for n, t in tiny.multitalk().state_dict().items() if not layouts.is_audio(n)}
    del base["head.head.bias"]
    layouts.write_index(root / WAN_FOLDER, layouts.shard(root / WAN_FOLDER, base))
    with pytest.raises(MismatchError) as raised:
        load_network(layouts.multitalk_network(), root, FLOAT32)
    assert raised.value.missing == ("head.head.bias",)
    (command,) = raised.value.advice
    assert command.startswith("hf download Wan-AI/Wan2.1-I2V-14B-480P --include")


def test_anytalker_is_loaded_from_under_its_container(tmp_path: Path) -> None:
    dit = tiny.anytalker(AudioBinding.JOINT, seed=5)
    config = dit.anytalker
    (tmp_path / "AnyTalker").mkdir()
    torch.save({"model": dit.state_dict(), "step": 3}, tmp_path / "AnyTalker/1_3B-single-v1.pth")
    network = replace(presets.anytalker_1_3b(), build=lambda: AnyTalkerDiT(config))
    assert_equal(load_network(network, tmp_path, FLOAT32), dict(dit.state_dict()))


def test_self_forcing_is_loaded_from_under_its_wrappers(tmp_path: Path) -> None:
    state = layouts.wan_state(7)
    wrapped = {f"model._fsdp_wrapped_module.{name}": tensor for name, tensor in state.items()}
    (tmp_path / "checkpoints").mkdir()
    torch.save({"generator_ema": wrapped}, tmp_path / "checkpoints/self_forcing_dmd.pt")
    network = replace(presets.self_forcing(), build=layouts.wan_network().build)
    assert_equal(load_network(network, tmp_path, FLOAT32), state)


def test_the_vaes_statistics_survive_the_meta_device(tmp_path: Path) -> None:
    config = WanVAEConfig(
        dim=8,
        z_dim=2,
        dim_mult=(1, 2),
        num_res_blocks=1,
        temporal_downsample=(True,),
        latent_mean=(0.25, -0.5),
        latent_std=(2.0, 3.0),
    )
    vae = tiny.randomized(WanVAE(config))
    torch.save(vae.state_dict(), tmp_path / "Wan2.1_VAE.pth")
    network = replace(presets.wan_vae(), build=lambda: WanVAE(config))
    loaded = load_network(network, tmp_path, BF16)
    latents = torch.ones(1, 2, 1, 1, 1)
    assert loaded.scale.denormalize(latents).flatten().tolist() == [2.25, 2.5]
    assert all(p.dtype == torch.bfloat16 for p in loaded.parameters())


def test_wav2vec2_takes_either_spelling_of_its_weight_norm_and_no_mask_embedding(
    tmp_path: Path,
) -> None:
    config = Wav2Vec2NetworkConfig(
        channels=16,
        layers=1,
        heads=2,
        feedforward_channels=8,
        conv_channels=(8, 8),
        conv_strides=(5, 2),
        conv_kernels=(10, 3),
        conv_norm="group",
        has_conv_bias=False,
        position_kernel=4,
        position_groups=2,
        is_norm_first=False,
        norm_eps=1e-5,
    )
    ours = dict(tiny.randomized(Wav2Vec2Network(config)).state_dict())
    new = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    old = {f"{new}0": "encoder.pos_conv_embed.conv.weight_g"}
    old[f"{new}1"] = "encoder.pos_conv_embed.conv.weight_v"
    published = {f"wav2vec2.{old.get(n, n)}": t.contiguous() for n, t in ours.items()}
    del published["wav2vec2.masked_spec_embed"]
    save_file(published | {"lm_head.weight": torch.zeros(3, 16)}, tmp_path / "model.safetensors")
    network = replace(presets.wav2vec2_base(), build=lambda: Wav2Vec2Network(config))
    loaded = load_network(network, tmp_path, FLOAT32)
    ours["masked_spec_embed"] = torch.zeros(16)
    assert_equal(loaded, ours)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.gpu
def test_everything_lands_on_the_device_and_a_lora_is_merged_there(root: Path) -> None:
    save_file({"head.head.diff_b": torch.ones(64)}, root / "lora.safetensors")
    placement = Placement(dtype=torch.bfloat16, device=torch.device("cuda"))
    loras = [Lora(path=root / "lora.safetensors")]
    dit = load_network(layouts.multitalk_network(), root, placement, loras)
    assert {tensor.device.type for tensor in dit.state_dict().values()} == {"cuda"}
    expected = tiny.multitalk(seed=3).head.head.bias + 1
    assert torch.equal(dit.head.head.bias.cpu(), expected.to(torch.bfloat16))


class Forgetful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("table", torch.arange(3), persistent=False)


def test_a_module_that_the_meta_device_robs_of_a_buffer_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1)}, tmp_path / "weights")
    network = Network(name="x", build=Forgetful, parts=layouts.wan_network().parts)
    with pytest.raises(ConfigError, match="table"):
        load_network(network, tmp_path, FLOAT32)
