"""The arrows between the rooms: who may import whom, read from the source without importing it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

# What each package may import of ours besides itself: packages, or single modules.
ARROWS: dict[str, frozenset[str]] = {
    "models": frozenset(),
    "training": frozenset({"models"}),
    "export": frozenset({"models", "engines.manifest"}),
    "engines": frozenset(),
    "streamer": frozenset({"engines"}),
    "clients": frozenset(),
    "parley": frozenset(),
}
OURS = ARROWS.keys() | {"tests"}
# What the server does without. A runtime file engines/**/torch*.py is the one exception.
BANNED: dict[str, frozenset[str]] = {
    "engines": frozenset({"torch"}),
    "streamer": frozenset({"torch", "onnxruntime"}),
}
# Heavy optional runtimes: the constructor that needs one may import it.
LAZY_RUNTIMES = frozenset(
    {"espeakng_loader", "onnxruntime", "openvino", "pocketsphinx", "ray", "tensorrt", "torch"}
)


class Import(NamedTuple):
    """One import statement, or one import_module("...") with a literal name."""

    importer: str  # dotted module
    target: str  # dotted module, absolute
    place: str  # file:line
    is_in_function: bool

    @property
    def room(self) -> str:
        return self.importer.partition(".")[0]

    @property
    def target_room(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.place}: {self.importer} imports {self.target}"


def imports_of(root: Path) -> list[Import]:
    """Read every import in the packages under `root`."""
    sources = {_module_name(path.relative_to(root)): path for path in _sources(root)}
    found: dict[Import, None] = {}
    for module, path in sources.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for node, is_in_function in _walk(ast.parse(path.read_bytes())):
            place = f"{path.relative_to(root)}:{node.lineno}"
            for target in _targets(node, package, sources.keys()):
                found[Import(module, target, place, is_in_function)] = None
    return list(found)


def _sources(root: Path) -> Iterator[Path]:
    for room in ARROWS:
        yield from sorted((root / room).rglob("*.py"))


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _walk(
    node: ast.AST, is_in_function: bool = False
) -> Iterator[tuple[ast.stmt | ast.Call, bool]]:
    """Yield every statement and call, and whether it runs inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.Call):
            yield child, is_in_function
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, is_in_function or is_function)


def _targets(node: ast.stmt | ast.Call, package: str, modules: Collection[str]) -> Iterator[str]:
    """Yield the dotted modules that one node imports; none when it imports nothing."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), package)
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            yield submodule if submodule in modules else base
    elif isinstance(node, ast.Call) and _is_import_call(node.func) and node.args:
        name = node.args[0]
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield _absolute(name.value, package)


def _is_import_call(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"):
            return True
        case _:
            return False


def _absolute(name: str, package: str) -> str:
    """Resolve leading dots: one is `package` itself, each further one its parent."""
    relative = name.lstrip(".")
    level = len(name) - len(relative)
    if level == 0:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *filter(None, [relative])])


def wrong_arrows(imports: list[Import]) -> list[str]:
    """Imports of ours that cross from one room to another where no arrow leads."""
    return [
        str(each)
        for each in imports
        if each.target_room in OURS - {each.room}
        and not any(
            each.target == allowed or each.target.startswith(f"{allowed}.")
            for allowed in ARROWS[each.room]
        )
    ]


def banned(imports: list[Import]) -> list[str]:
    """Imports of a library that the importing room does without."""
    return [
        str(each)
        for each in imports
        if each.target_room in BANNED.get(each.room, frozenset())
        and not (each.room == "engines" and each.importer.rpartition(".")[2].startswith("torch"))
    ]


def hidden(imports: list[Import]) -> list[str]:
    """Imports inside a function, heavy optional runtimes aside."""
    return [
        str(each)
        for each in imports
        if each.is_in_function and each.target_room not in LAZY_RUNTIMES
    ]


def circle(imports: list[Import]) -> list[str]:
    """Modules of one room that import each other in a circle; empty when there is none."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        if each.target_room == each.room and each.target != each.importer:
            graph.setdefault(each.importer, set()).add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


