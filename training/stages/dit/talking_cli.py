"""`parley bench talking`: do held-out people talk, as an independent face mesh sees them?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from models.errors import InputError, ModelError
from models.studio.vae_config import FRAMES_PER_LATENT
from training.metrics.face_watch import FaceWatcher
from training.runs.config_file import read_config
from training.runs.folder import write_json
from training.stages.dit.dit_cli import USUAL
from training.stages.dit.rollouts import clips_alike, whole_clips
from training.stages.dit.sampling import SamplingConfig, even_timesteps
from training.stages.dit.shipped import TrainedDit, read_dit
from training.stages.dit.talking import TalkingClip, draw_sheet, judge, make_videos, mean
from training.stages.dit.task import DitStageConfig
from training.stages.dit.windows import ClipBank, Window
from training.stages.judged_lips import JudgedLips, mean_r, mouth_openings
from training.stages.motion import LIP_GAP
from training.stages.vae.shipped import read_vae

LEAST_MOTION = 0.1  # deviation of the lip gap in 10 mm; who does not speak says nothing

console = Console()


def talking(  # noqa: PLR0913  # a command's options are its arguments
    dit: Annotated[Path, typer.Option(help="Folder of a run, or its dit.safetensors.")],
    vae: Annotated[Path, typer.Option(help="Weights of the autoencoder (.safetensors).")],
    latents: Annotated[Path, typer.Option(help="Encoded clips of the test split.")],
    steps: Annotated[int, typer.Option(min=1, help="Denoising steps of a chunk.")] = 8,
    shift: Annotated[float, typer.Option(min=0.01, help="Timestep shift.")] = 1.0,
    audio_scale: Annotated[float, typer.Option(help="CFG scale of the voice.")] = 1.0,
    clips: Annotated[int, typer.Option(min=2, help="Clips that are made.")] = 12,
    frames: Annotated[int, typer.Option(min=16, help="Video frames of each, at most.")] = 80,
    out: Annotated[
        Path | None, typer.Option(help="Folder for talking.json and talking.png.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Make held-out people talk and judge their lips in pixels."""
    try:
        trained = read_dit(dit)
        sampling = SamplingConfig(
            sampler="euler",
            timesteps=even_timesteps(steps, shift),
            context_timestep=0.0,
            audio_scale=audio_scale,
        )
        window = _window(trained, latents, clips, frames)
        window = Window(*(part.to(device) for part in window))
        began = time.monotonic()
        videos = make_videos(trained.dit.to(device), read_vae(vae).to(device), window, sampling)
        seconds = time.monotonic() - began
        watcher = FaceWatcher()
        judged = judge(
            videos, window.gap[:, 0].cpu().numpy(), lambda video: mouth_openings(video, watcher)
        )
    except ModelError as error:
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(1) from error
    console.print(_table(judged))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        draw_sheet(videos, out / "talking.png")
        described = {
            "dit": str(dit),
            "trained": trained.facts,
            "timesteps": sampling.timesteps,
            "audio_scale": audio_scale,
            "frames": videos.made.shape[1],
            "device": device,
            "threads": torch.get_num_threads(),
            "seconds": round(seconds, 2),
        }
        write_json(out / "talking.json", {**described, **summary(judged)})
        console.print(f"talking.json and talking.png are in {out}")


def _window(trained: TrainedDit, latents: Path, clips: int, frames: int) -> Window:
    """Cut clips of one person who speaks: speech told as heard, acting as it was."""
    bank = [
        clip
        for clip in ClipBank([latents]).of_people(1, 1)
        if clip.motion[0, :, LIP_GAP].astype(np.float32).std() >= LEAST_MOTION
    ]
    if not bank:
        raise InputError(f"nobody speaks alone in the clips of {latents}; encode more of them")
    windows = read_config(USUAL, DitStageConfig).windows
    count = frames // FRAMES_PER_LATENT
    chosen = clips_alike(bank, clips)
    return whole_clips(chosen, trained.words, windows, count, is_acting_told=True)


def summary(judged: list[TalkingClip]) -> Mapping[str, object]:
    """Give the means, and every clip, as JSON can hold them; what is unknown is None."""

    def known(value: float) -> float | None:
        return round(value, 4) if np.isfinite(value) else None

    def lips(each: JudgedLips) -> dict[str, float | None]:
        return {"r": known(each.r), "lag_frames": each.lag_frames, "seen": known(each.seen)}

    return {
        "lip_r": known(mean_r(clip.made for clip in judged)),
        "lip_r_ceiling": known(mean_r(clip.rebuilt for clip in judged)),
        "lip_r_other_voice": known(mean_r(clip.with_other_voice for clip in judged)),
        "lag_frames": known(mean([clip.made.lag_frames for clip in judged])),
        "amplitude": known(mean([clip.amplitude for clip in judged])),
        "motion_in_silence": known(mean([clip.silence for clip in judged])),
        "clips": [
            {
                "made": lips(clip.made),
                "rebuilt": lips(clip.rebuilt),
                "other_voice": lips(clip.with_other_voice),
                "amplitude": known(clip.amplitude),
                "motion_in_silence": known(clip.silence),
            }
            for clip in judged
        ],
    }


def _table(judged: list[TalkingClip]) -> Table:
    table = Table("clip", "rebuilt, r", "made, r", "lag", "other voice, r", "amplitude", "silence")
    for number, clip in enumerate(judged):
        table.add_row(
            str(number),
            f"{clip.rebuilt.r:.2f}",
            f"{clip.made.r:.2f}",
            f"{clip.made.lag_frames}",
            f"{clip.with_other_voice.r:.2f}",
            f"{clip.amplitude:.2f}",
            f"{clip.silence:.2f}",
        )
    table.add_row(
        "mean",
        f"{mean_r(clip.rebuilt for clip in judged):.3f}",
        f"{mean_r(clip.made for clip in judged):.3f}",
        f"{mean([clip.made.lag_frames for clip in judged]):.1f}",
        f"{mean_r(clip.with_other_voice for clip in judged):.3f}",
        f"{mean([clip.amplitude for clip in judged]):.2f}",
        f"{mean([clip.silence for clip in judged]):.2f}",
    )
    return table
