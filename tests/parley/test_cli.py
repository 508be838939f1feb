"""The command line lists everything, loads what is called, and says what is missing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parley.cli import build_app

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "numpy", "onnxruntime", "av")
# Run `parley` in a process of its own where the first argument's packages do not exist.
PROGRAM = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{absent}}:
            raise ModuleNotFoundError(f"No module named {{{{name!r}}}}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv[0] = "parley"
from parley.cli import main
try:
    main()
finally:
    print("loaded:", *(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


def parley(*args: str, absent: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(absent=absent), *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def invoke(entries: list[EntryPoint], *args: str) -> Result:
    return CliRunner().invoke(build_app(entries, entries), args, prog_name="parley")


def test_help_lists_every_command_and_loads_none_of_them(guest: list[EntryPoint]) -> None:
    result = invoke(guest, "--help")
    assert result.exit_code == 0
    assert all(entry.name in result.output for entry in guest)
    assert "Train a network." in result.output
    assert "guestroom" not in sys.modules


def test_a_command_gets_its_arguments_as_they_were_typed(guest: list[EntryPoint]) -> None:
    assert invoke(guest, "greet", "hello", "you", "--loud").output == "hello you!\n"
    assert invoke(guest, "greet", "hello", "--", "--loud").output == "hello --loud\n"
    assert invoke(guest, "greet", "bye").exit_code == 3
    assert "guestroom.train" not in sys.modules


def test_a_command_answers_for_help_itself(guest: list[EntryPoint]) -> None:
    result = invoke(guest, "greet", "--help")
    assert result.exit_code == 0
    assert "Usage: parley greet" in result.output
    assert "Say goodbye." in result.output


def test_a_plain_function_is_a_command(guest: list[EntryPoint]) -> None:
    assert invoke(guest, "add", "2", "3").output == "5\n"


def test_benches_are_gathered_under_one_name(guest: list[EntryPoint]) -> None:
    assert "Train a network." in invoke(guest, "bench", "--help").output
    assert invoke(guest, "bench", "add", "2", "3").output == "5\n"
    assert invoke(guest[:1], "bench", "greet", "bye").exit_code == 3


@pytest.mark.parametrize("group", [[], ["bench"]])
def test_an_unknown_command_is_answered_with_the_known_ones(
    guest: list[EntryPoint], group: list[str]
) -> None:
    result = invoke(guest, *group, "serv")
    words = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2
    assert "There is no command 'serv'. The commands are: add," in words
    assert "train, typo." in words


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("train", "torch", "train"), ("onnx", "torch", "export"), ("late", "onnx", "export")],
)
def test_a_missing_package_is_one_line_with_what_to_install(
    guest: list[EntryPoint], command: str, package: str, extra: str
) -> None:
    result = invoke(guest, command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"parley {command} needs the package absent-{package}, which is not installed: "
        f"pip install 'guest[{extra}]'\n"
    )


@pytest.mark.parametrize("command", ["typo", "gone"])
def test_a_missing_module_of_our_own_is_a_bug_that_surfaces(
    guest: list[EntryPoint], command: str
) -> None:
    assert isinstance(invoke(guest, command).exception, ModuleNotFoundError)


def test_an_entry_point_to_no_app_is_a_bug_that_surfaces(guest: list[EntryPoint]) -> None:
    with pytest.raises(TypeError, match=r"guestroom.number:app is a int"):
        CliRunner().invoke(build_app(guest, []), ["number"], catch_exceptions=False)


def test_the_version_is_the_distributions() -> None:
    result = parley("--version")
    assert result.stdout == f"parley {version('parley-avatar')}\n"
    assert result.returncode == 0


def test_help_of_the_installed_command_loads_no_library() -> None:
    result = parley("--help")
    assert result.returncode == 0
    assert "checkpoints" in result.stdout
    assert result.stderr == "loaded:\n"


@pytest.mark.parametrize("command", ["checkpoints", "bench wav2vec2"])
def test_without_torch_an_installed_command_says_what_to_install(command: str) -> None:
    result = parley(*command.split(), "verify", absent=("torch",))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == (
        f"parley {command} needs the package torch, which is not installed: "
        "pip install 'parley-avatar[train]'"
    )
