"""Make weights: synthetic people to learn from today, training stages to come."""

from __future__ import annotations

import typer

from training.compact_cli import compact
from training.stages.acting.acting_cli import acting
from training.stages.audio.audio_cli import audio
from training.stages.decoder.decoder_cli import decoder
from training.stages.distill.distill_cli import distill
from training.stages.dit.dit_cli import single
from training.stages.latents.encode_cli import encode
from training.stages.multi.multi_cli import multi
from training.stages.plan.plan_cli import plan_stages
from training.stages.rollout.rollout_cli import rollout
from training.stages.still.still_cli import still
from training.stages.vae.vae_cli import vae
from training.studio.studio_cli import app as studio

app = typer.Typer(help=__doc__, no_args_is_help=True)
app.add_typer(studio, name="studio")
app.command()(audio)
app.command()(vae)
app.command()(encode)
app.command()(acting)
app.command()(still)
app.command()(single)
app.command()(multi)
app.command()(rollout)
app.command()(distill)
app.command()(decoder)
app.command()(compact)
app.command("plan")(plan_stages)


@app.callback()
def group() -> None:
    """Keep `studio` a command of its own while it is the only one."""
