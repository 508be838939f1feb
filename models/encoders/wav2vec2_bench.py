"""`parley bench wav2vec2`: deviation of the live features from the offline ones, and their cost."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from models.encoders.wav2vec2 import Wav2Vec2Network, audio_features, audio_windows
from models.encoders.wav2vec2_bench_inputs import load_network, read_wav, synthetic_voice
from models.encoders.wav2vec2_deviation import (
    compare,
    frozen,
    hear,
    median_run_ms,
    sweep,
    whole_statistics,
)
from models.encoders.wav2vec2_streaming import (
    StreamingConfig,
    StreamingWav2Vec2,
    StreamState,
    live_audio,
)
from models.encoders.waveform import SAMPLE_RATE_HZ, multitalk_audio
from models.errors import ModelError

LOOKAHEADS_MS = (0, 40, 80, 160, 320)
CONTEXTS_S = (1, 2, 4, 8)
EVERY_FRAMES = 8  # the table measures one frame in so many
PUSH_SAMPLES = 320  # 20 ms, one Opus packet
RANDOM_WEIGHTS = (
    "RANDOM weights: the deviations say how the mechanism behaves, not how trained features do. "
    "Measure again with --weights."
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run_stream(
    stream: StreamingWav2Vec2, samples: Tensor, state: StreamState
) -> tuple[Tensor, list[float]]:
    """Push samples [n] packet by packet to the end.

    Returns all windows [T, 5, L, C] and the ms of each step that ran the transformer.
    """
    windows, run_ms = [], []
    for i in range(0, samples.shape[0], PUSH_SAMPLES):
        start = time.perf_counter()
        found, state = stream.step(samples[i : i + PUSH_SAMPLES], state)
        if found.windows.shape[0]:
            windows.append(found.windows.cpu())  # waits for the device
            run_ms.append(1e3 * (time.perf_counter() - start))
    return torch.cat([*windows, stream.flush(state).windows.cpu()]), run_ms


def percentiles(values: list[float]) -> dict[str, float]:
    """Give p50, p95 and p99 of values."""
    q = torch.tensor([0.5, 0.95, 0.99], dtype=torch.float64)
    found = torch.tensor(values, dtype=torch.float64).quantile(q)
    return dict(zip(("p50", "p95", "p99"), found.tolist(), strict=True))


@torch.inference_mode()
def measure(network: Wav2Vec2Network, samples: Tensor, config: StreamingConfig) -> dict[str, Any]:
    """Measure the table, the stream as configured, where its deviation comes from, its time."""
    recipe = multitalk_audio()
    stream = StreamingWav2Vec2(network, recipe, config)
    offline = audio_features(network, samples, recipe)
    truth = audio_windows(offline).cpu()
    live, run_ms = run_stream(stream, samples, stream.begin())
    steady = StreamingWav2Vec2(
        network, recipe, replace(config, statistics=frozen(config.statistics))
    )
    known, _ = run_stream(steady, samples, steady.begin(whole_statistics(network, samples)))
    voice = hear(network, stream.grid, samples, config.statistics)
    unbounded = network.hidden_states(voice.conv[None])[0].cpu()
    contexts = [s * recipe.fps for s in CONTEXTS_S]
    settings = sweep(
        voice,
        offline,
        lookaheads_ms=LOOKAHEADS_MS,
        contexts_frames=contexts,
        every=EVERY_FRAMES,
    )
    times = percentiles(run_ms[1:])  # the first run warms up
    return {
        "table": [asdict(setting) for setting in settings],
        "view_ms": {str(c): median_run_ms(network, c) for c in contexts},
        "chosen": asdict(compare(live[:, 2], truth[:, 2])),
        "only_context": asdict(compare(known[:, 2], truth[:, 2])),
        "only_statistics": asdict(compare(unbounded, truth[:, 2])),
        "window_offsets": [compare(live[:, i], truth[:, i]).relative_l2 for i in range(5)],
        "run_ms": times,
        "frame_ms": {k: v / config.hop_frames for k, v in times.items()},
    }


def hardware(device: str, threads: int) -> str:
    """Name the machine."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {threads} threads used, torch {torch.__version__}"