@pytest.fixture(scope="module")
def ours() -> list[Import]:
    return imports_of(ROOT)


def test_every_room_is_read(ours: list[Import]) -> None:
    assert all((ROOT / room / "__init__.py").is_file() for room in ARROWS)
    assert {"models", "parley"} <= {each.room for each in ours}


def test_no_room_imports_a_room_that_no_arrow_leads_to(ours: list[Import]) -> None:
    assert wrong_arrows(ours) == []


def test_the_server_imports_no_torch_and_the_streamer_no_runtime(ours: list[Import]) -> None:
    assert banned(ours) == []


def test_no_import_hides_inside_a_function(ours: list[Import]) -> None:
    assert hidden(ours) == []


def test_no_modules_import_each_other_in_a_circle(ours: list[Import]) -> None:
    assert circle(ours) == []


def plant(root: Path, files: dict[str, str]) -> list[Import]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports_of(root)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("models/a.py", "import training.stages"),
        ("models/wan/a.py", "from engines import manifest"),
        ("models/a.py", "from tests import conftest"),
        ("training/a.py", "if True:\n    from export.onnx import build"),
        ("export/a.py", "import engines"),
        ("export/a.py", "from engines import runtime"),
        ("engines/a.py", "def f():\n    import models.vae"),
        ("streamer/a.py", "try:\n    import models\nexcept ImportError:\n    pass"),
        ("streamer/a.py", "import importlib\nimportlib.import_module('models.wan')"),
        ("clients/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import engines"),
        ("clients/bench/a.py", "from ...streamer import rooms"),
        ("parley/a.py", "from importlib import import_module\nx = import_module('models')"),
    ],
)
def test_a_planted_wrong_arrow_is_found(tmp_path: Path, file: str, text: str) -> None:
    found = wrong_arrows(plant(tmp_path, {file: text, "engines/runtime.py": ""}))
    assert len(found) == 1
    assert found[0].startswith(f"{file}:")


def test_an_arrow_that_leads_there_is_no_fault(tmp_path: Path) -> None:
    files = {
        "training/a.py": "import models.wan\nfrom models import errors\nimport torch",
        "export/a.py": "from engines.manifest import Bundle\nfrom engines import manifest",
        "engines/manifest.py": "",
        "streamer/a.py": "from engines.runtime import load",
        "models/wan/a.py": "from . import b\nfrom ..errors import E\nimport modelsthing",
        "models/wan/b.py": "",
        "models/errors.py": "E = 1",
    }
    imports = plant(tmp_path, files)
    assert len(imports) == 9
    assert [*wrong_arrows(imports), *banned(imports), *hidden(imports), *circle(imports)] == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("engines/a.py", "import torch"),
        ("engines/runtimes/onnx.py", "def f():\n    from torch.nn import functional"),
        ("streamer/a.py", "import onnxruntime"),
        ("streamer/torch_runtime.py", "import torch"),
    ],
)
def test_a_planted_torch_in_the_server_is_found(tmp_path: Path, file: str, text: str) -> None:
    assert len(banned(plant(tmp_path, {file: text}))) == 1


def test_the_one_torch_runtime_of_the_engines_may_import_torch(tmp_path: Path) -> None:
    assert banned(plant(tmp_path, {"engines/runtimes/torch_eager.py": "import torch"})) == []


def test_a_planted_import_in_a_function_is_found(tmp_path: Path) -> None:
    text = "class A:\n  async def f(self):\n    if self:\n      import numpy\n    import ray"
    found = hidden(plant(tmp_path, {"engines/a.py": text}))
    assert [line.partition(" ")[0] for line in found] == ["engines/a.py:4:"]


def test_a_planted_circle_is_found(tmp_path: Path) -> None:
    files = {
        "models/a.py": "from models import b",
        "models/b.py": "import models.c",
        "models/c.py": "from .a import x",
    }
    assert len(circle(plant(tmp_path, files))) == 1
