"""What the manifest of a Wan-size bundle says besides its networks."""

from __future__ import annotations

from pathlib import Path

from engines.manifest import LatentGrid, RegionRule, Rotation, WanConditions
from export.bundle import BundleFacts
from export.errors import RequestError
from export.recipe import Recipe
from export.request import ExportRequest
from models.anytalker.masks import HEIGHT_SCALE, WIDTH_SCALE
from models.wan.config import VAE_FRAME_STRIDE
from models.wan.kv_cache import PUBLISHED_POSITIONS
from models.wan.rope import THETA, axis_widths

# AnyTalker's tokens belong to a face, grown as published.
FACE_REGION = RegionRule(
    sideways=round((WIDTH_SCALE - 1) / 2, 6),
    above=round((HEIGHT_SCALE - 1) / 2, 6),
    below=round((HEIGHT_SCALE - 1) / 2, 6),
)
# MultiTalk's belong to a person, whose face alone is known here: hair, shoulders, chest.
PERSON_REGION = RegionRule(sideways=0.75, above=0.5, below=1.5)


def wan_facts(recipe: Recipe, request: ExportRequest, card: str) -> BundleFacts:
    """Give what a preset's manifest says besides its networks.

    Raises:
        RequestError: as `find_tokenizer`.
    """
    streaming, live = recipe.streaming, recipe.live
    time, height, width = axis_widths(recipe.head_dim)
    clip_frames = streaming.clip_frames or PUBLISHED_POSITIONS
    tokenizer = find_tokenizer(recipe, request.weights.directory)
    conditions = None
    if live is not None:
        conditions = WanConditions(
            clip_frames=clip_frames, audio_past_frames=live.left_context_frames
        )
    return BundleFacts(
        architecture=recipe.architecture,
        identity=recipe.identity,
        look_ahead_samples=0 if live is None else live.lookahead_samples,
        chunk_frames=streaming.chunk_frames,
        window_frames=streaming.window_frames,
        latent=LatentGrid(
            channels=16,
            spatial_stride=recipe.latent_stride,
            patch=recipe.patch,
            frames_per_latent=VAE_FRAME_STRIDE,
        ),
        rotation=Rotation(
            theta=THETA,
            time_channels=time,
            height_channels=height,
            width_channels=width,
            is_sink_timeless=False,
            most_positions=clip_frames,
        ),
        context_timestep=streaming.context_timestep,
        region=PERSON_REGION if recipe.architecture == "multitalk" else FACE_REGION,
        tokenizer="bytes" if tokenizer is None else "sentencepiece",
        tokenizer_file=tokenizer,
        curves=None,
        license="Apache-2.0",
        model_card=card,
        wan=conditions,
    )


def find_tokenizer(recipe: Recipe, directory: Path | None) -> Path | None:
    """Find the prompt's tokenizer under published weights; random ones have none and read bytes.

    Raises:
        RequestError: when it is not there.
    """
    if directory is None or not recipe.tokenizer_files:
        return None
    for name in recipe.tokenizer_files:
        if (directory / name).is_file():
            return directory / name
    raise RequestError(
        f"the prompt's tokenizer is not under {directory}: {' or '.join(recipe.tokenizer_files)}; "
        "it comes with the text encoder"
    )
