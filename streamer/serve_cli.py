"""Serve rooms over WebRTC: settings from a file, the environment and flags."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import typer

from engines.command_line import BundleOption, errors_in_one_line
from engines.conversation import Turn
from streamer.cluster.front import check_settings, serve_cluster
from streamer.cluster.ray_cluster import RayCluster
from streamer.demo import open_demo, talk
from streamer.errors import StreamerError
from streamer.http.logs import start_logging
from streamer.peering import make_peers
from streamer.screen import show
from streamer.server import Built, build, serve_until_told, signer_of
from streamer.settings import Settings
from streamer.settings_cli import ConfigOption, markdown_table, put, put_text, read_settings
from streamer.stage import open_stage

logger = logging.getLogger(__name__)
USAGE_ERROR = 2
DEMO_HOST = "127.0.0.1"


def serve(  # noqa: PLR0913  # a command's options are its arguments
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 for any free one.")] = None,
    bundle: BundleOption = None,
    generator: Annotated[
        Literal["bundle", "null"] | None, typer.Option(help="null: bars instead of avatars.")
    ] = None,
    demo: Annotated[
        bool, typer.Option(help="Open a room in which people talk; loopback only.")
    ] = False,
    is_shown: Annotated[
        bool, typer.Option("--open", help="Show the page in this machine's browser, if it has one.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option(help="Place rooms on the workers of a Ray cluster.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting, as limits.rooms=2."),
    ] = None,
    list_settings: Annotated[
        bool, typer.Option("--list-settings", help="Explain every setting and exit.")
    ] = False,
) -> None:
    """Serve rooms over WebRTC."""
    if list_settings:
        typer.echo(markdown_table())
        return
    flags: dict[str, Any] = {}
    for assignment in setting or ():
        put_text(flags, assignment)
    named = {
        "server.host": host,
        "server.port": port,
        "engine.bundle": None if bundle is None else str(bundle),
        "engine.generator": generator,
    }
    for name, value in named.items():
        if value is not None:
            put(flags, name, value)
    if cluster and (demo or is_shown):
        typer.echo("error: a cluster has no demo and no screen; leave out --cluster", err=True)
        raise typer.Exit(USAGE_ERROR)
    if demo:
        put(flags, "server.host", DEMO_HOST)
        put(flags, "auth.mode", "off")
    settings = read_settings(config, flags)
    start_logging(settings.logs.level, settings.logs.format)
    with errors_in_one_line():
        if cluster:
            _serve_cluster(settings)
        else:
            _serve(settings, has_demo=demo, is_shown=is_shown)


def _serve(settings: Settings, *, has_demo: bool, is_shown: bool) -> None:
    stage = open_stage(settings)
    try:
        built = build(settings, stage, make_peers(settings), signer=signer_of(settings))
        _say_what_is_open(settings, stage.about)
        conversation = stage.conversation() if has_demo else None
        asyncio.run(_run(built, conversation, is_shown=is_shown))
    except (StreamerError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    if built.services.registry.rooms:
        # A generator that hangs cannot be stopped, and its thread would keep the process alive.
        logger.error("a room did not end in time; leaving it behind")
        os._exit(1)
    stage.close()


def _serve_cluster(settings: Settings) -> None:
    try:
        check_settings(settings)
        cluster = RayCluster(settings)
        stage = open_stage(settings)
        try:
            _say_what_is_open(settings, stage.about)
            asyncio.run(serve_cluster(settings, stage, cluster, _greet))
        finally:
            stage.close()
            cluster.close()
    except (StreamerError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE_ERROR) from error


def _greet(url: str) -> None:
    typer.echo(f"Parley listens on {url} (rooms: {url}/admin)")


def _say_what_is_open(settings: Settings, about: str) -> None:
    logger.info("pictures: %s", about)
    if not settings.needs_token:
        logger.warning("anybody who reaches %s may come in: no token", settings.server.host)
    if not settings.video.badge:
        logger.warning("pictures carry no AI badge; the law of your viewers may demand one")


async def _run(built: Built, conversation: Sequence[Turn] | None, *, is_shown: bool) -> None:
    """Serve until told to stop; with a conversation, in the demo room."""

    @contextlib.asynccontextmanager
    async def greet(url: str) -> AsyncIterator[None]:
        _greet(url)
        if conversation is None:
            if is_shown:
                show(url)
            yield
            return
        scenes = built.services.shelf.cards()
        if not scenes:
            raise StreamerError("the bundle has no scene to show; start without --demo")
        scene = next((each for each in scenes if each.people > 1), scenes[0])
        badge = built.services.settings.video.badge
        room = await open_demo(built.services.registry, scene.id, has_badge=badge)
        talking = asyncio.create_task(talk(room, conversation), name="demo")
        typer.echo(f"The demo room is {url}/rooms/{room.id}; play {url}/rooms/{room.id}/whep")
        if is_shown:
            show(url)
        try:
            yield
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)

    await serve_until_told(built, greet)
