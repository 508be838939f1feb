from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.bundle import Bundle
from engines.errors import DeviceError, InputError
from engines.runtimes.base import Call
from engines.runtimes.choice import RuntimeName, start
from engines.scene.scene import Scene
from engines.scene.store import ready_scene
from engines.stream import AvatarStream, Chunk
from tests.engines import toy_bundle
from tests.engines.toy_bundle import Toy
from tests.engines.toy_networks import HUM
from tests.engines.toy_reference import Reference

Voices = NDArray[np.float32]
CHUNK, AHEAD = 2560, 1280
CLOSE = 1e-4  # float32 against float64 over several chunks


def seat_all(stream: AvatarStream) -> AvatarStream:
    for seat in range(stream.people):
        stream.join(seat)
    return stream


def push_all(stream: AvatarStream, voices: Voices) -> None:
    for seat in range(stream.people):
        stream.push(seat, voices[seat])


@pytest.fixture
def stream(engine: AvatarEngine, scene: Scene) -> AvatarStream:
    return seat_all(AvatarStream(engine, scene, seed=11))


@pytest.mark.parametrize(
    "options",
    [
        Toy(),
        Toy(kv="inplace"),
        Toy(sampler="renoise", schedules=((1000.0, 600.0, 250.0),)),
        Toy(context_timestep=100.0),
        Toy(kv="inplace", sampler="renoise", context_timestep=50.0, has_curves=False),
        Toy(most_positions=8),
        Toy(most_positions=8, kv="inplace"),
        Toy(has_acting=True),
    ],
    ids=[
        "slice",
        "inplace",
        "renoise",
        "context noise",
        "all",
        "moved back",
        "moved inplace",
        "acting",
    ],
)
def test_a_stream_equals_the_whole_computed_at_once(
    tmp_path: Path, options: Toy, voices: Voices
) -> None:
    bundle = toy_bundle.build(tmp_path / "bundle", options)
    scene = ready_scene(bundle, "pair")
    whole = Reference(scene.picture, options)
    noise = np.random.default_rng(11)
    with (
        AvatarEngine(bundle, start("onnxruntime", 1)) as engine,
        seat_all(AvatarStream(engine, scene, seed=11)) as stream,
    ):
        push_all(stream, voices)
        for number in range(16):  # past the window of three, rounds of the ring, two moves back
            made = stream.make_chunk().frames
            wanted = whole.chunk(voices.astype(np.float64), number, noise)
            assert np.abs(made - wanted).max() <= 1, f"chunk {number}"
            latent = room_tensor(stream, "latent")[0, :, 0]
            assert np.abs(latent - whole.decoded).max() <= CLOSE, f"chunk {number}"


def test_the_reference_tells_ring_order_and_voices_apart(scene: Scene, voices: Voices) -> None:
    """What the parity above rests on: each thing changed shows by far more than rounding."""

    def last(
        change: Callable[[Reference], None] = lambda whole: None, flip: bool = False
    ) -> Voices:
        whole, noise = Reference(scene.picture, Toy()), np.random.default_rng(11)
        heard = voices[::-1] if flip else voices
        for number in range(5):
            change(whole)
            whole.chunk(heard.astype(np.float64), number, noise)
        latent: Voices = whole.decoded.astype(np.float32)
        return latent

    def forget_sink(whole: Reference) -> None:
        whole.past[0] = whole.past[-1]

    def forget_newest(whole: Reference) -> None:
        whole.past[-1] = whole.past[0]

    plain = last()
    for other in (last(forget_sink), last(forget_newest), last(flip=True)):
        assert np.abs(other - plain).max() > 100 * CLOSE


@pytest.mark.parametrize("runtime", ["openvino"])
def test_another_runtime_makes_the_same_pictures(
    bundle: Bundle,
    scene: Scene,
    engine: AvatarEngine,
    voices: Voices,
    runtime: RuntimeName,
) -> None:
    pytest.importorskip(runtime)
    with AvatarEngine(bundle, start(runtime, 1)) as other:
        streams = [seat_all(AvatarStream(each, scene, seed=3)) for each in (engine, other)]
        for each in streams:
            push_all(each, voices)
        for _ in range(6):
            one, two = (each.make_chunk().frames.astype(int) for each in streams)
            assert np.abs(one - two).max() <= 1


