"""`parley train encode`: rendered clips to latents, once, for the transformer's stages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track

from models.errors import ModelError
from training.stages.audio.shipped import read_encoder
from training.stages.latents.encoded import write_clip
from training.stages.latents.encoding import encode_clip
from training.stages.vae.shipped import read_vae
from training.studio.shards.reader import Clips

STILLS = 4
FACE_SIDE_PX = 64

console = Console()


def encode(
    out: Annotated[Path, typer.Option(help="Folder of the encoded clips; what is there stays.")],
    clips: Annotated[Path, typer.Option(help="Folder of shards.")],
    vae: Annotated[Path, typer.Option(help="Weights of the autoencoder (.safetensors).")],
    audio: Annotated[Path, typer.Option(help="Weights of the audio encoder (.safetensors).")],
    people: Annotated[
        int | None, typer.Option(min=1, help="Only clips of so many people; all without it.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Encode rendered clips with the frozen autoencoder and audio encoder."""
    try:
        autoencoder = read_vae(vae).to(torch.device(device))
        encoder = read_encoder(audio).to(torch.device(device))
        out.mkdir(parents=True, exist_ok=True)
        for clip in track(Clips(clips).clips, "encoding", console=console):
            path = out / f"{clip.key}.npz"
            wanted = people in (None, len(clip.describe()["people"]))
            if wanted and not path.exists():
                sample = clip.read(0, clip.describe()["frames"])
                write_clip(path, encode_clip(sample, autoencoder, encoder, STILLS, FACE_SIDE_PX))
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"encoded clips are in {out}")
