"""Rules of the house that no linter knows: sizes, names, weights, pins, the cost of an import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("models", "training", "export", "engines", "streamer", "clients", "parley")
HEAVY = {"torch", "transformers", "diffusers", "onnxruntime", "av", "aiortc", "numpy"}
MOST_LINES = 400
MOST_TEST_LINES = 600
MOST_BYTES = 500_000
WEIGHT_FOLDERS = {"bundles", "weights"}  # what is shipped to run, and what a stage begins from
MOST_SHIPPED_FILE_BYTES, MOST_SHIPPED_BYTES = 32 << 20, 48 << 20


def project_files(root: Path) -> list[Path]:
    """Files git tracks or would add; every file but hidden folders and caches without git."""
    if (root / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True)
        names = filter(None, listed.stdout.split("\0"))
        return sorted(path for name in names if (path := root / name).is_file())
    skipped = {".venv", "__pycache__"}
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and not any(p in skipped or p.endswith("_cache") for p in path.relative_to(root).parts)
    )


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return [path.relative_to(ROOT) for path in project_files(ROOT)]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def test_no_file_is_longer_than_one_can_read(files: list[Path]) -> None:
    def most(path: Path) -> int:
        return MOST_TEST_LINES if path.parts[0] == "tests" else MOST_LINES

    code = [path for path in files if path.suffix in {".py", ".js", ".html", ".css"}]
    lines = {path: len((ROOT / path).read_bytes().splitlines()) for path in code}
    assert {str(path): n for path, n in lines.items() if n > most(path)} == {}


def test_no_file_is_named_after_nothing(files: list[Path]) -> None:
    nothing = {"util", "utils", "helper", "helpers", "common", "misc"}
    parts = {str(path): {path.stem, *path.parts[:-1]} for path in files if path.suffix == ".py"}
    assert [name for name, words in parts.items() if words & nothing] == []


def test_no_large_file_stands_outside_a_bundle(files: list[Path]) -> None:
    large = [path for path in files if (ROOT / path).stat().st_size > MOST_BYTES]
    assert [str(path) for path in large if not WEIGHT_FOLDERS & set(path.parts)] == []


def test_weights_stand_only_where_they_belong(files: list[Path]) -> None:
    weights = [path for path in files if path.suffix in {".safetensors", ".pth", ".pt", ".onnx"}]
    placed = [
        path
        for path in weights
        if WEIGHT_FOLDERS & set(path.parts) or path.is_relative_to("tests/goldens")
    ]
    assert [str(path) for path in weights if path not in placed] == []


def test_shipped_weights_stay_small(files: list[Path]) -> None:
    held = [path for path in files if WEIGHT_FOLDERS & set(path.parts)]
    # A bundle's pictures and voices are content, not weights.
    shipped = [path for path in held if not {"scenes", "conversations"} & set(path.parts)]
    sizes = {str(path): (ROOT / path).stat().st_size for path in shipped}
    assert [path for path, size in sizes.items() if size > MOST_SHIPPED_FILE_BYTES] == []
    assert sum(sizes.values()) <= MOST_SHIPPED_BYTES


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_it_is_for(room: str) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_bytes())
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("module", [*ROOMS, "parley.cli"])
def test_importing_a_room_does_no_work(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    command = [sys.executable, "-c", program]
    imported = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    assert imported.stdout.split() == []


def test_the_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_entry_point_leads_to_a_file_that_says_what_it_does(project: dict[str, Any]) -> None:
    groups = project["entry-points"]
    modules = {v.partition(":")[0] for group in groups.values() for v in group.values()}
    silent = []
    for module in sorted(modules):
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        if not path.is_file() or not ast.get_docstring(ast.parse(path.read_bytes())):
            silent.append(module)
    assert silent == []


def test_a_pin_is_a_name_and_a_version_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    odd = [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)]
    assert len(pins) > 50
    assert odd == []  # no +cpu either: the same file serves CPU and GPU builds


def test_everything_that_make_installs_is_pinned(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *extras["train"],
        *extras["judges"],
        *extras["dev"],
        "hatchling",
        "editables",
    ]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {normalized(line) for line in lines if not line.startswith("#")}
    assert {normalized(each) for each in wanted} - pinned == set()


def test_everything_that_the_packages_import_is_declared(
    files: list[Path], project: dict[str, Any]
) -> None:
    declared = {
        normalized(requirement)
        for group in [project["dependencies"], *project["optional-dependencies"].values()]
        for requirement in group
    }
    providers = packages_distributions()
    undeclared = set()
    for path in files:
        if path.suffix == ".py" and path.parts[0] in ROOMS:
            for name in third_party_imports(path) - {"tests", *ROOMS}:
                names = [normalized(each) for each in providers.get(name, [name])]
                # Contained is enough (PIL in pillow): the library need not be installed here.
                if not any(each in known for each in names for known in declared):
                    undeclared.add(f"{path}: {name}")
    assert undeclared == set()


def third_party_imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse((ROOT / path).read_bytes())))
    plain = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    members = {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and n.level == 0}
    return {name.partition(".")[0] for name in plain | members} - set(sys.stdlib_module_names)


def normalized(requirement: str) -> str:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_without_git_every_file_is_walked(tmp_path: Path) -> None:
    for name in ["a.py", ".venv/lib/b.py", "c/__pycache__/d.pyc", ".mypy_cache/e.json", "c/f.py"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [p.relative_to(tmp_path).as_posix() for p in project_files(tmp_path)] == [
        "a.py",
        "c/f.py",
    ]
