"""The published networks and sets of them: how each is built and which files it comes in.

File names and repositories are those of the authors' own instructions; docs/checkpoints.md says
which facts were checked how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from models.anytalker.config import anytalker_1_3b as anytalker_1_3b_config
from models.anytalker.config import anytalker_14b as anytalker_14b_config
from models.anytalker.dit import AnyTalkerDiT
from models.checkpoints.network import Network, Part
from models.encoders import clip, umt5, wav2vec2
from models.multitalk.config import multitalk_14b as multitalk_14b_config
from models.multitalk.dit import MultiTalkDiT
from models.vae.config import wan_vae as wan_vae_config
from models.vae.wan_vae import WanVAE
from models.wan.config import wan_i2v_14b as wan_i2v_14b_config
from models.wan.config import wan_t2v_1_3b as wan_t2v_1_3b_config
from models.wan.dit import WanDiT

SHARDS = "diffusion_pytorch_model.safetensors.index.json"
VAE_FILE = "Wan2.1_VAE.pth"
TEXT_FILE = "models_t5_umt5-xxl-enc-bf16.pth"
IMAGE_FILE = "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth"
TOKENIZER = tuple(
    f"google/umt5-xxl/{name}"
    for name in (
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
    )
)
# In every block but for audio_proj; the tensors that multitalk.safetensors adds to the base.
MULTITALK_AUDIO = ("audio_proj.", ".audio_cross_attn.", ".norm_x.")


class Release(NamedTuple):
    """A repository on the model hub and the folders it is usually downloaded to."""

    repository: str
    folders: tuple[str, ...]


WAN_I2V = Release("Wan-AI/Wan2.1-I2V-14B-480P", ("Wan2.1-I2V-14B-480P",))
WAN_T2V = Release("Wan-AI/Wan2.1-T2V-1.3B", ("Wan2.1-T2V-1.3B",))
WAN_FUN = Release(
    "alibaba-pai/Wan2.1-Fun-V1.1-1.3B-InP", ("Wan2.1-Fun-1.3B-Inp", "Wan2.1-Fun-V1.1-1.3B-InP")
)
CHINESE_SPEECH = Release("TencentGameMate/chinese-wav2vec2-base", ("chinese-wav2vec2-base",))
ENGLISH_SPEECH = Release("facebook/wav2vec2-base-960h", ("wav2vec2-base-960h",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What `parley checkpoints verify --preset` can ask for."""

    name: str
    summary: str
    networks: tuple[Network[nn.Module], ...]


def multitalk_14b() -> Network[MultiTalkDiT]:
    """Give MultiTalk's transformer: the base's seven shards and one file of audio layers."""
    return Network(
        name="multitalk-14b",
        build=lambda: MultiTalkDiT(multitalk_14b_config()),
        parts=(
            _part(WAN_I2V, (SHARDS,)),
            Part(
                repository="MeiGen-AI/MeiGen-MultiTalk",
                folders=("MeiGen-MultiTalk", *WAN_I2V.folders),
                choices=("multitalk.safetensors",),
                replaces=MULTITALK_AUDIO,
            ),
        ),
    )


def anytalker_1_3b() -> Network[AnyTalkerDiT]:
    """Give AnyTalker's published transformer; its file holds the base's weights as well."""
    return Network(
        name="anytalker-1.3b",
        build=lambda: AnyTalkerDiT(anytalker_1_3b_config()),
        parts=(
            Part(
                repository="zzz66/AnyTalker-1.3B",
                folders=("AnyTalker", "AnyTalker-1.3B"),
                choices=("1_3B-single-v1.pth",),
                containers=("model",),
            ),
        ),
    )


def anytalker_14b() -> Network[AnyTalkerDiT]:
    """Give AnyTalker's large transformer, whose code is published and whose weights are not."""
    part = Part(
        repository=None,
        folders=("AnyTalker-14B",),
        choices=(),
        containers=("model",),
    )
    return Network(
        name="anytalker-14b", build=lambda: AnyTalkerDiT(anytalker_14b_config()), parts=(part,)
    )


def wan_i2v_14b() -> Network[WanDiT]:
    """Give the image-to-video base of MultiTalk."""
    return Network(
        name="wan-i2v-14b",
        build=lambda: WanDiT(wan_i2v_14b_config()),
        parts=(_part(WAN_I2V, (SHARDS,)),),
    )


def wan_t2v_1_3b() -> Network[WanDiT]:
    """Give the text-to-video base of Self-Forcing."""
    return Network(
        name="wan-t2v-1.3b",
        build=lambda: WanDiT(wan_t2v_1_3b_config()),
        parts=(_part(WAN_T2V, ("diffusion_pytorch_model.safetensors",)),),
    )


