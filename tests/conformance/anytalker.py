"""Cases of AnyTalker's transformer and of the masks it makes of face boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.anytalker import masks
from models.anytalker.config import AnyTalkerConfig, AudioBinding
from models.anytalker.dit import AnyTalkerDiT
from models.audio_projection import AudioProjectionConfig
from models.wan.dit import Prediction
from tests.conformance.case import Case, Check, Json
from tests.conformance.wan import wan_config


def matches(description: Json) -> bool:
    config = description.get("config", {})
    return config.get("model") == "anytalker_dit" or _is_mask_case(config)


def _is_mask_case(config: Json) -> bool:
    return {"width_scale", "height_scale", "lat_h", "lat_w"} <= config.keys()


def config_from(c: Json) -> AnyTalkerConfig:
    """Translate the published names; sizes the 1.3B code fixes have their published value."""
    is_legacy = c["legacy_audio_cross_attn"]
    return AnyTalkerConfig(
        wan=wan_config(c, c.get("clip_dim", 1280), torch.float32),
        audio=AudioProjectionConfig(
            window=c.get("audio_window", 5),
            layers=c.get("audio_blocks", 12),
            channels=c.get("audio_channels", 768),
            hidden_dim=c.get("intermediate_dim", 512),
            out_dim=c["audio_output_dim"] if is_legacy else c["dim"],
            tokens=c.get("context_tokens", 32),
            frame_stride=c.get("vae_scale", 4),
            is_normed=c.get("norm_output_audio", True),
        ),
        binding=AudioBinding.LEGACY if is_legacy else AudioBinding.JOINT,
        is_audio_query_normed=c.get("norm_input_visual", True),
    )


def dit_from(config: Json, weights: Mapping[str, Tensor]) -> AnyTalkerDiT:
    """Build the network of a case."""
    dit = AnyTalkerDiT(config_from(config))
    dit.load_state_dict(dict(weights))
    return dit.eval()


@torch.inference_mode()
def velocity(dit: AnyTalkerDiT, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run one case's inputs; give [16, F, h, w]."""
    y = inputs["y"] if inputs["y"].ndim == 5 else inputs["y"][None]
    scene = dit.encode_scene(
        [inputs["context"]],
        inputs["clip_fea"],
        inputs["ref_face"][None],
        inputs["face_masks"][None],
    )
    audio = dit.encode_audio(inputs["audio"][None])
    latent = torch.cat([inputs["x"][None], y], dim=1)
    denoised: Prediction = dit(latent, inputs["t"], scene, audio)
    return denoised.velocity[0]


def run(case: Case) -> Iterator[Check]:
    if _is_mask_case(case.config):
        yield from _run_masks(case)
        return
    dit = dit_from(case.config, case.weights())
    yield from case.check_outputs({"velocity": velocity(dit, case.inputs)})


def _run_masks(case: Case) -> Iterator[Check]:
    c = case.config
    names = sorted(case.inputs, key=lambda name: int(name.rpartition("_")[2]))
    faces = torch.stack([case.inputs[name] for name in names])
    frames = (c["frames"] - 1) // 4 + 1
    size, scales = (c["lat_h"], c["lat_w"]), (c["width_scale"], c["height_scale"])
    computed = {
        "dit_mask": masks.picture_mask(faces, frames, size, scales),
        "token_masks": masks.token_masks(faces, size, scales),
    }
    yield from case.check_outputs(computed)
