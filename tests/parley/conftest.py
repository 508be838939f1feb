"""A distribution on disk that adds commands the way any package may, without being installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

METADATA = """\
Metadata-Version: 2.4
Name: guest
Version: 1.0
Provides-Extra: export
Provides-Extra: train
Requires-Dist: absent-base>=1
Requires-Dist: PyAbsentjwt>=1
Requires-Dist: absent-torch<3,>=2; extra == 'export'
Requires-Dist: absent-onnx; extra == "export"
Requires-Dist: absent-torch<3,>=2; extra == "train"
Requires-Dist: absent_live.agents; python_version > "3" and extra == 'train'
"""
ENTRY_POINTS = """\
[parley.commands]
greet = guestroom.greet:app
add = guestroom.add:add
train = guestroom.train:app [train]
onnx = guestroom.onnx:app [export]
typo = guestroom.typo:app [train]
late = guestroom.late:late
number = guestroom.number:app
gone = guestroom.gone:app
"""
MODULES = {
    "__init__": "",
    "greet": '''"""Greet people.\n\nAnd more."""
import typer
app = typer.Typer()
@app.command()
def hello(name: str, loud: bool = False) -> None:
    typer.echo(f"hello {name}" + "!" * loud)
@app.command()
def bye() -> None:
    """Say goodbye."""
    raise typer.Exit(3)
''',
    "add": '''"""Add two numbers."""
def add(a: int, b: int) -> None:
    print(a + b)
''',
    "train": '"""Train a network."""\nimport absent_torch\n',
    "onnx": '"""Write ONNX."""\nimport absent_torch\n',
    "typo": '"""Import what is not there."""\nimport guestroom.greeet\n',
    "late": '"""Need a package only when run."""\ndef late() -> None:\n    import absent_onnx\n',
    "number": '"""Be no app."""\napp = 3\n',
}


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points of the distribution `guest`; its package `guestroom` can be imported."""
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "guestroom").mkdir()
    for name, text in MODULES.items():
        (tmp_path / "guestroom" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield list(Distribution.at(info).entry_points)
    for name in [name for name in sys.modules if name.partition(".")[0] == "guestroom"]:
        del sys.modules[name]
