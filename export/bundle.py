"""Finished networks as entries of a manifest, and the manifest of a whole bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from engines.manifest import (
    Curves,
    FileEntry,
    Hardware,
    LatentGrid,
    Manifest,
    NetworkEntry,
    Parity,
    RegionRule,
    Role,
    Rotation,
    Sampling,
    Size,
    StateEntry,
    TensorEntry,
    Tokenizer,
    Transformer,
    WanConditions,
    describe_file,
    write_manifest,
)
from export.conversations import copy_conversations
from export.finishing import Finished
from export.network import STATE_OUTPUT
from export.records import Record
from export.request import ExportRequest, Target
from export.scenes import copy_scenes
from export.shapes import TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What a bundle's manifest says besides its networks: the same for every export of a preset."""

    architecture: str
    identity: str
    look_ahead_samples: int
    chunk_frames: int
    window_frames: int
    latent: LatentGrid
    rotation: Rotation
    context_timestep: float
    region: RegionRule
    tokenizer: str  # "bytes", or the name of a kind that comes with a file
    tokenizer_file: Path | None
    curves: Curves | None
    license: str
    model_card: str
    wan: WanConditions | None = None
    transformer: Transformer | None = None  # its widths, by which work is counted


def entry_of(finished: Finished, target: Target, out: Path) -> Record:
    """Describe a finished network for the manifest; reads its files once for their hashes."""
    network, outputs, _ = finished.graph
    identity = finished.identity
    is_engine = identity is not None
    file_format = target if is_engine or target is not Target.TENSORRT else Target.ONNX
    hardware = None
    if identity is not None:
        hardware = Hardware(
            compute_capability=identity.compute_capability or "0.0",
            gpu=identity.gpu or "any",
            runtime_version=f"{identity.api} {identity.version}",
        )
    entry = NetworkEntry(
        role=cast(Role, network.role),
        size=network.label,
        format=file_format.value,
        precision=finished.precision,
        files=tuple(describe_file(out, path) for path in finished.files),
        inputs=tuple(_tensor(spec) for spec in network.inputs),
        outputs=tuple(_tensor(spec) for spec in outputs),
        states=tuple(
            StateEntry(
                input=name,
                output=f"{STATE_OUTPUT}{name}",
                person_axis=0 if network.role == "audio_encoder" else None,
            )
            for name in network.states
        ),
        kv=None if finished.flavor is None else finished.flavor.value,
        hardware=hardware,
        flops=finished.flops,
    )
    report = finished.report
    parity = Parity(
        network=network.key,
        precision=finished.precision,
        chunks=len(report.relative_l2),
        relative_l2=report.worst,
        bound=report.bound,
    )
    return Record(entry, parity)


def _tensor(spec: TensorSpec) -> TensorEntry:
    name = str(spec.dtype).removeprefix("torch.")
    return TensorEntry.model_validate({"name": spec.name, "shape": spec.shape, "dtype": name})


def write_bundle(
    facts: BundleFacts, request: ExportRequest, records: Sequence[Record], commit: str
) -> Manifest:
    """Write bundle.json of a whole bundle.

    Raises:
        ArtifactError: when a file is not as described.
        ValidationError: when parts contradict each other.
    """
    table: FileEntry | None = None
    if facts.tokenizer_file is not None:
        target = request.out / facts.tokenizer_file.name
        target.write_bytes(facts.tokenizer_file.read_bytes())
        table = describe_file(request.out, target)
    manifest = Manifest.model_validate(
        {
            "schema_version": 1,
            "name": f"{request.preset} ({request.weights.description})",
            "architecture": facts.architecture,
            "identity": facts.identity,
            "fps": 25,
            "sample_rate": 16000,
            "look_ahead_samples": facts.look_ahead_samples,
            "chunk_frames": facts.chunk_frames,
            "sink_frames": 1,
            "window_frames": facts.window_frames,
            "latent": facts.latent,
            "transformer": facts.transformer,
            "rotation": facts.rotation,
            "sampling": Sampling(
                sampler="euler",
                schedules=request.schedules,
                context_timestep=facts.context_timestep,
                remembers=request.remembers,
            ),
            "region": facts.region,
            "tokenizer": Tokenizer.model_validate({"kind": facts.tokenizer, "file": table}),
            "curves": facts.curves,
            "wan": facts.wan,
            "cells": request.cells,
            "sizes": tuple(
                Size(people=each.people, width=each.width, height=each.height)
                for each in request.sizes
            ),
            "networks": tuple(each.entry for each in records),
            "scenes": copy_scenes(request.scenes, request.out),
            "conversations": copy_conversations(request.conversations, request.out),
            "parity": tuple(each.parity for each in records),
            "source_commit": commit,
            "license": facts.license,
            "model_card": facts.model_card,
        }
    )
    write_manifest(manifest, request.out)
    return manifest