def commit() -> str:
    """Name the commit this code is from, or say that it is unknown."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    here = Path(__file__).parent
    found = subprocess.run(  # noqa: S603 - a fixed command, nothing of the caller's in it
        [git, "describe", "--always", "--dirty"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    return found.stdout.strip() or "unknown"


def table(report: Mapping[str, Any]) -> str:
    """Draw the sweep as a Markdown table: relative L2 (cosine), and a row of run times."""
    settings = report["table"]
    contexts = sorted({s["left_context_frames"] for s in settings})
    by_cell = {(s["lookahead_ms"], s["left_context_frames"]): s for s in settings}
    lines = [
        "| look-ahead | " + " | ".join(f"{c / 25:g} s of past" for c in contexts) + " |",
        "|" + " --- |" * (len(contexts) + 1),
    ]
    for lookahead in sorted({s["lookahead_ms"] for s in settings}):
        cells = [by_cell[lookahead, c]["deviation"] for c in contexts]
        shown = [f"{d['relative_l2']:.3f} ({d['cosine']:.4f})" for d in cells]
        lines.append(f"| {lookahead} ms | " + " | ".join(shown) + " |")
    times = [report["view_ms"][str(c)] for c in contexts]
    lines.append("| time of one run | " + " | ".join(f"{t:.0f} ms" for t in times) + " |")
    return "\n".join(lines)


def summary(report: Mapping[str, Any]) -> str:
    """Say the rest of the report in lines."""

    def line(name: str, found: Mapping[str, Any]) -> str:
        return f"{name}: {found['relative_l2']:.3f} (cosine {found['cosine']:.4f})"

    def times(name: str, found: Mapping[str, float]) -> str:
        return f"{name}: " + ", ".join(f"{k} {v:.1f} ms" for k, v in found.items())

    layers = ", ".join(f"{x:.3f}" for x in report["chosen"]["layer_relative_l2"])
    offsets = ", ".join(f"{x:.3f}" for x in report["window_offsets"])
    return "\n".join(
        [
            line("chosen setting", report["chosen"]),
            f"  by layer 1..: {layers}",
            f"  by window offset -2..+2: {offsets}",
            line("  bounded context alone (statistics of the whole clip)", report["only_context"]),
            line("  causal statistics alone (unbounded context)", report["only_statistics"]),
            times("time of one run", report["run_ms"]),
            times("time per video frame", report["frame_ms"]),
        ]
    )


@app.command()
def bench(
    audio: Annotated[Path | None, typer.Option(help="16 kHz PCM16 wav; else synthetic")] = None,
    weights: Annotated[Path | None, typer.Option(help="published file; else random")] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="also write JSON here")] = None,
    seconds: Annotated[int, typer.Option(min=2, help="how much of the audio")] = 8,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Measure live wav2vec2 features against those of the whole recording."""
    torch.set_num_threads(threads)
    config = live_audio()
    try:
        samples = synthetic_voice(seconds, seed=0) if audio is None else read_wav(audio)
        network = load_network(weights, seed=0).to(device)
    except ModelError as error:
        raise typer.BadParameter(str(error)) from error
    samples = samples[: min(seconds, samples.shape[0] // SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ]
    report = {
        "hardware": hardware(device, threads),
        "commit": commit(),
        "audio": "synthetic, seed 0" if audio is None else audio.name,
        "seconds": samples.shape[0] / SAMPLE_RATE_HZ,
        "weights": "random, seed 0" if weights is None else weights.name,
        "config": asdict(config),
        **measure(network, samples, config),
    }
    for key in ("hardware", "commit", "audio", "seconds", "weights", "config"):
        typer.echo(f"{key}: {report[key]}")
    if weights is None:
        typer.echo(RANDOM_WEIGHTS)
    typer.echo(f"\nRelative L2 to the offline form (mean cosine):\n\n{table(report)}\n")
    typer.echo(summary(report))
    if json_out is not None:
        json_out.write_text(json.dumps(report, indent=1) + "\n")
