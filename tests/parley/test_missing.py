"""A missing module is traced to the extra that brings it, or shown as the bug it is."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distribution

import pytest

from parley.missing import how_to_install


def advice(entries: list[EntryPoint], command: str, module: str) -> str | None:
    entry = next(each for each in entries if each.name == command)
    return how_to_install(ModuleNotFoundError(name=module), entry)


@pytest.mark.parametrize(
    ("command", "module", "package", "install"),
    [
        ("train", "absent_torch", "absent-torch", "guest[train]"),
        ("onnx", "absent_torch", "absent-torch", "guest[export]"),
        ("train", "absent_onnx", "absent-onnx", "guest[export]"),
        ("greet", "absent_torch", "absent-torch", "guest[export]"),
        ("greet", "absent_base", "absent-base", "guest"),
        ("greet", "absentjwt", "pyabsentjwt", "guest"),
        ("greet", "absent_live.agents", "absent-live-agents", "guest[train]"),
        ("greet", "absent_live", "absent-live-agents", "guest[train]"),
    ],
)
def test_a_module_is_traced_to_the_extra_of_the_command_that_wants_it(
    guest: list[EntryPoint], command: str, module: str, package: str, install: str
) -> None:
    expected = f"needs the package {package}, which is not installed: pip install '{install}'"
    assert advice(guest, command, module) == expected


@pytest.mark.parametrize("module", ["guestroom.nothing", "undeclared", "absent_torch.inner"])
def test_a_module_that_no_requirement_brings_is_a_bug(guest: list[EntryPoint], module: str) -> None:
    assert advice(guest, "train", module) is None


def test_an_entry_point_of_no_distribution_gets_no_advice() -> None:
    entry = EntryPoint("a", "b:c", "parley.commands")
    assert how_to_install(ModuleNotFoundError(name="torch"), entry) is None


@pytest.mark.parametrize("module", ["PIL", "jwt", "prometheus_client", "torch", "pyloudnorm"])
def test_our_own_imports_are_found_in_our_own_metadata(module: str) -> None:
    [entry] = distribution("parley-avatar").entry_points.select(name="checkpoints")
    found = how_to_install(ModuleNotFoundError(name=module), entry)
    assert found is not None
    assert "pip install 'parley" in found
