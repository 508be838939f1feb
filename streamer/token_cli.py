"""Make a token for a room: who may view it, publish to a seat, or administer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streamer.http.tokens import ANY_ROOM, Claims, Role, TokenKey
from streamer.settings_cli import ConfigOption, read_settings

USAGE_ERROR = 2


def token(  # noqa: PLR0913  # a command's options are its arguments
    role: Annotated[Role, typer.Option(help="What its owner does.")],
    room: Annotated[
        str, typer.Option(metavar="ID", help="Which room; '*' for every room.")
    ] = ANY_ROOM,
    seat: Annotated[
        int | None, typer.Option(min=0, max=255, help="With publish: this seat alone.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long it is valid.")] = 60.0,
    name: Annotated[str, typer.Option(help="Of its owner, for logs and counts.")] = "",
    config: ConfigOption = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Instead of the settings' auth.key or auth.key_file.")
    ] = None,
) -> None:
    """Print a token, signed with the server's key (auth.key_file, or PARLEY_AUTH__KEY)."""
    flags: dict[str, object] = {} if key_file is None else {"auth": {"key_file": str(key_file)}}
    secret = read_settings(config, flags).auth.secret()
    if secret is None:
        typer.echo("error: there is no key; give --key-file, or set PARLEY_AUTH__KEY", err=True)
        raise typer.Exit(USAGE_ERROR)
    claims = Claims(
        room=room, role=role, seat=seat, sub=name, exp=round(time.time() + minutes * 60)
    )
    typer.echo(TokenKey(secret).sign(claims))