def test_the_same_seed_and_voices_give_the_same_bits(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    def film(seed: int) -> bytes:
        with seat_all(AvatarStream(engine, scene, seed=seed)) as stream:
            push_all(stream, voices)
            return b"".join(stream.make_chunk().frames.tobytes() for _ in range(6))

    assert film(1) == film(1)
    assert film(1) != film(2)


def test_two_rooms_taking_turns_equal_two_alone(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    def alone(seed: int) -> list[Chunk]:
        with seat_all(AvatarStream(engine, scene, seed=seed)) as stream:
            push_all(stream, voices * np.float32(seed))
            return [stream.make_chunk() for _ in range(6)]

    wanted = [alone(1), alone(2)]
    rooms = [seat_all(AvatarStream(engine, scene, seed=seed)) for seed in (1, 2)]
    for seed, room in zip((1, 2), rooms, strict=True):
        push_all(room, voices * np.float32(seed))
    made: list[list[Chunk]] = [[], []]
    for turn in [0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0]:
        made[turn].append(rooms[turn].make_chunk())
    for mine, theirs in zip(made, wanted, strict=True):
        for one, two in zip(mine, theirs, strict=True):
            assert one.frames.tobytes() == two.frames.tobytes()
            assert one.audio.tobytes() == two.audio.tobytes()


@pytest.mark.parametrize("block", [1, 160, 333, 2560, 48000])
def test_sound_comes_out_as_it_went_in_whatever_the_blocks(
    stream: AvatarStream, voices: Voices, block: int
) -> None:
    short = voices[:, : 6 * CHUNK] if block > 1 else voices[:, : 2 * CHUNK]
    out = []
    for first in range(0, short.shape[1], block):
        push_all(stream, short[:, first : first + block])
        while stream.is_ready:
            out.append(stream.make_chunk())
    sound = np.concatenate([chunk.audio for chunk in out], axis=1)
    assert sound.shape[1] == (short.shape[1] - AHEAD) // CHUNK * CHUNK
    assert (sound == short[:, : sound.shape[1]]).all()
    assert all(chunk.missing_samples == (0, 0) for chunk in out)
    assert [chunk.position for chunk in out] == [4 * number for number in range(len(out))]


def test_a_stream_is_ready_when_every_seated_voice_reaches_past_the_look_ahead(
    stream: AvatarStream, voices: Voices
) -> None:
    stream.push(0, voices[0, : CHUNK + AHEAD])
    stream.push(1, voices[1, : CHUNK + AHEAD - 1])
    assert not stream.is_ready
    stream.push(1, voices[1, :1])
    assert stream.is_ready
    stream.make_chunk()
    assert not stream.is_ready
    stream.leave(1)
    stream.push(0, voices[0, :CHUNK])  # the look-ahead is behind us: a chunk is enough
    assert stream.is_ready


def test_what_a_voice_lacks_is_silence_and_counted(stream: AvatarStream, voices: Voices) -> None:
    stream.push(0, voices[0, :2000])
    stream.push(1, voices[1, : CHUNK + AHEAD])
    chunk = stream.make_chunk()
    assert chunk.missing_samples == (CHUNK + AHEAD - 2000, 0)
    assert (chunk.audio[0, :2000] == voices[0, :2000]).all()
    assert not chunk.audio[0, 2000:].any()
    assert (chunk.audio[1] == voices[1, :CHUNK]).all()


def test_after_barging_in_the_next_chunk_listens(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    """It equals the chunk of a room where this seat never spoke, but for what is remembered."""
    silent, cut = (seat_all(AvatarStream(engine, scene, seed=4)) for _ in range(2))
    cut.push(0, voices[0])
    for stream in (silent, cut):
        stream.push(1, voices[1])
        stream.make_chunk()
    dropped = cut.clear(0)
    assert dropped == voices.shape[1] - CHUNK
    heard = {}
    for name, stream in (("silent", silent), ("cut", cut)):
        chunk = stream.make_chunk()
        heard[name] = room_tensor(stream, "features")
        assert not chunk.audio[0].any()
        assert (chunk.audio[1] == voices[1, CHUNK : 2 * CHUNK]).all()
    assert (heard["cut"] == heard["silent"]).all()
    assert heard["cut"][1, :, 0].max() > HUM + 0.01  # the other person goes on


def room_tensor(stream: AvatarStream, name: str) -> Voices:
    read: Voices = stream._room._wiring[name].read().copy()  # type: ignore[attr-defined]
    return read


def test_without_barging_in_the_look_ahead_would_have_spoken_on(
    stream: AvatarStream, voices: Voices
) -> None:
    push_all(stream, voices)
    stream.make_chunk()
    stream._seat(0).clear()  # drops the queue only
    stream.make_chunk()
    assert room_tensor(stream, "features")[0, :, 0].max() > HUM + 0.01


def test_a_seat_left_is_silent_and_can_be_taken_again(stream: AvatarStream, voices: Voices) -> None:
    push_all(stream, voices)
    stream.make_chunk()
    stream.leave(0)
    assert stream.seated == {1}
    assert not stream.make_chunk().audio[0].any()
    stream.join(0)
    stream.push(0, voices[0])
    assert not stream.make_chunk().audio[0, :AHEAD].any()
    assert stream.make_chunk().audio[0].any()


def test_a_prompt_changed_on_the_way_changes_what_follows(
    engine: AvatarEngine, scene: Scene
) -> None:
    def film(prompt: str) -> list[bytes]:
        with AvatarStream(engine, scene, seed=1) as stream:
            made = [stream.make_chunk().frames.tobytes()]
            stream.set_prompt(prompt)
            return [*made, stream.make_chunk().frames.tobytes()]

    same, other = film(scene.prompt), film("they laugh")
    assert same[0] == other[0]
    assert same[1] != other[1]


def test_fewer_steps_catch_up_and_unknown_ones_change_nothing(
    engine: AvatarEngine, scene: Scene
) -> None:
    with AvatarStream(engine, scene, seed=1) as one, AvatarStream(engine, scene, seed=1) as two:
        with pytest.raises(InputError, match="no schedule of 3 steps; it has 1 or 2"):
            one.make_chunk(steps=3)
        assert one.make_chunk(steps=2).frames.tobytes() == two.make_chunk().frames.tobytes()
        assert one.make_chunk(steps=1).frames.tobytes() != two.make_chunk().frames.tobytes()


def test_an_hour_of_stream_grows_nothing(engine: AvatarEngine, scene: Scene) -> None:
    """Two hundred chunks keep as many buffers and bindings as ten."""

    def size(stream: AvatarStream) -> tuple[int, int]:
        room = stream._room
        return len(room._wiring._buffers), len(room._dit._calls)  # type: ignore[attr-defined]

    with AvatarStream(engine, scene) as stream:
        for _ in range(10):
            stream.make_chunk()
        early = size(stream)
        for _ in range(190):
            stream.make_chunk()
        assert size(stream) == early


def test_an_error_in_one_room_does_not_touch_another(
    engine: AvatarEngine, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound, twin = (AvatarStream(engine, scene, seed=9) for _ in range(3))

    class Failing:
        def run(self) -> None:
            raise DeviceError("out of memory")

    calls: dict[object, Call] = broken._room._dit._calls  # type: ignore[attr-defined]
    calls.update({key: Failing() for key in [*calls, (1000.0, False)]})
    with pytest.raises(DeviceError, match="out of memory"):
        broken.make_chunk()
    with pytest.raises(DeviceError, match=r"failed before .*open a new one"):
        broken.make_chunk()
    assert sound.make_chunk().frames.tobytes() == twin.make_chunk().frames.tobytes()


def test_seats_that_are_not_there_are_named(stream: AvatarStream, voices: Voices) -> None:
    with pytest.raises(InputError, match="no seat 2; the scene has 2 people"):
        stream.push(2, voices[0])
    with pytest.raises(InputError, match="no seat -1"):
        stream.join(-1)
    with pytest.raises(InputError, match="seat 0 is taken"):
        stream.join(0)
    stream.leave(0)
    with pytest.raises(InputError, match="nobody has seat 0; join it first"):
        stream.push(0, voices[0])


def test_a_closed_stream_says_so(stream: AvatarStream) -> None:
    stream.close()
    with pytest.raises(DeviceError, match="closed"):
        stream.make_chunk()


def test_pictures_belong_to_their_receiver(stream: AvatarStream) -> None:
    first = stream.make_chunk().frames
    kept = first.copy()
    stream.make_chunk()
    assert (first == kept).all()
    assert first.flags.writeable


def test_each_person_hears_in_their_own_place(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    """Swapping the people's regions moves what a voice does to the other half of the picture."""
    flipped = dataclasses.replace(scene, masks=scene.masks[::-1])

    def speak(where: Scene) -> Voices:
        with AvatarStream(engine, where, seed=2) as stream:
            quiet = stream.make_chunk().frames
        with AvatarStream(engine, where, seed=2) as stream:
            stream.join(0)
            stream.push(0, voices[0, 20000:])
            moved = np.abs(stream.make_chunk().frames.astype(int) - quiet).sum((0, 1, 3))
        halves: Voices = moved.reshape(2, -1).sum(1).astype(np.float32)
        return halves

    left, right = speak(scene)
    assert left > right
    left, right = speak(flipped)
    assert left < right


def test_without_memory_a_chunk_follows_from_its_voices_alone(
    tmp_path: Path, voices: Voices
) -> None:
    """Whatever was shown before, the same sound gives the same picture, for ever."""
    forgetful = toy_bundle.build(tmp_path / "bundle", Toy(remembers=False))
    with AvatarEngine(forgetful, start("onnxruntime", 1)) as engine:
        stream = seat_all(AvatarStream(engine, ready_scene(forgetful, "pair"), seed=3))
        latents = []
        for _ in range(4):
            for each in (voices, voices * 0):
                push_all(stream, each[:, : 2560 * 4])
                for _ in range(4):
                    stream.make_chunk()
                latents.append(room_tensor(stream, "latent"))
        # The first voices wait half a chunk longer, for the look-ahead.
        talking, silent = latents[2::2], latents[3::2]
    assert not np.array_equal(talking[0], silent[0])
    for later in talking[1:]:
        assert np.allclose(later, talking[0], atol=1e-5)
    for later in silent[1:]:
        assert np.allclose(later, silent[0], atol=1e-5)


def test_with_memory_a_chunk_knows_what_came_before(engine: AvatarEngine, scene: Scene) -> None:
    stream = seat_all(AvatarStream(engine, scene, seed=3))
    made = []
    for _ in range(6):
        stream.make_chunk()
        made.append(room_tensor(stream, "latent"))
    assert not np.allclose(made[1], made[5], atol=1e-5)
