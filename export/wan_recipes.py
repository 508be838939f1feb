"""Recipes of Wan-size bundles: a transformer with the published encoders and the Wan VAE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from export.encoders import picture_network, text_network
from export.errors import RequestError
from export.families.anytalker import AnyTalkerFamily
from export.families.family import Family
from export.families.multitalk import MultiTalkFamily
from export.families.wan import WanFamily
from export.live_voice import audio_network
from export.recipe import Built, Loader, Piece, Recipe, Streaming
from export.shapes import ChunkShape
from export.vae import decoder_networks, encoder_networks
from models.anytalker.dit import AnyTalkerDiT
from models.checkpoints import presets
from models.checkpoints.network import Network
from models.checkpoints.presets import Release
from models.encoders.clip import ClipImageTower
from models.encoders.umt5 import Umt5Encoder
from models.encoders.wav2vec2 import Wav2Vec2Network
from models.encoders.wav2vec2_streaming import StreamingConfig, live_audio
from models.multitalk.dit import MultiTalkDiT
from models.vae.wan_vae import WanVAE
from models.wan.config import VAE_PIXEL_STRIDE, WanConfig
from models.wan.dit import WanBackbone, WanDiT

D = TypeVar("D", bound=WanBackbone[Any])
TOKENIZER_FILE = "google/umt5-xxl/spiece.model"
CLIP_FRAMES = 21  # both systems were trained on 81 video frames

Families = Callable[[D], Family]
"""The transformer -> what an exporter needs to know of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WanParts(Generic[D]):
    """The networks of one Wan-size bundle."""

    dit: Network[D]
    cfg: WanConfig  # of the transformer
    vae: Network[WanVAE]
    latent_stride: int  # pixels of a latent position of that VAE
    text: Network[Umt5Encoder]
    picture: Network[ClipImageTower] | None  # None: weights without an image branch
    speech: Network[Wav2Vec2Network] | None  # None: weights without audio
    live: StreamingConfig
    streaming: Streaming
    tokenizer_files: tuple[str, ...]


def published_parts(
    dit: Network[D], cfg: WanConfig, base: Release, speech: Release | None
) -> WanParts[D]:
    """Give a published transformer's surroundings, from the release of its base."""
    voices = None if speech is None else presets.wav2vec2_base(speech)
    return WanParts(
        dit=dit,
        cfg=cfg,
        vae=presets.wan_vae(base),
        latent_stride=VAE_PIXEL_STRIDE,
        text=presets.umt5_xxl(base),
        picture=None if cfg.image_dim is None else presets.clip_vit_h14(base),
        speech=voices,
        live=live_audio(),
        streaming=Streaming(
            chunk_frames=1, window_frames=5, context_timestep=0.0, clip_frames=CLIP_FRAMES
        ),
        tokenizer_files=(
            *(f"{folder}/{TOKENIZER_FILE}" for folder in base.folders),
            TOKENIZER_FILE,
        ),
    )


def anytalker_recipe(name: str, parts: WanParts[AnyTalkerDiT]) -> Recipe:
    """Give the recipe of an AnyTalker bundle."""
    roles = frozenset({"dit", "prompt", "face_encoder", "audio_kv"})
    transformer = _transformer(parts, roles, lambda dit: AnyTalkerFamily(dit=dit))
    return _recipe(name, ("anytalker", "identity_attention"), parts, transformer)


def multitalk_recipe(name: str, parts: WanParts[MultiTalkDiT]) -> Recipe:
    """Give the recipe of a MultiTalk bundle."""
    roles = frozenset({"dit", "prompt", "audio_kv"})
    transformer = _transformer(parts, roles, lambda dit: MultiTalkFamily(dit=dit))
    return _recipe(name, ("multitalk", "l_rope"), parts, transformer)


def wan_recipe(name: str, parts: WanParts[WanDiT]) -> Recipe:
    """Give the recipe of the base transformer: it hears nothing, no room runs it."""
    roles = frozenset({"dit", "prompt"})
    transformer = _transformer(parts, roles, lambda dit: WanFamily(dit=dit))
    return _recipe(name, ("wan", "none"), parts, transformer)


def _transformer(parts: WanParts[D], roles: frozenset[str], family_of: Families[D]) -> Piece:
    def build(load: Loader, shape: ChunkShape) -> Built:
        family = family_of(load(parts.dit))
        return Built(family.companions(shape), family)

    return Piece("transformer", roles, build)


def _recipe(name: str, kind: tuple[str, str], parts: WanParts[Any], transformer: Piece) -> Recipe:
    patch = parts.cfg.patch[1]
    if parts.cfg.patch != (1, patch, patch):
        raise RequestError(f"a bundle's tokens are squares, the patch is {parts.cfg.patch}")
    return Recipe(
        name=name,
        architecture=kind[0],
        identity=kind[1],
        pieces=(transformer, *_encoders(parts)),
        latent_stride=parts.latent_stride,
        patch=patch,
        head_dim=parts.cfg.head_dim,
        streaming=parts.streaming,
        tokenizer_files=parts.tokenizer_files,
        live=None if parts.speech is None else parts.live,
    )


def _encoders(parts: WanParts[Any]) -> tuple[Piece, ...]:
    """Give the pieces around a transformer; a picture is encoded only where it is taken."""
    picture_tower, speech = parts.picture, parts.speech

    def autoencoder(load: Loader, shape: ChunkShape) -> Built:
        vae = load(parts.vae)
        encoders = () if picture_tower is None else encoder_networks(vae, shape)
        return Built((*encoders, *decoder_networks(vae, shape)), None)

    def text(load: Loader, shape: ChunkShape) -> Built:
        return Built((text_network(load(parts.text), parts.cfg.text_len),), None)

    roles = {"vae_decoder", "vae_decoder_start"}
    pieces = [Piece("text", frozenset({"text_encoder"}), text)]
    if picture_tower is not None:
        roles |= {"vae_encoder", "vae_encoder_start"}

        def picture(load: Loader, shape: ChunkShape) -> Built:
            return Built((picture_network(load(picture_tower)),), None)

        pieces.append(Piece("picture", frozenset({"image_encoder"}), picture))
    if speech is not None:

        def voice(load: Loader, shape: ChunkShape) -> Built:
            return Built((audio_network(load(speech), shape, parts.live),), None)

        pieces.append(Piece("voice", frozenset({"audio_encoder"}), voice))
    return (Piece("autoencoder", frozenset(roles), autoencoder), *pieces)
