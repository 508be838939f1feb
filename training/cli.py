"""Make weights: synthetic people to learn from today, training stages to come."""

from __future__ import annotations

import typer

from training.stages.audio.audio_cli import audio
from training.stages.dit.dit_cli import single
from training.stages.latents.encode_cli import encode
from training.stages.vae.vae_cli import vae
from training.studio.studio_cli import app as studio

app = typer.Typer(help=__doc__, no_args_is_help=True)
app.add_typer(studio, name="studio")
app.command()(audio)
app.command()(vae)
app.command()(encode)
app.command()(single)


@app.callback()
def group() -> None:
    """Keep `studio` a command of its own while it is the only one."""
