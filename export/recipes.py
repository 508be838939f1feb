"""Which networks a preset's bundle is made of, and how each is built from weights.

Networks that share weights are built together, as one piece, and pieces one after another: no more
than one set of weights is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from torch import nn

from export.encoders import audio_network, picture_network, text_network
from export.errors import RequestError
from export.families.anytalker import AnyTalkerFamily
from export.families.family import Family
from export.families.multitalk import MultiTalkFamily
from export.families.studio import StudioFamily
from export.families.wan import WanFamily
from export.network import ExportNetwork
from export.request import PictureSize
from export.shapes import ChunkShape
from export.studio import hearing_network, picture_networks, words_network
from export.vae import decoder_networks
from models.checkpoints import presets
from models.checkpoints.network import Network, Part
from models.checkpoints.presets import (
    CHINESE_SPEECH,
    ENGLISH_SPEECH,
    WAN_FUN,
    WAN_I2V,
    WAN_T2V,
    Release,
)
from models.studio.audio_config import studio_audio
from models.studio.audio_encoder import AudioEncoder
from models.studio.config import Binding, studio
from models.studio.dit import StudioDiT
from models.studio.vae import StudioVAE
from models.studio.vae_config import SPATIAL_STRIDE, studio_vae
from models.wan.config import VAE_PIXEL_STRIDE

M = TypeVar("M", bound=nn.Module)
TEXT_TOKENS = 512
VOICE_WINDOW_FRAMES = 125  # 5 s of what a live wav2vec2 sees


class Loader(Protocol):
    """Gives a network its numbers; one that gives none serves to measure sizes."""

    def __call__(self, network: Network[M]) -> M: ...


class Built(NamedTuple):
    """A piece's networks, sharing weights."""

    networks: tuple[ExportNetwork, ...]  # without the transformer's own
    family: Family | None  # of the transformer, where the piece has one


class Piece(NamedTuple):
    """Networks of a bundle that share one set of weights."""

    name: str
    roles: frozenset[str]
    build: Callable[[Loader, ChunkShape], Built]


class Streaming(NamedTuple):
    """How a stream is cut, in latent frames."""

    chunk_frames: int
    window_frames: int
    context_timestep: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One preset's bundle."""

    name: str
    architecture: str
    identity: str
    pieces: tuple[Piece, ...]
    latent_stride: int
    patch: int
    head_dim: int
    streaming: Streaming

    def shape(self, size: PictureSize) -> ChunkShape:
        """Give the shape of the transformer's graph for one picture size.

        Raises:
            RequestError: when the picture does not divide into tokens.
        """
        return ChunkShape(
            batch=1,
            people=size.people,
            width_px=size.width,
            height_px=size.height,
            latent_stride=self.latent_stride,
            patch=(self.patch, self.patch),
            chunk_frames=self.streaming.chunk_frames,
            window_frames=self.streaming.window_frames,
            sink_frames=1,
        )


def recipe(name: str) -> Recipe:
    """Give a preset's recipe.

    Raises:
        RequestError: when there is none of that name.
    """
    known = recipes()
    if name not in known:
        raise RequestError(f"there is no preset {name!r} to export; there are {', '.join(known)}")
    return known[name]()


def recipes() -> Mapping[str, Callable[[], Recipe]]:
    """Give every recipe by its preset's name."""
    return {
        "studio": lambda: _studio(Binding.IDENTITY),
        "studio-labels": lambda: _studio(Binding.LABELS),
        "anytalker-1.3b": _anytalker_1_3b,
        "multitalk-14b": _multitalk_14b,
        "wan-t2v-1.3b": _wan_t2v_1_3b,
    }


