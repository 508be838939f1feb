from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from export import batch_bench
from tests.export.test_running import _tiny_recipe

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(batch_bench.batch)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_two_rooms_in_one_call_are_timed_beside_two_calls(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(batch_bench, "recipe", lambda _: _tiny_recipe())
    asked = ("--size", "64x32x2", "--rounds", "2", "--threads", "1", "--quantize", precision)
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["apart_ms"] > 0
    assert report["gain"] == pytest.approx(report["apart_ms"] / report["together_ms"], abs=1e-3)


def test_other_types_are_refused() -> None:
    done = CliRunner().invoke(app, ["--quantize", "bf16"])
    assert done.exit_code == 2
    assert "neither fp32 nor int8" in done.stderr
