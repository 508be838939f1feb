"""The presets against what is publicly known of the files, to the byte where that is known."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from models.checkpoints.network import Network, build_empty
from models.checkpoints.presets import MULTITALK_AUDIO, presets

NETWORKS = {each.name: each for preset in presets().values() for each in preset.networks}


@pytest.fixture(scope="module")
def multitalk() -> dict[str, Tensor]:
    return dict(build_empty(NETWORKS["multitalk-14b"]).state_dict())


def test_the_sets_hold_one_network_of_every_kind() -> None:
    for name in ("multitalk", "anytalker"):
        networks = [network.name for network in presets()[name].networks]
        assert len(networks) == 5
        assert {"wan-vae", "umt5-xxl", "clip-vit-h14"} <= set(networks)


def test_a_set_is_downloaded_from_few_repositories() -> None:
    repositories = {
        preset.name: {part.repository for each in preset.networks for part in each.parts}
        for preset in presets().values()
    }
    assert repositories["multitalk"] == {
        "Wan-AI/Wan2.1-I2V-14B-480P",
        "MeiGen-AI/MeiGen-MultiTalk",
        "TencentGameMate/chinese-wav2vec2-base",
    }
    assert repositories["anytalker"] == {
        "zzz66/AnyTalker-1.3B",
        "alibaba-pai/Wan2.1-Fun-V1.1-1.3B-InP",
        "facebook/wav2vec2-base-960h",
    }


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_every_network_takes_its_own_names(network: Network[torch.nn.Module]) -> None:
    ours = build_empty(network).state_dict()
    published = [f"visual.{name}" if network.name == "clip-vit-h14" else name for name in ours]
    assert [network.rename(name) for name in published] == list(ours)
    assert network.optional <= ours.keys()


def test_the_base_of_multitalk_is_as_large_as_its_published_index_says(
    multitalk: dict[str, Tensor],
) -> None:
    base = build_empty(NETWORKS["wan-i2v-14b"]).state_dict()
    assert sum(tensor.numel() * 4 for tensor in base.values()) == 65_579_515_136
    assert {name for name in multitalk if name not in base} == {
        name for name in multitalk if any(part in name for part in MULTITALK_AUDIO)
    }


def test_multitalks_audio_tensors_fill_the_published_file_to_the_byte(
    multitalk: dict[str, Tensor],
) -> None:
    # norm_x in bfloat16, the rest in float32; sorted as safetensors does, without metadata.
    audio = {n: t for n, t in multitalk.items() if any(part in n for part in MULTITALK_AUDIO)}
    header, offset = {}, 0
    for name in sorted(audio, key=lambda name: (".norm_x." in name, name)):
        dtype, width = ("BF16", 2) if ".norm_x." in name else ("F32", 4)
        end = offset + audio[name].numel() * width
        shape = list(audio[name].shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":"))
    assert 8 + -(-len(text) // 8) * 8 + offset == 9_947_889_040
