"""Tiny checkpoints written the way the real ones are published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.checkpoints import presets
from models.checkpoints.loading import Placement
from models.checkpoints.network import Network, Part
from models.checkpoints.presets import MULTITALK_AUDIO, SHARDS
from models.multitalk.dit import MultiTalkDiT
from models.wan.dit import WanDiT
from tests.models import tiny

State = Mapping[str, Tensor]
WAN_FOLDER = "Wan2.1-I2V-14B-480P"
AUDIO_FOLDER = "MeiGen-MultiTalk"
AUDIO_FILE = "multitalk.safetensors"
FLOAT32 = Placement(dtype=torch.float32, device=torch.device("cpu"))


def multitalk_network() -> Network[MultiTalkDiT]:
    """The published MultiTalk, its files and all, at a tiny size."""
    config = tiny.multitalk().multitalk
    return replace(presets.multitalk_14b(), build=lambda: MultiTalkDiT(config))


def wan_network() -> Network[WanDiT]:
    """A network that comes in one file, `weights`."""
    config = tiny.wan_config()
    part = Part(repository="who/where", folders=("where",), choices=("weights",))
    return Network(name="wan-tiny", build=lambda: WanDiT(config), parts=(part,))


def wan_state(seed: int = 0) -> dict[str, Tensor]:
    return dict(tiny.randomized(WanDiT(tiny.wan_config()), seed).state_dict())


def is_audio(name: str) -> bool:
    return any(fragment in name for fragment in MULTITALK_AUDIO)


def shard(folder: Path, state: State, shards: int = 3) -> dict[str, str]:
    """Write a state in numbered shards; give which shard holds each tensor."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(state)
    weight_map = {}
    for number in range(shards):
        file = f"diffusion_pytorch_model-{number + 1:05}-of-{shards:05}.safetensors"
        part = names[number::shards]
        save_file({name: state[name].contiguous() for name in part}, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    return weight_map


def write_index(folder: Path, weight_map: Mapping[str, str]) -> None:
    (folder / SHARDS).write_text(json.dumps({"metadata": {}, "weight_map": dict(weight_map)}))


def write_multitalk(root: Path, state: State) -> None:
    """Write what two downloads give: the base and its index, the audio layers and theirs."""
    base = {name: tensor for name, tensor in state.items() if not is_audio(name)}
    audio = {name: tensor for name, tensor in state.items() if is_audio(name)}
    weight_map = shard(root / WAN_FOLDER, base)
    write_index(root / WAN_FOLDER, weight_map)
    (root / AUDIO_FOLDER).mkdir()
    save_file(audio, root / AUDIO_FOLDER / AUDIO_FILE)
    write_index(root / AUDIO_FOLDER, weight_map | dict.fromkeys(audio, AUDIO_FILE))