def self_forcing() -> Network[WanDiT]:
    """Give the causal few-step weights of Self-Forcing; averaged weights before raw ones."""
    part = Part(
        repository="gdhe17/Self-Forcing",
        folders=("Self-Forcing",),
        choices=("checkpoints/self_forcing_dmd.pt",),
        containers=("generator_ema", "generator"),
    )
    return Network(
        name="self-forcing",
        build=lambda: WanDiT(wan_t2v_1_3b_config()),
        parts=(part,),
        rename=_unwrapped,
    )


def wan_vae(release: Release = WAN_T2V) -> Network[WanVAE]:
    """Give the VAE, the same file in every Wan 2.1 repository."""
    return Network(
        name="wan-vae",
        build=lambda: WanVAE(wan_vae_config()),
        parts=(_part(release, (VAE_FILE,)),),
    )


def umt5_xxl(release: Release = WAN_T2V) -> Network[umt5.Umt5Encoder]:
    """Give the text encoder, the same file in every Wan 2.1 repository, and its tokenizer."""
    return Network(
        name="umt5-xxl",
        build=lambda: umt5.Umt5Encoder(umt5.umt5_xxl()),
        parts=(_part(release, (TEXT_FILE,), companions=TOKENIZER),),
        rename=umt5.rename,
    )


def clip_vit_h14(release: Release = WAN_I2V) -> Network[clip.ClipImageTower]:
    """Give the image encoder; its file holds a text tower as well, which is left out."""
    return Network(
        name="clip-vit-h14",
        build=lambda: clip.ClipImageTower(clip.clip_vit_h14()),
        parts=(_part(release, (IMAGE_FILE,)),),
        rename=clip.rename,
    )


def wav2vec2_base(release: Release = ENGLISH_SPEECH) -> Network[wav2vec2.Wav2Vec2Network]:
    """Give the audio encoder; the mask embedding, read in training alone, may be missing."""
    # The safetensors form of the Chinese one exists as a pull request alone.
    revision = "refs/pr/1" if release == CHINESE_SPEECH else None
    return Network(
        name="wav2vec2-base" if release == ENGLISH_SPEECH else release.folders[0],
        build=lambda: wav2vec2.Wav2Vec2Network(wav2vec2.wav2vec2_base()),
        parts=(_part(release, ("model.safetensors", "pytorch_model.bin"), revision=revision),),
        rename=wav2vec2.rename,
        optional=frozenset({"masked_spec_embed"}),
    )


def presets() -> dict[str, Preset]:
    """Give every preset by name: the complete sets first, then single networks."""
    multitalk = (
        multitalk_14b(),
        wan_vae(WAN_I2V),
        umt5_xxl(WAN_I2V),
        clip_vit_h14(WAN_I2V),
        wav2vec2_base(CHINESE_SPEECH),
    )
    anytalker = (
        anytalker_1_3b(),
        wan_vae(WAN_FUN),
        umt5_xxl(WAN_FUN),
        clip_vit_h14(WAN_FUN),
        wav2vec2_base(),
    )
    singles: Sequence[tuple[str, Network[nn.Module]]] = (
        ("MultiTalk's transformer", multitalk_14b()),
        ("AnyTalker's transformer", anytalker_1_3b()),
        ("AnyTalker's large transformer (weights not published)", anytalker_14b()),
        ("Wan 2.1 image to video, the base of MultiTalk", wan_i2v_14b()),
        ("Wan 2.1 text to video, small", wan_t2v_1_3b()),
        ("Self-Forcing: causal, 4 steps, no audio", self_forcing()),
        ("Wan 2.1 VAE", wan_vae()),
        ("text encoder and tokenizer", umt5_xxl()),
        ("image encoder", clip_vit_h14()),
        ("audio encoder of AnyTalker", wav2vec2_base()),
        ("audio encoder of MultiTalk", wav2vec2_base(CHINESE_SPEECH)),
    )
    sets = (
        Preset(name="multitalk", summary="everything MultiTalk needs", networks=multitalk),
        Preset(name="anytalker", summary="everything AnyTalker 1.3B needs", networks=anytalker),
    )
    alone = (
        Preset(name=network.name, summary=summary, networks=(network,))
        for summary, network in singles
    )
    return {preset.name: preset for preset in (*sets, *alone)}


def _part(
    release: Release,
    choices: tuple[str, ...],
    *,
    revision: str | None = None,
    companions: tuple[str, ...] = (),
) -> Part:
    return Part(
        repository=release.repository,
        folders=release.folders,
        choices=choices,
        revision=revision,
        companions=companions,
    )


def _unwrapped(name: str) -> str | None:
    """Take off what Self-Forcing's trainer wraps around the transformer."""
    return name.replace("_fsdp_wrapped_module.", "").removeprefix("model.")
