"""Which networks a preset's bundle is made of, and how each is built from weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from export.errors import RequestError
from export.families.studio import StudioFamily
from export.recipe import Built, Loader, M, Piece, Recipe, Streaming
from export.shapes import ChunkShape
from export.studio import (
    acting_network,
    hearing_network,
    picture_networks,
    shown_pictures,
    words_network,
)
from export.wan_recipes import anytalker_recipe, multitalk_recipe, published_parts, wan_recipe
from models.anytalker.config import anytalker_1_3b
from models.checkpoints import presets
from models.checkpoints.network import Network, Part
from models.checkpoints.presets import CHINESE_SPEECH, ENGLISH_SPEECH, WAN_FUN, WAN_I2V, WAN_T2V
from models.multitalk.config import multitalk_14b
from models.studio.acting import ActingNetwork
from models.studio.acting_config import studio_acting
from models.studio.audio_config import studio_audio
from models.studio.audio_encoder import AudioEncoder
from models.studio.config import Binding, studio
from models.studio.dit import StudioDiT
from models.studio.still_reader import StillReader
from models.studio.vae import StudioVAE
from models.studio.vae_config import SPATIAL_STRIDE, studio_vae
from models.wan.config import wan_t2v_1_3b

__all__ = ["Built", "Loader", "Piece", "Recipe", "Streaming", "recipe", "recipes"]


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
        vae = load(_own("vae", lambda: StudioVAE(vae_cfg)))
        reader = load(_own("still", StillReader)) if shape.is_strip else None
        networks = picture_networks(vae, reader, shape)
        return Built(networks, None, partial(shown_pictures, vae, shape))

    def voices(load: Loader, shape: ChunkShape) -> Built:
        encoder = load(_own("audio_encoder", lambda: AudioEncoder(audio_cfg)))
        return Built((hearing_network(encoder, shape),), None)

    def faces_and_heads(load: Loader, shape: ChunkShape) -> Built:
        network = load(_own("acting", lambda: ActingNetwork(studio_acting())))
        return Built((acting_network(network, shape),), None)

    roles = {"dit", "text_encoder", "prompt", "audio_kv"}
    is_identity = binding is Binding.IDENTITY
    faces = {"face_encoder"} if is_identity else set()
    return Recipe(
        name="studio" if is_identity else "studio-labels",
        architecture="studio",
        identity="identity_attention" if is_identity else "l_rope",
        pieces=(
            Piece("voices", frozenset({"audio_encoder"}), voices),
            Piece("acting", frozenset({"acting"}), faces_and_heads),
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
    cfg = anytalker_1_3b().wan
    parts = published_parts(presets.anytalker_1_3b(), cfg, WAN_FUN, ENGLISH_SPEECH)
    return anytalker_recipe("anytalker-1.3b", parts)


def _multitalk_14b() -> Recipe:
    cfg = multitalk_14b().wan
    parts = published_parts(presets.multitalk_14b(), cfg, WAN_I2V, CHINESE_SPEECH)
    return multitalk_recipe("multitalk-14b", parts)


def _wan_t2v_1_3b() -> Recipe:
    parts = published_parts(presets.wan_t2v_1_3b(), wan_t2v_1_3b(), WAN_T2V, None)
    return wan_recipe("wan-t2v-1.3b", parts)