def _studio(binding: Binding) -> Recipe:
    cfg, vae_cfg, audio_cfg = studio(binding), studio_vae(), studio_audio()

    def transformer(load: Loader, shape: ChunkShape) -> Built:
        family = StudioFamily(dit=load(_own("dit", lambda: StudioDiT(cfg))))
        words = words_network(family.dit.text_encoder)
        return Built((words, *family.companions(shape)), family)

    def pictures(load: Loader, shape: ChunkShape) -> Built:
        return Built(picture_networks(load(_own("vae", lambda: StudioVAE(vae_cfg))), shape), None)

    def voices(load: Loader, shape: ChunkShape) -> Built:
        encoder = load(_own("audio_encoder", lambda: AudioEncoder(audio_cfg)))
        return Built((hearing_network(encoder, shape),), None)

    roles = {"dit", "text_encoder", "prompt", "audio_kv"}
    is_identity = binding is Binding.IDENTITY
    faces = {"face_encoder"} if is_identity else set()
    return Recipe(
        name="studio" if is_identity else "studio-labels",
        architecture="studio",
        identity="identity_attention" if is_identity else "l_rope",
        pieces=(
            Piece("voices", frozenset({"audio_encoder"}), voices),
            Piece("pictures", frozenset({"picture_encoder", "vae_decoder"}), pictures),
            Piece("transformer", frozenset(roles | faces), transformer),
        ),
        latent_stride=SPATIAL_STRIDE,
        patch=cfg.wan.patch[1],
        head_dim=cfg.wan.head_dim,
        streaming=Streaming(cfg.chunk_frames, cfg.window_frames, context_timestep=0.0),
    )


def _own(name: str, build: Callable[[], M]) -> Network[M]:
    """Describe a network of our own: one safetensors file, as training writes it."""
    part = Part(repository=None, folders=("studio",), choices=(f"{name}.safetensors",))
    return Network(name=f"studio-{name}", build=build, parts=(part,))


def _anytalker_1_3b() -> Recipe:
    def build(load: Loader, shape: ChunkShape) -> Built:
        family = AnyTalkerFamily(dit=load(presets.anytalker_1_3b()))
        return Built(family.companions(shape), family)

    roles = frozenset({"dit", "prompt", "face_encoder", "audio_kv"})
    pieces = (Piece("transformer", roles, build), *_encoders(WAN_FUN, ENGLISH_SPEECH))
    return _wan_recipe("anytalker-1.3b", "anytalker", "identity_attention", pieces)


def _multitalk_14b() -> Recipe:
    def build(load: Loader, shape: ChunkShape) -> Built:
        family = MultiTalkFamily(dit=load(presets.multitalk_14b()))
        return Built(family.companions(shape), family)

    roles = frozenset({"dit", "prompt", "audio_kv"})
    pieces = (Piece("transformer", roles, build), *_encoders(WAN_I2V, CHINESE_SPEECH))
    return _wan_recipe("multitalk-14b", "multitalk", "l_rope", pieces)


def _wan_t2v_1_3b() -> Recipe:
    def build(load: Loader, shape: ChunkShape) -> Built:
        family = WanFamily(dit=load(presets.wan_t2v_1_3b()))
        return Built(family.companions(shape), family)

    pieces = (Piece("transformer", frozenset({"dit", "prompt"}), build), *_text_and_vae(WAN_T2V))
    return _wan_recipe("wan-t2v-1.3b", "wan", "none", pieces)


def _wan_recipe(name: str, architecture: str, identity: str, pieces: tuple[Piece, ...]) -> Recipe:
    return Recipe(
        name=name,
        architecture=architecture,
        identity=identity,
        pieces=pieces,
        latent_stride=VAE_PIXEL_STRIDE,
        patch=2,
        head_dim=128,
        streaming=Streaming(chunk_frames=1, window_frames=5, context_timestep=0.0),
    )


def _encoders(release: Release, speech: Release) -> tuple[Piece, ...]:
    def picture(load: Loader, shape: ChunkShape) -> Built:
        return Built((picture_network(load(presets.clip_vit_h14(release))),), None)

    def voice(load: Loader, shape: ChunkShape) -> Built:
        network = load(presets.wav2vec2_base(speech))
        return Built((audio_network(network, shape.people, VOICE_WINDOW_FRAMES),), None)

    return (
        *_text_and_vae(release),
        Piece("picture", frozenset({"image_encoder"}), picture),
        Piece("voice", frozenset({"audio_encoder"}), voice),
    )


def _text_and_vae(release: Release) -> tuple[Piece, ...]:
    def decoder(load: Loader, shape: ChunkShape) -> Built:
        return Built(decoder_networks(load(presets.wan_vae(release)), shape), None)

    def text(load: Loader, shape: ChunkShape) -> Built:
        return Built((text_network(load(presets.umt5_xxl(release)), TEXT_TOKENS),), None)

    return (
        Piece("decoder", frozenset({"vae_decoder", "vae_decoder_start"}), decoder),
        Piece("text", frozenset({"text_encoder"}), text),
    )
