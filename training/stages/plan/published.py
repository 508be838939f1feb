"""The published transformers on the meta device: every shape is real, nothing has memory.

Shape letters: B batch, P people, T video frames, F latent frames, L CLIP tokens, h and w latent
size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from models.anytalker.config import anytalker_1_3b
from models.anytalker.dit import AnyTalkerAudio, AnyTalkerDiT
from models.anytalker.joint import JointBlock
from models.audio_projection import AudioProjectionConfig
from models.errors import InputError
from models.multitalk.audio_attention import key_labels
from models.multitalk.config import multitalk_14b
from models.multitalk.dit import MultiTalkAudio, MultiTalkBlock, MultiTalkDiT
from models.wan.config import VAE_PIXEL_STRIDE
from training.stages.plan.config import ExampleConfig

CLIP_TOKENS = 257
META = torch.device("meta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """How one published transformer is built, called and cut."""

    name: str
    build: Callable[[], nn.Module]  # under the meta device
    call: Callable[[nn.Module, ExampleConfig], Tensor]  # one example forward
    block: type[nn.Module]  # what FSDP wraps
    audio_parts: tuple[str, ...]  # parts of names: audio attention and audio adapter
    config: str  # file of its settings


def published(name: str) -> Published:
    """Give one of the published sizes.

    Raises:
        InputError: when there is none of that name.
    """
    if name not in SIZES:
        raise InputError(f"there is no published size {name!r}; there are {', '.join(SIZES)}")
    return SIZES[name]


def build_meta(size: Published) -> nn.Module:
    """Build a transformer without memory, in bfloat16 as it computes."""
    with META:
        return size.build().to(torch.bfloat16)


def call_anytalker(network: nn.Module, example: ExampleConfig) -> Tensor:
    """Pass one example through AnyTalker."""
    dit = cast(AnyTalkerDiT, network)
    people, width = example.people, cast(int, dit.cfg.image_dim)
    scene = dit.encode_scene(
        [_empty(dit.cfg.text_len, dit.cfg.text_dim)],
        _empty(1, CLIP_TOKENS, width),
        _empty(1, people, CLIP_TOKENS, width),
        # Its values are looked at before anything is computed.
        torch.ones(1, people, *_token_size(example)),
    )
    scene = scene._replace(masks=scene.masks.to(META))
    tokens = dit.audio_emb.project(_windows(example, dit.anytalker.audio))
    layers = tuple(
        cast(JointBlock, block).cross_attn.project_voices(tokens) for block in dit.blocks
    )
    audio = AnyTalkerAudio(layers, people, example.latent_frames, starts_stream=True)
    latent = _latent(example, dit.cfg.in_channels)
    velocity: Tensor = dit(latent, torch.empty(1, device=META), scene, audio).velocity
    return velocity


def call_multitalk(network: nn.Module, example: ExampleConfig) -> Tensor:
    """Pass one example through MultiTalk."""
    dit = cast(MultiTalkDiT, network)
    people, width = example.people, cast(int, dit.cfg.image_dim)
    h, w = _token_size(example)
    scene = dit.encode_scene(
        [_empty(dit.cfg.text_len, dit.cfg.text_dim)],
        _empty(1, CLIP_TOKENS, width),
        torch.ones(1, people + 1, 2 * h, 2 * w) if people > 1 else None,
    )
    if scene.regions is not None:
        scene = scene._replace(regions=scene.regions.to(META))
    tokens = dit.audio_proj.project(_windows(example, dit.multitalk.audio), starts_stream=True)
    seats = tuple(range(people))
    labels = key_labels(dit.multitalk.labels, seats)
    layers = tuple(block.audio_cross_attn.project(tokens, labels) for block in dit.typed_blocks())
    audio = MultiTalkAudio(layers, seats, example.latent_frames)
    latent = _latent(example, dit.cfg.in_channels)
    velocity: Tensor = dit(latent, torch.empty(1, device=META), scene, audio).velocity
    return velocity


def _empty(*shape: int) -> Tensor:
    return torch.empty(*shape, dtype=torch.bfloat16, device=META)


def _token_size(example: ExampleConfig) -> tuple[int, int]:
    side = 2 * VAE_PIXEL_STRIDE
    return example.height // side, example.width // side


def _latent(example: ExampleConfig, channels: int) -> Tensor:
    h, w = _token_size(example)
    return _empty(1, channels, example.latent_frames, 2 * h, 2 * w)


def _windows(example: ExampleConfig, audio: AudioProjectionConfig) -> Tensor:
    return _empty(
        1, example.people, example.video_frames, audio.window, audio.layers, audio.channels
    )


SIZES: Mapping[str, Published] = {
    "anytalker-1.3b": Published(
        name="anytalker-1.3b",
        build=lambda: AnyTalkerDiT(anytalker_1_3b()),
        call=call_anytalker,
        block=JointBlock,
        # Voices share the attention's queries with text and picture; these are theirs alone.
        audio_parts=(
            ".k_audio.",
            ".v_audio.",
            ".norm_k_audio.",
            ".k_face.",
            ".v_face.",
            ".norm_k_face.",
            "audio_emb.",
            "audio_ref_emb.",
        ),
        config="anytalker-1.3b.toml",
    ),
    "multitalk-14b": Published(
        name="multitalk-14b",
        build=lambda: MultiTalkDiT(multitalk_14b()),
        call=call_multitalk,
        block=MultiTalkBlock,
        audio_parts=(".audio_cross_attn.", ".norm_x.", "audio_proj."),
        config="multitalk-14b.toml",
    ),
}
