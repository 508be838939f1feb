"""The whole bench at toy size on a CPU: what is not measured here is speed."""

from __future__ import annotations

import json
import signal
import time

import pytest
import torch
import typer
from typer.testing import CliRunner

from export.errors import RequestError
from export.gpu_bench.bench_cli import gpu
from export.gpu_bench.cases import Mode, grid
from export.gpu_bench.limits import Device, Work, least_seconds, work_of
from export.gpu_bench.networks import Window, form_on, known_models, on_meta, shape_of
from export.gpu_bench.running import CaseTimeoutError, time_box

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(gpu)
CPU = torch.device("cpu")
TOY = ("--device", "cpu", "--toy", "--chunks", "1", "--chunk-frames", "1", "--window-frames", "1")


def test_every_case_gets_its_line_and_a_failure_costs_only_its_own() -> None:
    asked = ("--model", "1.3b", "--steps", "2", "--mode", "eager", "--mode", "graphs", "--json")
    done = CliRunner().invoke(app, [*TOY, *asked])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    cases = {(each["precision"], each["mode"]): each for each in report["cases"]}
    assert set(cases) == {(p, m) for p in ("bf16", "fp8") for m in ("eager", "graphs")}
    for precision in ("bf16", "fp8"):
        eager = cases[precision, "eager"]
        assert eager["error"] is None
        assert eager["fps"] > 0
        assert eager["first_frame_ms"] > 0
        assert eager["limit_percent"] > 0
        assert "need a GPU" in cases[precision, "graphs"]["error"]


def test_the_large_model_runs_compiled_too() -> None:
    asked = ("--model", "14b", "--steps", "1", "--mode", "compiled", "--precision", "bf16")
    done = CliRunner().invoke(app, [*TOY, *asked])
    assert done.exit_code == 0, done.output
    assert "| 14b | 64x32 | bf16 | compiled | 1+1 |" in done.stdout
    assert "Error" not in done.stdout


def test_when_the_time_is_over_the_rest_is_reported_as_left_out() -> None:
    asked = ("--minutes", "0.01", "--model", "1.3b", "--mode", "eager", "--json")
    done = CliRunner().invoke(app, [*TOY, *asked])
    assert done.exit_code == 0, done.output
    errors = [each["error"] for each in json.loads(done.stdout)["cases"]]
    assert len(errors) == 4
    assert any(error and "CaseTimeoutError" in error for error in errors)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_way_to_try_it_is_shown() -> None:
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "torch finds no GPU here" in done.stderr
    assert "--device cpu --toy" in done.stderr


def test_a_time_box_ends_what_takes_too_long() -> None:
    with pytest.raises(CaseTimeoutError, match="longer"), time_box(0.05):
        time.sleep(5)
    with time_box(5):
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_models_are_made_once_and_become_fp8_once() -> None:
    cases = grid(("1.3b", "14b"), ("832x480",), list(Mode), ("fp8", "bf16"), (4, 2))
    kinds = [(case.model, case.precision) for case in cases]
    assert len(cases) == 2 * 2 * 4 * 2
    assert kinds == sorted(kinds)
    with pytest.raises(RequestError, match="WIDTHxHEIGHT"):
        grid(("1.3b",), ("832",), list(Mode), ("bf16",), (2,))
    with pytest.raises(RequestError, match="int8 is not one of"):
        grid(("1.3b",), ("832x480",), list(Mode), ("int8",), (2,))


def test_the_work_of_the_published_shapes_is_counted_without_their_weights() -> None:
    """Queries and outputs of self and cross attention, keys and values, and the feed forward."""
    shape = shape_of(
        grid(("1.3b",), ("832x480",), [Mode.EAGER], ("bf16",), (2,))[0].size, Window(3, 6)
    )
    work = work_of(on_meta(known_models(is_toy=False)["1.3b"], CPU), shape, form_on(CPU))
    a_token = 6 * 1536**2 + 2 * 1536 * 8960
    assert work.linear_flops == pytest.approx(2 * 4680 * a_token * 30, rel=0.01)
    # Ten latent frames are seen: a sink, a window of six, and the chunk's own three.
    attention = 4 * 4680 * 15600 * 1536 * 30
    assert attention < work.attention_flops < 1.3 * attention


def test_a_chunk_takes_arithmetic_or_bytes_whichever_is_longer() -> None:
    device = Device("x", bf16_flops=1e12, fp8_flops=2e12, bytes_per_second=1e12)
    busy = Work(linear_flops=2e12, attention_flops=1e12, weights=1e9)
    assert least_seconds(busy, 5, device, "bf16") == pytest.approx(5 * 3.0)
    assert least_seconds(busy, 5, device, "fp8") == pytest.approx(5 * 2.0)
    slow = device._replace(bytes_per_second=1e8)
    assert least_seconds(busy, 1, slow, "bf16") == pytest.approx(20 + 1)
