from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError, InputError
from models.studio.config import Binding, studio
from models.studio.dit import StudioDiT, StudioScene
from models.studio.motion import Motion
from models.studio.voices import picture_labels
from models.wan.dit import Prediction
from models.wan.kv_cache import KVCache
from models.wan.rope import Grid
from tests.models.studio.sizes import tiny_studio

H, W = 4, 8
BOTH = pytest.mark.parametrize("binding", list(Binding))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(binding: Binding, chunk_frames: int = 1) -> StudioDiT:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StudioDiT(tiny_studio(binding, chunk_frames))
    return network.eval().requires_grad_(False)


def halves() -> Tensor:
    """Two people: the left and the right third, background between them."""
    people = torch.zeros(1, 2, H, W)
    people[:, 0, :, :2] = people[:, 1, :, 6:] = 1
    return people


def scene(network: StudioDiT, prompt: int = 2) -> StudioScene:
    cfg = network.studio
    faces = noise(1, 2, 3, 16, 16, seed=3) if cfg.binding is Binding.IDENTITY else None
    words = torch.full((1, cfg.text.length), prompt)
    return network.encode_scene(words, noise(1, 4, 1, H, W, seed=4), halves(), faces)


def motion(frames: int, seed: int = 6) -> Motion:
    known = (noise(1, 2, frames, 3, seed=seed) > 0).float()
    return Motion(noise(1, 2, frames, 56, seed=seed + 1), known)


def cut(moves: Motion, span: slice) -> Motion:
    return Motion(*(part[:, :, span] for part in moves))


def roll(network: StudioDiT, latent: Tensor, timestep: Tensor, features: Tensor) -> Tensor:
    """Stream a sequence chunk by chunk."""
    chunk = network.studio.chunk_frames
    place, moves = scene(network), motion(features.shape[2])
    past, pieces = network.start_stream(place), []
    for first in range(0, latent.shape[2], chunk):
        span = slice(first, first + chunk)
        heard = slice(4 * first, 4 * (first + chunk))
        past = past.make_room(chunk)
        audio = network.encode_audio(features[:, :, heard], cut(moves, heard))
        made = network(latent[:, :, span], timestep[:, span], place, audio, past)
        past = past.append(made.kv, chunk)
        pieces.append(made.velocity)
    return torch.cat(pieces, dim=2)


def led_by_zeros(x: Tensor) -> Tensor:
    """Put the sink's four silent video frames in front."""
    return torch.cat([torch.zeros_like(x[:, :, :4]), x], dim=2)


@BOTH
@pytest.mark.parametrize("chunk_frames", [1, 2])
def test_a_stream_equals_the_whole_sequence_seen_as_a_stream(
    binding: Binding, chunk_frames: int
) -> None:
    network = build(binding, chunk_frames)
    latent, features = noise(1, 4, 8, H, W), noise(1, 2, 32, 8, seed=1)
    timestep = torch.rand(1, 8, generator=torch.Generator().manual_seed(2)) * 1000
    place, moves = scene(network), motion(32)
    audio = network.encode_audio(
        led_by_zeros(features), Motion(*(led_by_zeros(part) for part in moves))
    )
    whole = network(
        torch.cat([place.reference, latent], dim=2),
        torch.cat([torch.zeros(1, 1), timestep], dim=1),
        place,
        audio,
        stream=network.as_stream(),
    ).velocity[:, :, 1:]
    torch.testing.assert_close(roll(network, latent, timestep, features), whole, atol=1e-5, rtol=0)


@BOTH
def test_the_sink_is_equally_near_at_any_time(binding: Binding) -> None:
    network = build(binding)
    place, moves = scene(network), motion(4)
    audio = network.encode_audio(noise(1, 2, 4, 8), moves)
    latent, timestep = noise(1, 4, 1, H, W), torch.tensor([500.0])
    start = network.start_stream(place)
    late = replace(start, next_position=900)
    near, far = (network(latent, timestep, place, audio, past) for past in (start, late))
    torch.testing.assert_close(near.velocity, far.velocity, atol=1e-5, rtol=0)


def test_only_the_sink_has_no_time() -> None:
    network = build(Binding.LABELS)
    turned = network.rotation(range(3), Grid(3, 2, 4), torch.device("cpu"))
    per_frame = turned.cos.reshape(3, 8, -1)
    assert not per_frame[0, :, 0].any()
    assert per_frame[1:, :, 0].all()
    assert per_frame[0, :, -1].all(), "its places in the picture stay"


def predict(
    network: StudioDiT, *, silent: int | None = None, prompt: int = 2, moves: Motion | None = None
) -> Prediction:
    place = scene(network, prompt)
    features = noise(1, 2, 4, 8, seed=9)
    moves = moves or motion(4)
    if silent is not None:
        features = features.clone()
        features[:, silent] = 0
    audio = network.encode_audio(features, moves)
    made: Prediction = network(
        noise(1, 4, 1, H, W), torch.tensor([700.0]), place, audio, network.start_stream(place)
    )
    return made


