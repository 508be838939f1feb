"""The `parley` command line: lists every installed subcommand, loads only the one that is called.

A package adds a subcommand by an entry point in the group `parley.commands`, a bench by one in
`parley.bench`. So no package imports another for the sake of the command line, and `--help` imports
none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from parley.missing import how_to_install
from parley.summary import summary

USAGE_ERROR = 2
# The subcommand parses its own arguments, `--help` and `--` included.
PASS_ON = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "allow_interspersed_args": False,
}


class ListingGroup(TyperGroup):
    """A group that answers an unknown name with the names it knows."""

    # Any: Typer does not export the classes of a context and of a parsed command.
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            names = ", ".join(sorted(self.commands)) or "none is installed"
            ctx.fail(f"There is no command '{args[0]}'. The commands are: {names}.")
        return super().resolve_command(ctx, args)


def main() -> None:
    """Run the `parley` command on this process's arguments and exit."""
    # ONNX Runtime reports to its maker from 1.29 on, unless told not to before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    commands = entry_points(group="parley.commands")
    build_app(commands, entry_points(group="parley.bench"))()


def build_app(commands: Iterable[EntryPoint], benches: Iterable[EntryPoint]) -> typer.Typer:
    """Build the command line out of entry points, none of which is loaded before it is called."""
    app = _group("Real-time avatars: several people in one picture, each with a live voice.")
    app.callback()(_options)
    for entry in commands:
        _add(app, entry)
    bench = _group("Measure one part on this machine.")
    bench.callback()(_no_options)
    for entry in benches:
        _add(bench, entry)
    app.add_typer(bench, name="bench")
    return app


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        cls=ListingGroup,
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    def run(context: typer.Context) -> None:
        _run(entry, context.args, context.command_path)

    register = app.command(
        entry.name, help=summary(entry), context_settings=PASS_ON, add_help_option=False
    )
    register(run)


def _run(entry: EntryPoint, args: list[str], command_path: str) -> None:
    """Load a subcommand and hand it its arguments; it exits the process itself."""
    try:
        _as_app(entry)(args=args, prog_name=command_path)
    except ModuleNotFoundError as error:
        advice = how_to_install(error, entry)
        if advice is None:  # not a missing extra: a bug, shown whole
            raise
        typer.echo(f"{command_path} {advice}", err=True)
        raise typer.Exit(USAGE_ERROR) from error


def _as_app(entry: EntryPoint) -> Callable[..., Any]:
    """Load what `entry` names: a Typer app, or a function that becomes an app of one command.

    Raises:
        TypeError: when it is neither.
    """
    target = entry.load()
    if isinstance(target, typer.Typer):
        return target
    if not callable(target):
        raise TypeError(f"{entry.value} is a {type(target).__name__}, not a Typer app or function")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(target)
    return app


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"parley {version('parley-avatar')}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Takes the options of `parley` itself; the version is printed while they are parsed."""


def _no_options() -> None:
    """Makes a group of a single bench a group all the same."""
