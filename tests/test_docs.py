"""What exists is written down, and what is written down exists: settings, messages, links.

That the table of settings is the code's own, and that every error code and event is explained, is
tested in tests/streamer/http/test_golden_messages.py.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from streamer.http.seat_messages import ClientMessage
from streamer.rooms.events import EventKind
from streamer.settings import Settings
from streamer.settings_cli import rows
from tests.test_house import project_files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
SETTING = re.compile(rf"`((?:{'|'.join(Settings.model_fields)})\.[a-z0-9_.]+)")
VARIABLE = re.compile(r"\bPARLEY_[A-Z][A-Z_]*__[A-Z0-9_]+\b")
SINGLE_VARIABLE = re.compile(r'"(PARLEY_[A-Z_]+)"')


def markdown_files() -> list[Path]:
    return [path for path in project_files(ROOT) if path.suffix == ".md"]


def told_to_users() -> str:
    """Everything that says which commands there are."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
    return "\n".join(page.read_text() for page in pages)


def setting_names() -> set[str]:
    return {row.name for row in rows()}


def unknown_settings(text: str) -> list[str]:
    """Settings, as names and as variables of the environment, that are written and do not exist."""
    known = setting_names()
    tables = {name.rpartition(".")[0] for name in known}
    named = {match.rstrip(".") for match in SETTING.findall(text)}
    variables = {
        v.removeprefix("PARLEY_").replace("__", ".").lower() for v in VARIABLE.findall(text)
    }
    return sorted((named | variables) - known - tables)


def anchors(text: str) -> set[str]:
    """Give the names that a page's headings have on the web."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", shown).replace(" ", "-"))
    return found


def broken_links(pages: Iterable[Path]) -> Iterator[str]:
    """Relative links that lead to no file, or to no heading of a page."""
    for page in pages:
        for link in LINK.findall(CODE.sub("", FENCE.sub("", page.read_text()))):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists():
                yield f"{page.name}: {link} leads nowhere"
            elif anchor and anchor not in anchors(target.read_text()):
                yield f"{page.name}: {link} names no heading"


def pages_not_listed(folder: Path) -> list[str]:
    """Pages of a folder that its index does not link to exactly once."""
    listed = LINK.findall((folder / "index.md").read_text())
    pages = [page.name for page in folder.glob("*.md") if page.name != "index.md"]
    return sorted(page for page in pages if listed.count(page) != 1)


def entry_points(group: str) -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(project["entry-points"][group])


def subcommands(target: Any) -> list[str]:
    """Names of a Typer app's own commands; none when it is one command."""
    if not isinstance(target, typer.Typer):
        return []
    commands = [
        each.name or str(getattr(each.callback, "__name__", "")).replace("_", "-")
        for each in target.registered_commands
    ]
    groups = [str(each.name) for each in target.registered_groups]
    has_names = target.registered_callback is not None or len(commands) + len(groups) > 1
    return [*commands, *groups] if has_names else []


def test_every_setting_is_explained() -> None:
    text = (DOCS / "serving.md").read_text()
    assert [name for name in sorted(setting_names()) if f"`{name}`" not in text] == []


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    deploy = [path for path in (ROOT / "deploy").iterdir() if path.is_file()]
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*markdown_files(), *deploy]
        for name in unknown_settings(path.read_text())
    }
    assert found == set()


def test_every_other_variable_of_the_environment_is_explained() -> None:
    rooms = ("parley", "engines", "streamer", "clients")
    code = [path for path in project_files(ROOT) if path.suffix == ".py"]
    ours = [path for path in code if path.relative_to(ROOT).parts[0] in rooms]
    read = {name for path in ours for name in SINGLE_VARIABLE.findall(path.read_text())}
    text = told_to_users()
    assert {"PARLEY_BUNDLE", "PARLEY_CONFIG"} <= read
    assert [name for name in sorted(read - {"PARLEY_"}) if f"`{name}`" not in text] == []


def test_every_message_of_a_client_is_in_the_protocol() -> None:
    text = (DOCS / "protocol.md").read_text()
    types = [get_args(each.model_fields["type"].annotation)[0] for each in get_args(ClientMessage)]
    assert len(types) >= 4
    assert [name for name in types if f'{{"type": "{name}"' not in text] == []


def test_every_event_of_the_server_is_in_the_protocol() -> None:
    text = (DOCS / "protocol.md").read_text()
    assert [kind.value for kind in EventKind if f"`{kind.value}`" not in text] == []


@pytest.mark.parametrize(("group", "words"), [("commands", "parley"), ("bench", "parley bench")])
def test_every_command_is_told(group: str, words: str) -> None:
    text = told_to_users()
    names = entry_points(f"parley.{group}")
    assert [n for n in names if not re.search(rf"{words} {n}\b", text)] == []


@pytest.mark.parametrize("name", sorted(entry_points("parley.commands")))
def test_every_part_of_a_command_is_told(name: str) -> None:
    value = entry_points("parley.commands")[name].partition(" ")[0]
    module, _, attribute = value.partition(":")
    text = told_to_users()
    parts = subcommands(getattr(import_module(module), attribute))
    assert [part for part in parts if not re.search(rf"parley {name} {part}\b", text)] == []


def test_every_relative_link_leads_somewhere() -> None:
    assert list(broken_links(markdown_files())) == []


def test_the_index_lists_every_page() -> None:
    assert pages_not_listed(DOCS) == []


def test_a_planted_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text(
        "# One `b`\n[a](a.md) [b](b.md) [c](#one-b) [d](a.md#two) [e](https://x.org/n.md)\n"
        "`[f](f.md)`\n```\n[g](g.md)\n# Two\n```\n"
    )
    assert list(broken_links([page])) == [
        "a.md: b.md leads nowhere",
        "a.md: a.md#two names no heading",
    ]


def test_a_planted_page_that_nobody_lists_is_found(tmp_path: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        (tmp_path / name).write_text("# Page\n")
    (tmp_path / "index.md").write_text("[a](a.md) [b](b.md) [b](b.md)\n")
    assert pages_not_listed(tmp_path) == ["b.md", "c.md"]


def test_a_planted_setting_is_found() -> None:
    text = "`limits.rooms` `limits.moons = 3`, `rates.post`, PARLEY_ICE__STUN and PARLEY_ICE__SALT"
    assert unknown_settings(text) == ["ice.salt", "limits.moons"]


def test_parts_of_a_command_are_found() -> None:
    app = typer.Typer()
    app.command()(lambda: None)
    assert subcommands(app) == []
    app.command("second")(lambda: None)
    assert "second" in subcommands(app)
