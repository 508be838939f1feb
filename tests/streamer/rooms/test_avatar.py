"""The real engine behind rooms, with tiny random networks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engines.avatar_engine import AvatarEngine
from engines.errors import InputError
from engines.runtimes.choice import start
from engines.scene.store import ready_scene
from streamer.media.types import Generator
from streamer.rooms.avatar import AvatarOpener
from streamer.rooms.events import EventKind
from streamer.rooms.opening import RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.settings import RoomSettings
from tests.engines import toy_bundle
from tests.streamer.rooms.stages import pcm


def test_an_avatar_speaks_in_a_room_and_is_interrupted(tmp_path: Path) -> None:
    bundle = toy_bundle.build(tmp_path / "bundle")

    async def scene() -> None:
        with AvatarEngine(bundle, start("onnxruntime", 1)) as engine:
            opener = AvatarOpener(engine, lambda name: ready_scene(bundle, name))
            async with RoomRegistry(opener, RoomSettings()) as registry:
                with pytest.raises(InputError):
                    await registry.create(RoomSpec(scene="nowhere"))
                room = await registry.create(RoomSpec(scene="pair"))
                viewer, events = room.add_viewer(), room.events.subscribe(1000)
                bot = room.publish(0, kind="bot")
                bot.say(pcm(0.5), 16000)
                bot.segment_end()
                bot.say(pcm(20.0), 16000)
                ended = []
                async for event in events:
                    if event.kind is EventKind.SPEAK_ENDED:
                        ended.append(event.data["interrupted"])
                        if len(ended) == 2:
                            break
                        bot.clear()
                assert ended == [False, True]
                assert (await viewer.next_picture()).is_key
                assert registry.measures.part_seconds["denoise"] > 0

    asyncio.run(scene())


def test_the_opener_names_what_the_bundle_can_do(tmp_path: Path) -> None:
    bundle = toy_bundle.build(tmp_path / "bundle")
    with AvatarEngine(bundle, start("onnxruntime", 1)) as engine:
        opened = AvatarOpener(engine, lambda name: ready_scene(bundle, name))(
            RoomSpec(scene="pair")
        )
        generator: Generator = opened.generator
        schedules = bundle.manifest.sampling.schedules
        assert opened.step_counts == tuple(len(schedule) for schedule in schedules)
        assert (generator.people, generator.chunk_samples) == (2, bundle.manifest.chunk_samples)
        chunk = generator.make_chunk()
        assert chunk.frames.shape[1:] == (generator.height, generator.width, 3)
        for seat in range(generator.people):
            generator.join(seat)
            assert generator.queued_samples(seat) == 0
            generator.leave(seat)
        generator.close()
