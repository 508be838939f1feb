"""One line about a command comes from its source, which is never run."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

from parley.summary import summary


def test_the_first_docstring_line_is_read_and_nothing_is_imported(guest: list[EntryPoint]) -> None:
    lines = {entry.name: summary(entry) for entry in guest}
    assert lines["greet"] == "Greet people."
    assert lines["train"] == "Train a network."
    assert "guestroom" not in sys.modules


def test_a_module_that_is_not_there_has_no_line(guest: list[EntryPoint]) -> None:
    assert {entry.name: summary(entry) for entry in guest}["gone"] == ""
    assert summary(EntryPoint("a", "no_such_package.cli:app", "parley.commands")) == ""


def test_a_package_says_it_in_its_init() -> None:
    assert summary(EntryPoint("a", "json:app", "parley.commands")).startswith("JSON")
    assert summary(EntryPoint("a", "importlib.metadata:app", "parley.commands")) == ""
