from __future__ import annotations

from engines.avatar_engine import AvatarEngine
from engines.errors import DeviceError
from engines.scene.scene import Scene
from engines.stream import AvatarStream, Chunk
from engines.turns import fair_order, make_chunks


def test_the_room_that_is_furthest_behind_comes_first(engine: AvatarEngine, scene: Scene) -> None:
    rooms = {name: AvatarStream(engine, scene) for name in ("a", "b", "c")}
    rooms["a"].make_chunk()
    rooms["a"].make_chunk()
    rooms["b"].make_chunk()
    assert fair_order(rooms, ["a", "b", "c"]) == ["c", "b", "a"]
    assert fair_order(rooms, ["a", "b"]) == ["b", "a"]


def test_a_room_that_fails_gets_its_error_and_the_others_their_chunk(
    engine: AvatarEngine, scene: Scene
) -> None:
    rooms = {name: AvatarStream(engine, scene) for name in ("a", "b", "c")}
    rooms["a"].close()
    made = make_chunks(rooms, rooms)
    assert isinstance(made["a"], DeviceError)
    assert isinstance(made["b"], Chunk)
    assert isinstance(made["c"], Chunk)
    assert (made["b"].frames == made["c"].frames).all()
