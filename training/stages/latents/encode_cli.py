"""`parley train encode`: rendered clips to latents, once, for the transformer's stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track

from models.errors import InputError, ModelError
from training.stages.audio.shipped import read_encoder
from training.stages.cells import CellConfig, cells_of, cells_of_side
from training.stages.dit.smoke import encode_dolls
from training.stages.latents.encoded import film_of, write_clip, write_film
from training.stages.latents.encoding import encode_clip
from training.stages.multi.side_by_side import strip
from training.stages.vae.shipped import read_vae
from training.studio.shards.reader import Clips

STILLS = 4
FACE_SIDE_PX = 64

console = Console()


def encode(  # noqa: PLR0913  # a command's options are its arguments
    out: Annotated[Path, typer.Option(help="Folder of the encoded clips; what is there stays.")],
    clips: Annotated[Path | None, typer.Option(help="Folder of shards.")] = None,
    vae: Annotated[
        Path | None, typer.Option(help="Weights of the autoencoder (.safetensors).")
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="Weights of the audio encoder (.safetensors).")
    ] = None,
    people: Annotated[
        int | None, typer.Option(min=1, help="Only clips that show so many people.")
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option(metavar="SIDE", help="Only the squares around faces, at so many pixels."),
    ] = None,
    jitter: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.4, help="With --cell: how far squares are off; 0 for the exact ones."
        ),
    ] = 0.06,
    copies: Annotated[
        int, typer.Option(min=1, help="With --cell: so many of each clip, cut differently.")
    ] = 1,
    apart: Annotated[
        bool, typer.Option(help="With --cell: each person of a clip as a clip of one person.")
    ] = False,
    film: Annotated[
        bool, typer.Option(help="Keep the video, too, for `parley train decoder`: 10 MB a clip.")
    ] = False,
    smoke: Annotated[bool, typer.Option(help="Encode dolls with untrained encoders.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Encode rendered clips with the frozen autoencoder and audio encoder."""
    try:
        if smoke:
            encode_dolls(out / "dolls", out / "held-out-dolls")
        else:
            cut = None if cell is None else cells_of_side(cell, jitter)
            named = _named(clips, vae, audio, cut, copies, is_apart=apart, is_filmed=film)
            _encode(out, named, people, torch.device(device))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"encoded clips are in {out}")


class _Inputs(NamedTuple):
    clips: Path
    vae: Path
    audio: Path
    cells: CellConfig | None
    copies: int
    is_apart: bool
    is_filmed: bool

    def lacks(self, path: Path) -> bool:
        """Say whether a clip is still to be written."""
        return not path.exists() or (self.is_filmed and not film_of(path).exists())


def _named(  # noqa: PLR0913  # what the command was told
    clips: Path | None,
    vae: Path | None,
    audio: Path | None,
    cells: CellConfig | None,
    copies: int,
    *,
    is_apart: bool,
    is_filmed: bool,
) -> _Inputs:
    if clips is None or vae is None or audio is None:
        raise InputError("name --clips, --vae and --audio, or encode dolls with --smoke")
    if cells is None and (copies > 1 or is_apart):
        raise InputError("whole pictures show all, and all alike: --copies, --apart are for --cell")
    if is_filmed and cells is None:
        raise InputError("--film keeps the video of cells; give their side by --cell")
    return _Inputs(clips, vae, audio, cells, copies, is_apart, is_filmed)


def _encode(out: Path, inputs: _Inputs, people: int | None, device: torch.device) -> None:
    autoencoder = read_vae(inputs.vae).to(device)
    encoder = read_encoder(inputs.audio).to(device)
    out.mkdir(parents=True, exist_ok=True)
    for clip in track(Clips(inputs.clips).clips, "encoding", console=console):
        described = clip.describe()
        if people not in (None, len(described["people"])):
            continue
        seats = range(len(described["people"])) if inputs.is_apart else [None]
        copies = [[out / _name(clip.key, n, seat) for seat in seats] for n in range(inputs.copies)]
        if not any(inputs.lacks(path) for paths in copies for path in paths):
            continue
        sample = clip.read(0, described["frames"])
        for copy, paths in enumerate(copies):
            if not any(inputs.lacks(path) for path in paths):
                continue
            chance = np.random.default_rng((copy, *clip.key.encode()))
            cut = [sample] if inputs.cells is None else cells_of(sample, inputs.cells, chance)
            if not all(path.exists() for path in paths):
                parts = [
                    encode_clip(each, autoencoder, encoder, STILLS, FACE_SIDE_PX) for each in cut
                ]
                made = parts if inputs.is_apart else [strip(parts)]
                for path, part in zip(paths, made, strict=True):
                    write_clip(path, part)
            if inputs.is_filmed:
                videos = [each.video for each in cut]
                films = videos if inputs.is_apart else [np.concatenate(videos, axis=2)]
                for path, video in zip(paths, films, strict=True):
                    write_film(path, video)


def _name(key: str, copy: int, seat: int | None) -> str:
    return f"{key}{f'-{copy}' if copy else ''}{'' if seat is None else f'_{seat}'}.npz"
