"""`parley train decoder`: teach the decoder on the transformer's latents, told what faces do."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from rich.console import Console

from models.errors import InputError, ModelError
from models.studio.vae import StudioVAE
from training.runs.config_file import read_config
from training.runs.folder import RunFolder
from training.runs.loop import Runner, train
from training.runs.memory import keep_freed_memory
from training.runs.processes import open_processes
from training.runs.schedule import Budget
from training.stages.decoder.filmed import Filmed, FilmedBank, FilmedSource
from training.stages.decoder.task import DecoderStageConfig, DecoderTask, JointConfig
from training.stages.dit.banks import DOLLS, HELD_OUT_DOLLS
from training.stages.dit.shipped import TrainedDit, read_dit, write_dit
from training.stages.dit.smoke import doll_encoders
from training.stages.dit.starting import named, smoke_start
from training.stages.options import (
    DeviceOption,
    HeldOutOption,
    MinutesOption,
    OutOption,
    SinglesOption,
    SmokeOption,
    VaeOption,
)
from training.stages.vae.lip_reader import LipReader
from training.stages.vae.shipped import READER, read_reader, read_vae, write_reader, write_vae

HERE = Path(__file__).parent
USUAL, SMOKE = HERE / "decoder.toml", HERE / "smoke.toml"
JOINT = HERE / "joint.toml"
SMOKE_JOINT = JointConfig(latents=0.3, second_share=0.2)
SMOKE_STEPS = 120
HELD_OUT_WINDOWS = 16
SEED = 23
WEIGHTS = "vae.safetensors"
MOVEMENT = "decoder.movement."

console = Console()


class _Begun(NamedTuple):
    vae: StudioVAE
    reader: LipReader
    trained: TrainedDit


def decoder(  # noqa: PLR0913  # a command's options are its arguments
    out: OutOption,
    start: Annotated[
        Path | None, typer.Option(help="The transformer: a run's folder, or its dit.safetensors.")
    ] = None,
    vae: VaeOption = None,
    clips: SinglesOption = None,
    held_out: HeldOutOption = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings, TOML; by default the stage's own.")
    ] = None,
    joint: Annotated[
        bool, typer.Option("--joint", help="The transformer learns along, from the same pixels.")
    ] = False,
    minutes: MinutesOption = 60.0,
    smoke: SmokeOption = False,
    device: DeviceOption = "cpu",
) -> None:
    """Train the decoder on what the transformer makes, told of faces' motion; or both together."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    keep_freed_memory()
    try:
        settings = _settings(config, joint=joint, smoke=smoke)
        folder = RunFolder.open(out, settings)
        if smoke:
            single = smoke_start(out, start)
            begun = _dolls(single, settings)
            clips, held_out = [single / DOLLS], [single / HELD_OUT_DOLLS]
        else:
            begun = _named(start, vae, settings)
        source = _source(clips, begun.trained, settings)
        held = _held_out(held_out, begun.trained, settings)
        task = DecoderTask(settings, begun.vae, begun.trained.dit, begun.reader, source, held)
        budget = Budget(steps=SMOKE_STEPS) if smoke else Budget(minutes=minutes)
        with open_processes(device) as processes:
            ema = train(task, Runner(folder, settings.loop, budget, processes))
            if processes.is_first:
                last = [line for line in folder.read_log() if line["kind"] == "measure"][-1:]
                facts = last[0] if last else {}
                write_vae(out / WEIGHTS, ema.network.vae, {"training": facts})
                write_reader(out / READER, begun.reader)
                if ema.network.dit is not None:
                    write_dit(out, ema.network.dit, begun.trained.words, {"training": facts})
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(f"weights, checkpoint, log and pictures are in {out}")


def _settings(config: Path | None, *, joint: bool, smoke: bool) -> DecoderStageConfig:
    if config is None:
        usual = JOINT if joint else USUAL
        settings = read_config(SMOKE if smoke else usual, DecoderStageConfig)
        return replace(settings, joint=SMOKE_JOINT) if smoke and joint else settings
    settings = read_config(config, DecoderStageConfig)
    if joint and settings.joint is None:
        raise InputError(f"{config} has no joint table; {JOINT} has one")
    return settings


def able_to_be_told(vae: StudioVAE, movement_dim: int) -> StudioVAE:
    """Give an autoencoder that can be told of motion: the same one, or a copy with the means.

    A copy shows what the original does until it is trained.
    """
    if vae.cfg.movement_dim:
        return vae
    told = StudioVAE(replace(vae.cfg, movement_dim=movement_dim))
    told.load_state_dict(
        {name: t for name, t in told.state_dict().items() if name.startswith(MOVEMENT)}
        | vae.state_dict()
    )
    return told


def _named(start: Path | None, vae: Path | None, settings: DecoderStageConfig) -> _Begun:
    if vae is None:
        raise InputError("name the autoencoder to begin with: --vae, of `parley train vae`")
    trained = read_dit(named(start))
    begun = able_to_be_told(read_vae(vae), settings.movement_dim)
    return _Begun(begun, read_reader(vae.with_name(READER)), trained)


def _dolls(single: Path, settings: DecoderStageConfig) -> _Begun:
    """Begin with the dolls' untrained encoders; nothing reads a doll's mouth."""
    trained = read_dit(single)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        begun = able_to_be_told(doll_encoders().vae, settings.movement_dim)
        return _Begun(begun, LipReader(), trained)


def _source(
    clips: list[Path] | None, trained: TrainedDit, settings: DecoderStageConfig
) -> FilmedSource:
    if not clips:
        raise InputError("name folders of clips: --clips, made by `parley train encode --film`")
    bank = FilmedBank(clips)
    return FilmedSource(bank, trained.words, settings.windows, settings.weights)


def _held_out(
    folders: list[Path] | None, trained: TrainedDit, settings: DecoderStageConfig
) -> Filmed:
    if not folders:
        raise InputError("name folders of the test split: --held-out, encoded with --film")
    windows = replace(settings.windows, lively_share=0.0, open_share=0.0)  # what faces mostly do
    source = FilmedSource(FilmedBank(folders), trained.words, windows, settings.weights)
    return source.clips(HELD_OUT_WINDOWS, SEED)
