"""Manifests of whole networks: every published tensor name and shape, checked without memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import nn

from models.anytalker.dit import AnyTalkerDiT
from models.checkpoints.checkpoint import Rename, same_name
from models.encoders.clip import ClipImageTower
from models.encoders.clip import rename as clip_name
from models.encoders.umt5 import Umt5Encoder
from models.encoders.umt5 import rename as umt5_name
from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2 import rename as wav2vec2_name
from models.multitalk.dit import MultiTalkDiT
from models.vae.wan_vae import WanVAE
from models.wan.dit import WanDiT
from tests.conformance import anytalker, clip, multitalk, umt5, wan_vae, wav2vec2
from tests.conformance.case import Case, CaseError, Check, Json
from tests.conformance.wan import wan_config

CLIP_WIDTH = 1280  # of the image tokens of every published image-to-video model
COUNT_TOLERANCE = "exact"


class Described(NamedTuple):
    """The network a manifest's configuration describes."""

    build: Callable[[], nn.Module]
    rename: Rename = same_name


def matches(description: Json) -> bool:
    """Say whether a case lists the tensors of a whole network."""
    return isinstance(description.get("tensors"), dict) and "total_parameters" in description


def run(case: Case) -> Iterator[Check]:
    """Compare names, shapes and counts of the described network with the manifest's."""
    described = network_from(case.config)
    with torch.device("meta"):
        network = described.build()
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    listed = case.description["tensors"]
    published = {_our_name(name, ours, described.rename): list(listed[name]) for name in listed}
    yield _check_names(ours, published, len(listed))
    yield _check_shapes(ours, published)
    counts = {
        "total_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "total_state_dict_elements": sum(t.numel() for t in network.state_dict().values()),
        "tensor_count": len(ours),
    }
    for name, count in counts.items():
        if name in case.description:
            difference = float(abs(count - case.description[name]))
            yield Check(name, difference, COUNT_TOLERANCE, difference == 0, f"{count} here")


def network_from(c: Json) -> Described:
    """Tell the network by the keys its configuration has, and translate its published names.

    Raises:
        CaseError: when the keys are those of no network known here.
    """
    known: tuple[tuple[str, Callable[[Json], Described]], ...] = (
        ("legacy_audio_cross_attn", _anytalker),
        ("norm_input_visual", _multitalk),
        ("freq_dim", _wan),
        ("z_dim", _vae),
        ("image_size", _clip),
        ("num_buckets", _umt5),
        ("conv_stride", _wav2vec2),
    )
    for key, translate in known:
        if key in c:
            return translate(c)
    raise CaseError(f"no network is known by a configuration with the keys {', '.join(c)}")


def _anytalker(c: Json) -> Described:
    config = anytalker.config_from(c)
    return Described(lambda: AnyTalkerDiT(config))


def _multitalk(c: Json) -> Described:
    config = multitalk.config_from(c)
    return Described(lambda: MultiTalkDiT(config))


def _wan(c: Json) -> Described:
    has_image = c.get("model_type", "t2v") == "i2v"
    config = wan_config(c, c.get("clip_dim", CLIP_WIDTH) if has_image else None)
    return Described(lambda: WanDiT(config))


def _vae(c: Json) -> Described:
    config = wan_vae.config_from(c)
    return Described(lambda: WanVAE(config))


def _clip(c: Json) -> Described:
    config = clip.config_from(c)
    return Described(lambda: ClipImageTower(config), clip_name)


def _umt5(c: Json) -> Described:
    config = umt5.config_from(c)
    return Described(lambda: Umt5Encoder(config), umt5_name)


def _wav2vec2(c: Json) -> Described:
    config = wav2vec2.config_from(c)
    return Described(lambda: Wav2Vec2Network(config), wav2vec2_name)


def _our_name(name: str, ours: Mapping[str, list[int]], rename: Rename) -> str:
    """Give our name of a listed tensor: the same, or what the loader would make of it."""
    return name if name in ours else rename(name) or name


def _check_names(ours: Mapping[str, object], published: Mapping[str, object], listed: int) -> Check:
    absent, surplus = published.keys() - ours.keys(), ours.keys() - published.keys()
    merged = listed - len(published)  # two listed names that would be one of ours
    wrong = len(absent) + len(surplus) + merged
    note = f"{len(published)} names"
    if wrong:
        note = f"not here: {sorted(absent)[:4]}, only here: {sorted(surplus)[:4]}"
    return Check("names", float(wrong), COUNT_TOLERANCE, wrong == 0, note)


def _check_shapes(ours: Mapping[str, list[int]], published: Mapping[str, list[int]]) -> Check:
    wrong = [
        f"{name}: {ours[name]}, expected {shape}"
        for name, shape in published.items()
        if name in ours and ours[name] != shape
    ]
    return Check("shapes", float(len(wrong)), COUNT_TOLERANCE, not wrong, "; ".join(wrong[:4]))
