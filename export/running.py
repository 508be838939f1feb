"""One whole export: piece by piece, network by network, each recorded as soon as it is verified."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from export.bundle import entry_of
from export.drafts import Desk, dit_key, draft_piece
from export.finishing import finish, is_fresh
from export.recipes import Piece, Recipe
from export.records import Record, Records
from export.request import ExportRequest
from export.rollout import RollPlan
from export.shapes import ChunkShape
from export.wan_facts import find_tokenizer
from models.checkpoints.network import build_empty

NETWORKS = "networks"
SEED = 11

Report = Callable[[str], None]
"""Takes one line about what was done."""


def run_export(recipe: Recipe, request: ExportRequest, tell: Report) -> list[Record]:
    """Make every network that is asked for and that no earlier run has made; give all records.

    Raises:
        ExportError: when a network cannot be made or verified; those before it stay recorded.
        CheckpointError: when weights are missing.
    """
    if not request.roles:
        find_tokenizer(recipe, request.weights.directory)  # now, not after hours of work
    records = Records(request.out, request.fingerprint)
    keys: dict[str, None] = {}
    for piece in recipe.pieces:
        if any(request.wants(role) for role in piece.roles):
            for size in request.rolled_sizes:
                shape = recipe.shape(size, is_strip=request.cells is not None)
                keys |= dict.fromkeys(_run_piece(piece, shape, recipe, request, tell))
    return [record for key in keys for record in records.find(key)]


def _run_piece(
    piece: Piece, shape: ChunkShape, recipe: Recipe, request: ExportRequest, tell: Report
) -> list[str]:
    """Make what is missing of one piece at one size; give the keys of all of it."""
    records = Records(request.out, request.fingerprint)
    keys = piece_keys(piece, shape, request)
    found = {key: records.find(key) for key in keys}
    pending = {key for key, made in found.items() if not made or not is_fresh(made)}
    for key in keys:
        if key not in pending:
            tell(f"{key}: there from an earlier run")
    if not pending:
        return keys
    folder = request.out / NETWORKS
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"{piece.name} at {shape.label}: loading weights")
    plan = RollPlan(
        chunks=request.parity_chunks,
        timesteps=request.timesteps,
        context_timestep=recipe.streaming.context_timestep,
        seed=SEED,
    )
    desk = Desk(request, folder, shape, plan, pending.__contains__)
    for draft in draft_piece(piece.build(request.weights.load, shape), desk):
        made = []
        for finished in finish(draft, request, folder):
            size = sum(path.stat().st_size for path in finished.files) / 2**20
            tell(f"{finished.report}; {size:.1f} MiB")
            made.append(entry_of(finished, request.target, request.out))
        records.add(draft.graph.network.key, made)
    return keys


def piece_keys(piece: Piece, shape: ChunkShape, request: ExportRequest) -> list[str]:
    """List the networks of a piece that are asked for, in the order in which they are made."""
    built = piece.build(build_empty, shape)
    keys = [network.key for network in built.networks if request.wants(network.role)]
    if built.family is not None and request.wants("dit"):
        keys.append(dit_key(shape))
    return keys


def source_commit() -> str:
    """Give the commit that this code is of; "unknown" outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
