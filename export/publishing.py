"""The last step of an export: the manifest that makes a folder of networks a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from engines.manifest import Curves, LatentGrid, RegionRule, Rotation, Transformer
from export.bundle import BundleFacts, write_bundle
from export.errors import ExportError
from export.recipes import Recipe
from export.records import Record, Records
from export.request import ExportRequest
from export.running import source_commit
from export.shared_weights import share_weights
from export.wan_facts import wan_facts
from models.checkpoints.network import build_empty
from models.studio.audio_config import studio_audio
from models.wan.config import VAE_FRAME_STRIDE
from models.wan.rope import THETA, axis_widths

WORDS_FILE = "words.txt"  # one word a line; training writes it beside the weights
# From a face to its person, in widths and heights of the face's box: hair, shoulders, chest.
STUDIO_REGION = RegionRule(sideways=0.75, above=0.5, below=1.5)


def publish(recipe: Recipe, request: ExportRequest, records: Sequence[Record]) -> str:
    """Write bundle.json of a whole export; say what was done.

    A part of a bundle (`--role`) gets no manifest: no engine could run it.

    Raises:
        ExportError: when the parts contradict each other.
    """
    if request.roles:
        return f"{len(records)} networks in {request.out}; with --role there is no manifest"
    try:
        records = share_weights(records, request.out)
        found = replace(facts(recipe, request), transformer=_transformer(recipe, request))
        manifest = write_bundle(found, request, records, source_commit())
    except ValidationError as error:
        raise ExportError(f"{request.out}: the manifest contradicts itself ({error})") from error
    Records(request.out, request.fingerprint).forget()
    size = sum({file.path: file.bytes for file in manifest.files}.values()) / 2**20
    return f"bundle {manifest.name} in {request.out}: {len(records)} networks, {size:.1f} MiB"


def facts(recipe: Recipe, request: ExportRequest) -> BundleFacts:
    """Give what a preset's manifest says besides its networks."""
    if recipe.architecture != "studio":
        return wan_facts(recipe, request, _card(recipe, request))
    time, height, width = axis_widths(recipe.head_dim)
    words = _words_file(request.weights.directory)
    return BundleFacts(
        architecture=recipe.architecture,
        identity=recipe.identity,
        look_ahead_samples=studio_audio().look_ahead_samples,
        chunk_frames=recipe.streaming.chunk_frames,
        window_frames=recipe.streaming.window_frames,
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
            is_sink_timeless=True,
        ),
        context_timestep=recipe.streaming.context_timestep,
        region=STUDIO_REGION,
        tokenizer="bytes" if words is None else "words",
        tokenizer_file=words,
        curves=Curves(first_channel=0, group=0),
        license="Apache-2.0",
        model_card=_card(recipe, request),
    )


def _transformer(recipe: Recipe, request: ExportRequest) -> Transformer | None:
    """Give the widths of the preset's transformer, read off without its weights."""
    shape = recipe.shape(request.rolled_sizes[0])
    families = (
        piece.build(build_empty, shape).family for piece in recipe.pieces if "dit" in piece.roles
    )
    cfg = next((family.dit.cfg for family in families if family is not None), None)
    if cfg is None:
        return None
    return Transformer(layers=cfg.layers, width=cfg.dim, feed_forward=cfg.ffn_dim)


def _words_file(directory: Path | None) -> Path | None:
    """Find the prompt encoder's words; random weights have none and read bytes."""
    if directory is None:
        return None
    found = [
        path
        for path in (directory / WORDS_FILE, directory / "studio" / WORDS_FILE)
        if path.is_file()
    ]
    return found[0] if found else None


def _card(recipe: Recipe, request: ExportRequest) -> str:
    sizes = ", ".join(size.key for size in request.sizes)
    origin = request.weights.description
    warning = (
        " Random weights: for benches, it makes no pictures of anything."
        if request.weights.directory is None
        else ""
    )
    said = f"\n\n{request.card}" if request.card else ""
    of_sizes = f"Sizes (width x height x people): {sizes}."
    return f"{recipe.name}, weights: {origin}. {of_sizes}{warning}{said}"
