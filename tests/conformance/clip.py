"""Golden CLIP image tower: pictures to image tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.encoders.clip import ClipConfig, ClipImageTower, prepare_pictures, rename
from tests.conformance.case import Case, CaseError, Check, Json

# The published tower's variant; the only one that exists here.
VARIANT = {"pool_type": "token", "pre_norm": True, "post_norm": False, "activation": "gelu"}


def matches(description: Json) -> bool:
    """Say whether this case is about the CLIP image tower."""
    return bool(description.get("config", {}).get("model") == "clip_visual")


def run(case: Case) -> Iterator[Check]:
    """Prepare and encode the case's pictures."""
    tower = tower_from(case.config, case.weights())
    prepared = prepare_pictures(case.inputs["images"], tower.config)
    computed = {
        "preprocessed": prepared,
        "tokens": tower(prepared),
        "tokens_all_layers": tower.blocks(prepared, tower.config.layers),
    }
    yield from case.check_outputs(computed)


def config_from(c: Json) -> ClipConfig:
    """Translate the published names.

    Raises:
        CaseError: when the tower is of a variant that no system here uses.
    """
    for key, value in VARIANT.items():
        if c.get(key, value) != value:
            raise CaseError(f"{key}={c[key]!r}, only {value!r} is implemented")
    return ClipConfig(
        image_px=c["image_size"],
        patch_px=c["patch_size"],
        channels=c["dim"],
        feedforward_channels=int(c["dim"] * c.get("mlp_ratio", 4)),
        output_channels=c["out_dim"],
        heads=c["num_heads"],
        layers=c["num_layers"],
        norm_eps=c.get("norm_eps", 1e-5),
    )


def tower_from(config: Json, weights: Mapping[str, Tensor]) -> ClipImageTower:
    """Build the tower of a case; a whole published checkpoint's `visual.` names are taken, too."""
    with torch.device("meta"):
        tower = ClipImageTower(config_from(config))
    if any(name.startswith("visual.") for name in weights):
        renamed = {rename(name): tensor for name, tensor in weights.items()}
        weights = {name: tensor for name, tensor in renamed.items() if name is not None}
    tower.load_state_dict(dict(weights), assign=True)
    return tower
