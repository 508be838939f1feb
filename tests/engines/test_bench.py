"""`parley bench engine`: soaks, several bundles and runtimes in one run, limits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from engines.bench import Memory, dit_shape
from engines.bench_cli import engine
from engines.bundle import Bundle, Taste
from engines.machine_limits import memory_mib, peak_memory_mib, program_commit
from engines.manifest import Transformer

app = typer.Typer()
app.command()(engine)
KEYS = {
    "real_time_factor",
    "chunk_ms",
    "chunk_duration_ms",
    "parts_ms",
    "peak_memory_mib",
    "runtime",
    "people",
    "size",
    "steps",
}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_soak_compares_its_end_with_its_beginning(bundle: Bundle) -> None:
    done = call("--bundle", bundle.folder, "--seconds", 4.8, "--threads", 1, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report.keys() >= KEYS
    assert report["chunks"] == 30
    soak = report["soak"]
    assert soak["stream_seconds"] == 4.8
    assert soak["memory_start_mib"] > 10
    grown = soak["memory_end_mib"] / soak["memory_start_mib"] - 1
    assert soak["memory_growth_percent"] == pytest.approx(100 * grown, abs=0.02)
    grown = soak["chunk_ms_end"] / soak["chunk_ms_start"] - 1
    assert soak["chunk_growth_percent"] == pytest.approx(100 * grown, abs=0.5)
    text = call("--bundle", bundle.folder, "--hours", 0.001, "--threads", 1).stdout
    assert "3.68 s of stream: chunk " in text


def test_the_memory_is_looked_at_after_a_tenth_and_at_the_end() -> None:
    memory = Memory(100)
    memory.look(8)
    assert memory.start_mib == 0
    memory.look(9)
    assert memory.start_mib > 0
    assert memory.end_mib == 0
    memory.look(99)
    assert 0 < memory.end_mib <= peak_memory_mib() + 1
    assert memory_mib() > 0


def test_several_bundles_and_runtimes_take_turns_and_misfits_are_named(
    bundle: Bundle, own_bundle: Bundle
) -> None:
    both = ("--bundle", bundle.folder, "--bundle", own_bundle.folder)
    runtimes = ("--runtime", "onnxruntime", "--runtime", "torch-eager")
    done = call(*both, *runtimes, "--chunks", 2, "--threads", 1, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert len(report["variants"]) == 2
    assert len(report["skipped"]) == 2
    assert "torch-eager: the bundle holds onnx networks" in report["skipped"][0]


def test_a_figure_says_of_what_it_is(bundle: Bundle) -> None:
    done = call("--bundle", bundle.folder, "--chunks", 3, "--threads", 1, "--json")
    report = json.loads(done.stdout)
    assert report["first_chunk_ms"] > 0
    # In percent of the time that the chunk took; rounded to 3 and 1 digits.
    percent = 100 * report["limit_ms"] / report["chunk_ms"]["p50"]
    assert report["limit_percent"] == pytest.approx(percent, abs=0.06)
    assert report["commit"] == program_commit()
    assert "CPU, float32" in report["limits"]
    assert report["processor"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--seconds", "1", "--hours", "1"), "--seconds or --hours"),
        (("--runtime", "cuda"), "RUNTIME[:PRECISION][@STEPS]"),
        (("--runtime", "torch-eager"), "no --runtime or --variant runs what the bundles hold"),
        (("--steps", "7"), "no schedule of 7 steps"),
        (("--size", "999x999"), "no size 999x999x2"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(
    bundle: Bundle, arguments: tuple[str, ...], named: str
) -> None:
    done = call("--bundle", bundle.folder, *arguments)
    assert done.exit_code == 2
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_tokens_that_a_pass_sees_are_read_off_the_network(bundle: Bundle) -> None:
    size = bundle.manifest.sizes[0]
    dit = bundle.pick("dit", size, Taste(("onnx",), ("slice",)))
    shape = dit_shape(Transformer(layers=2, width=6, feed_forward=12), dit)
    assert (shape.new_tokens, shape.seen_tokens) == (2, 10)
    assert shape.text_tokens == 8
    assert np.prod((2, 4, 3)) // 6 == shape.voice_tokens