def test_with_identity_a_voice_enters_only_where_its_person_is() -> None:
    network = build(Binding.IDENTITY)
    for block in network.typed_blocks():  # self attention would spread it
        block.self_attn.o.weight.zero_()
        block.self_attn.o.bias.zero_()
    difference = predict(network).velocity - predict(network, silent=0).velocity
    by_column = difference.abs().amax((0, 1, 2, 3))
    assert (by_column[:2] > 1e-4).all()
    assert (by_column[2:] == 0).all()


def test_labels_tell_people_and_background_apart() -> None:
    ranges = tiny_studio(Binding.LABELS).labels
    people = torch.tensor([[[1.0, 0.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.0]]])
    labels = picture_labels(people, ranges)
    half = (ranges.key_label(0) + ranges.background) / 2
    assert labels.tolist() == [[2.0, 22.0, 12.0, half]]


@BOTH
def test_both_voices_and_the_prompt_matter(binding: Binding) -> None:
    network = build(binding)
    plain = predict(network).velocity
    for other in (
        predict(network, silent=0),
        predict(network, silent=1),
        predict(network, prompt=3),
    ):
        assert (other.velocity - plain).abs().max() > 1e-5


def test_what_is_not_known_of_motion_is_not_seen() -> None:
    network = build(Binding.IDENTITY)
    known = torch.tensor([1.0, 0.0, 1.0]).expand(1, 2, 4, 3)
    values = noise(1, 2, 4, 56)
    hidden = values.clone()
    hidden[..., 0] += 1  # a blink: expression, not known
    told = hidden.clone()
    told[..., 17] += 1  # jawOpen: speech, known
    plain, same, other = (predict(network, moves=Motion(v, known)) for v in (values, hidden, told))
    assert torch.equal(plain.velocity, same.velocity)
    assert (plain.velocity - other.velocity).abs().max() > 1e-6


@BOTH
def test_padding_of_a_prompt_is_not_seen(binding: Binding) -> None:
    network = build(binding)
    short = torch.tensor([[4, 5, 0, 0, 0, 0]])
    with torch.no_grad():
        network.text_encoder.words.weight[0] += 1
    before = network.text_encoder(short)
    network.text_encoder.words.weight[0] -= 2
    torch.testing.assert_close(network.text_encoder(short), before)


def test_two_streams_in_turn_equal_two_alone() -> None:
    network = build(Binding.IDENTITY)
    place = scene(network)

    def chunk(past: KVCache, seed: int) -> tuple[Tensor, KVCache]:
        past = past.make_room(1)
        audio = network.encode_audio(noise(1, 2, 4, 8, seed=seed), motion(4, seed))
        made = network(noise(1, 4, 1, H, W, seed=seed), torch.tensor([300.0]), place, audio, past)
        return made.velocity, past.append(made.kv, 1)

    alone = []
    for room in (10, 20):
        past = network.start_stream(place)
        for step in range(4):
            velocity, past = chunk(past, room + step)
        alone.append(velocity)
    pasts, last = [network.start_stream(place)] * 2, [torch.empty(0)] * 2
    for step in range(4):
        for room in (0, 1):
            last[room], pasts[room] = chunk(pasts[room], (10, 20)[room] + step)
    assert all(torch.equal(a, b) for a, b in zip(alone, last, strict=True))


def test_voices_must_be_as_many_as_people() -> None:
    network = build(Binding.LABELS)
    place = scene(network)
    one = Motion(torch.zeros(1, 1, 4, 56), torch.zeros(1, 1, 4, 3))
    audio = network.encode_audio(torch.zeros(1, 1, 4, 8), one)
    with pytest.raises(InputError, match="1 voices for 2 people"):
        network(noise(1, 4, 1, H, W), torch.tensor([1.0]), place, audio)


def test_scenes_that_do_not_fit_are_refused() -> None:
    words, reference = torch.zeros(1, 6, dtype=torch.long), noise(1, 4, 1, H, W)
    identity, labels = build(Binding.IDENTITY), build(Binding.LABELS)
    with pytest.raises(InputError, match="crop of every face"):
        identity.encode_scene(words, reference, halves())
    with pytest.raises(InputError, match="labels"):
        labels.encode_faces(torch.zeros(1, 2, 3, 16, 16))
    with pytest.raises(InputError, match="covers nothing"):
        labels.encode_scene(words, reference, torch.zeros(1, 2, H, W))
    with pytest.raises(InputError, match="expected \\[B, 6\\]"):
        labels.encode_scene(words[:, :3], reference, halves())
    with pytest.raises(InputError, match="do not fit"):
        labels.encode_audio(torch.zeros(1, 2, 5, 8), motion(5))


def test_sizes_that_do_not_fit_each_other_are_refused() -> None:
    cfg = studio()
    with pytest.raises(ConfigError, match="window_frames"):
        replace(cfg, chunk_frames=3)
    with pytest.raises(ConfigError, match="in_channels"):
        replace(cfg, latent_channels=8)
    with pytest.raises(ConfigError, match="face_side_px"):
        replace(cfg, face_tokens_side=5)
    with pytest.raises(ConfigError, match="rows"):
        replace(cfg, text=replace(cfg.text, rows=9))
