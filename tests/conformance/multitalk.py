"""Cases of MultiTalk's transformer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from models.audio_projection import AudioProjectionConfig
from models.multitalk.config import MultiTalkConfig
from models.multitalk.dit import MultiTalkDiT
from models.multitalk.labels import LabelRanges
from models.wan.dit import Prediction
from tests.conformance.case import Case, Check, Json
from tests.conformance.wan import wan_config


def matches(description: Json) -> bool:
    return bool(description.get("config", {}).get("model") == "multitalk_dit")


def config_from(c: Json) -> MultiTalkConfig:
    """Translate the published names of a MultiTalk configuration."""
    return MultiTalkConfig(
        wan=wan_config(c, image_dim=c.get("clip_dim", 1280)),
        audio=AudioProjectionConfig(
            window=c["audio_window"],
            layers=c.get("audio_blocks", 12),
            channels=c.get("audio_channels", 768),
            hidden_dim=c["intermediate_dim"],
            out_dim=c["output_dim"],
            tokens=c["context_tokens"],
            frame_stride=c["vae_scale"],
            is_normed=c["norm_output_audio"],
        ),
        labels=LabelRanges(
            interval=c.get("class_interval", 4),
            class_range=c.get("class_range", 24),
            max_people=8,
        ),
        is_audio_query_normed=c["norm_input_visual"],
    )


def dit_from(config: Json, weights: Mapping[str, Tensor]) -> MultiTalkDiT:
    """Build the network of a case."""
    dit = MultiTalkDiT(config_from(config))
    dit.load_state_dict(dict(weights))
    return dit.eval()


@torch.inference_mode()
def velocity(dit: MultiTalkDiT, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run one case's inputs; give [16, F, h, w]."""
    people = inputs["audio"].shape[0]
    regions = inputs["ref_target_masks"][None] if people > 1 else None
    y = inputs["y"] if inputs["y"].ndim == 5 else inputs["y"][None]
    scene = dit.encode_scene([inputs["context"]], inputs["clip_fea"], regions)
    audio = dit.encode_audio(inputs["audio"][None])
    latent = torch.cat([inputs["x"][None], y], dim=1)
    denoised: Prediction = dit(latent, inputs["t"], scene, audio)
    return denoised.velocity[0]


def run(case: Case) -> Iterator[Check]:
    dit = dit_from(case.config, case.weights())
    yield from case.check_outputs({"velocity": velocity(dit, case.inputs)})
