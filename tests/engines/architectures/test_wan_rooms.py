"""AnyTalker and MultiTalk end to end at toy size: weights to bundle to video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engines.avatar_engine import AvatarEngine
from engines.errors import ArtifactError, InputError
from engines.runtimes.choice import start
from engines.scene.boxes import Box
from engines.scene.picture import Picture
from engines.scene.prepare import Wishes, prepare_scene
from engines.scene.scene import Caption, Scene
from engines.stream import AvatarStream, Chunk
from models.anytalker.dit import AnyTalkerDiT
from models.multitalk.dit import MultiTalkDiT
from tests.engines.architectures import wan_toys
from tests.engines.architectures.wan_reference import TorchStream
from tests.engines.architectures.wan_toys import Toy
from tests.models.encoders.tiny import voice

AnyToy = Toy[AnyTalkerDiT] | Toy[MultiTalkDiT]
BOXES = (Box(2, 3, 27, 29), Box(37, 4, 60, 27))
PROMPT, OTHER_PROMPT = "two people talk", "she smiles, a quiet room"
Voices = NDArray[np.float32]
BOUND = 0.001  # relative L2
CLIP_FRAMES = 9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toys")


@pytest.fixture(scope="module", params=[wan_toys.anytalker, wan_toys.multitalk])
def toy(request: pytest.FixtureRequest, home: Path) -> AnyToy:
    made: AnyToy = request.param(home)
    return made


@pytest.fixture(scope="module")
def engine(toy: AnyToy) -> Iterator[AvatarEngine]:
    with AvatarEngine(toy.bundle, start("onnxruntime", 1)) as opened:
        yield opened


@pytest.fixture(scope="module")
def scene(toy: AnyToy) -> Scene:
    draw = np.random.default_rng(2)
    coarse = draw.integers(0, 256, (8, 16, 3)).astype(np.uint8)
    pixels = coarse.repeat(4, 0).repeat(4, 1)
    wishes = Wishes(boxes=BOXES, caption=Caption(name="pair", prompt=PROMPT))
    return prepare_scene(toy.bundle, Picture(pixels, 1.0), wishes, None)


@pytest.fixture(scope="module")
def voices() -> Voices:
    """Two voices [2, n], unlike each other, with a pause in each."""
    spoken = np.stack([voice(4.2, seed=seed).numpy() for seed in (1, 2)])
    spoken[0, 20000:30000] = 0
    spoken[1, :9000] = 0
    return spoken


def seated(engine: AvatarEngine, scene: Scene, seed: int) -> AvatarStream:
    stream = AvatarStream(engine, scene, seed=seed)
    for seat in range(stream.people):
        stream.join(seat)
    return stream


def latent_of(stream: AvatarStream) -> torch.Tensor:
    read = stream._room._wiring["latent"].read()  # type: ignore[attr-defined]
    return torch.tensor(read)


def test_a_bundle_says_what_no_tensor_shows(toy: AnyToy) -> None:
    manifest = toy.bundle.manifest
    assert manifest.wan is not None
    assert manifest.wan.clip_frames == manifest.rotation.most_positions == CLIP_FRAMES
    assert manifest.wan.audio_past_frames == 14
    assert manifest.look_ahead_samples == 1280
    assert manifest.tokenizer.kind == "sentencepiece"
    assert all(each.relative_l2 < 1e-4 for each in manifest.parity)


def test_a_room_makes_what_the_models_make(
    toy: AnyToy, engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    """Past the window, past the training clip and past a move of the window back to the sink."""
    whole = TorchStream(toy, scene, seed=5)
    chunks = 0
    with seated(engine, scene, seed=5) as stream:
        for seat in range(2):
            stream.push(seat, voices[seat])
        for number, expected in enumerate(whole.chunks(torch.tensor(voices))):
            made = stream.make_chunk()
            error = float((latent_of(stream) - expected.latent).norm() / expected.latent.norm())
            difference = np.abs(made.frames.astype(int) - expected.pixels.astype(int))
            assert error < BOUND, f"chunk {number}: {error}"
            assert difference.max() <= 1, f"chunk {number}"  # a value halfway between two
            assert made.frames.std() > 5
            chunks += 1
            if number == 2:
                whole.prompt = OTHER_PROMPT
                stream.set_prompt(OTHER_PROMPT)
    assert chunks > 2 * CLIP_FRAMES


def film(engine: AvatarEngine, scene: Scene, voices: Voices, seed: int) -> list[Chunk]:
    with seated(engine, scene, seed=seed) as stream:
        for seat in range(2):
            stream.push(seat, voices[seat])
        return [stream.make_chunk() for _ in range(5)]


def test_two_rooms_taking_turns_equal_two_alone(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    others = voices[::-1].copy()
    wanted = [film(engine, scene, voices, 1), film(engine, scene, others, 2)]
    rooms = [seated(engine, scene, seed) for seed in (1, 2)]
    for room, heard in zip(rooms, (voices, others), strict=True):
        for seat in range(2):
            room.push(seat, heard[seat])
    made: list[list[Chunk]] = [[], []]
    for turn in (0, 1, 1, 0, 0, 1, 1, 1, 0, 0):
        made[turn].append(rooms[turn].make_chunk())
    for mine, theirs in zip(made, wanted, strict=True):
        for one, two in zip(mine, theirs, strict=True):
            assert one.frames.tobytes() == two.frames.tobytes()


def test_prompt_and_both_voices_show_in_the_picture(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    """What the parity above rests on: each of them moves the latent far beyond its bound."""

    def latent(heard: Voices, prompt: str = PROMPT) -> torch.Tensor:
        with seated(engine, scene, seed=1) as stream:
            stream.set_prompt(prompt)
            for seat in range(2):
                stream.push(seat, heard[seat])
            for _ in range(4):
                stream.make_chunk()
            return latent_of(stream)

    plain = latent(voices)
    alone = [voices * np.array([[keep], [1 - keep]], np.float32) for keep in (0, 1)]
    others = [latent(voices, OTHER_PROMPT), latent(voices[::-1].copy()), *map(latent, alone)]
    for other in others:
        assert float((other - plain).norm() / plain.norm()) > 4 * BOUND


def test_after_barging_in_a_room_hears_silence_again(
    engine: AvatarEngine, scene: Scene, voices: Voices
) -> None:
    silent, cut = (seated(engine, scene, seed=4) for _ in range(2))
    cut.push(0, voices[0])
    for stream in (silent, cut):
        stream.push(1, voices[1])
        for _ in range(3):
            stream.make_chunk()
    cut.clear(0)
    features = []
    for stream in (silent, cut):
        stream.make_chunk()
        features.append(stream._room._wiring["features"].read().copy())  # type: ignore[attr-defined]
    assert (features[0] == features[1]).all()


def test_a_long_stream_grows_nothing(engine: AvatarEngine, scene: Scene) -> None:
    def size(stream: AvatarStream) -> tuple[int, int]:
        room = stream._room
        return len(room._wiring._buffers), len(room._dit._calls)  # type: ignore[attr-defined]

    with AvatarStream(engine, scene) as stream:
        stream.make_chunk()
        early = size(stream)
        for _ in range(20):
            stream.make_chunk()
        assert size(stream) == early


def test_a_person_too_small_for_a_token_is_named(engine: AvatarEngine, scene: Scene) -> None:
    masks = np.zeros_like(scene.masks)
    boxes = (Box(1, 1, 3, 3), scene.boxes[1])
    with pytest.raises(InputError, match="person 0 is too small"):
        AvatarStream(engine, replace(scene, masks=masks, boxes=boxes))


def test_a_bundle_without_a_role_is_refused(toy: AnyToy, scene: Scene) -> None:
    manifest = toy.bundle.manifest
    networks = tuple(each for each in manifest.networks if each.role != "image_encoder")
    bundle = replace(toy.bundle, manifest=manifest.model_copy(update={"networks": networks}))
    with (
        AvatarEngine(bundle, start("onnxruntime", 1)) as engine,
        pytest.raises(ArtifactError, match="has no image_encoder"),
    ):
        AvatarStream(engine, scene)
