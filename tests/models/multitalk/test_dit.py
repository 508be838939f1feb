from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.errors import InputError
from models.multitalk.config import multitalk_14b
from models.multitalk.dit import MultiTalkDiT, silence
from models.people import with_background
from models.wan.dit import Prediction
from models.wan.kv_cache import CacheSpec
from tests.models import tiny

TIMESTEP = torch.tensor([420.0])


def velocity(
    net: MultiTalkDiT,
    given: tiny.Inputs,
    *,
    seats: tuple[int, ...] | None = None,
    windows: Tensor | None = None,
) -> Tensor:
    with torch.inference_mode():
        scene = net.encode_scene([given.prompt], given.image, given.regions)
        voices = given.windows if windows is None else windows
        audio = net.encode_audio(voices, seats=seats)
        made: Prediction = net(given.latent, TIMESTEP, scene, audio)
    return made.velocity


def permuted(given: tiny.Inputs, order: list[int]) -> tiny.Inputs:
    people = given.regions[:, :-1][:, order]
    return given._replace(
        windows=given.windows[:, order],
        regions=torch.cat([people, given.regions[:, -1:]], dim=1),
    )


def test_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        net = MultiTalkDiT(multitalk_14b())
    assert sum(p.numel() for p in net.parameters()) == 18_882_046_784


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1], [3, 2, 1, 0]])
def test_permuting_people_with_audio_masks_and_seats_changes_nothing(order: list[int]) -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=len(order), frames=2)
    same = velocity(net, permuted(given, order), seats=tuple(order))
    torch.testing.assert_close(same, velocity(net, given))


def test_swapping_voices_alone_changes_the_result() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=2, frames=2)
    swapped = velocity(net, given, windows=given.windows.flip(1))
    assert not torch.allclose(swapped, velocity(net, given), atol=1e-3)


@pytest.mark.parametrize("people", [2, 3, 5, 8])
def test_one_speaks_while_all_others_are_silent(people: int) -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=people, frames=2)
    results = []
    for speaker in range(people):
        voices = torch.zeros_like(given.windows)
        voices[:, speaker] = given.windows[:, speaker]
        results.append(velocity(net, given, windows=voices))
    assert all(torch.isfinite(result).all() for result in results)
    for other in results[1:]:
        assert not torch.allclose(results[0], other), "who speaks makes no difference"


def test_a_lone_voice_needs_no_labels_also_among_several_people() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=2, frames=2)
    lone = silence(given.windows)
    among = velocity(net, given, windows=lone)
    alone = velocity(
        net, given._replace(regions=with_background(tiny.columns(1, 4, 8))[None]), windows=lone
    )
    torch.testing.assert_close(among, alone)


def test_an_odd_number_of_heads_uses_them_all() -> None:
    given = tiny.inputs(people=2, frames=2)
    net = tiny.multitalk(heads=3)
    before = velocity(net, given)
    assert torch.isfinite(before).all()
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith("self_attn.norm_q.weight"):
                weight[-16:] *= 4  # the last head looks elsewhere
    assert not torch.allclose(velocity(net, given), before)


def test_masks_are_taken_by_nearest_pixel_at_token_size() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=2)
    scene = net.encode_scene([given.prompt], given.image, given.regions)
    assert scene.regions is not None
    expected = with_background(tiny.columns(2, 2, 4)).flatten(1)
    assert torch.equal(scene.regions[0], expected)


def test_an_empty_person_is_refused_and_named() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=3)
    regions = given.regions.clone()
    regions[:, 1] = 0
    with pytest.raises(InputError, match="mask of person 1 covers nothing at latent size 4x2"):
        net.encode_scene([given.prompt], given.image, regions)


def test_more_people_than_labels_are_refused() -> None:
    net = tiny.multitalk()
    with pytest.raises(InputError, match="exceed the 8 label ranges"):
        net.encode_audio(torch.zeros(1, 9, 5, 5, 2, 4))


def test_voices_and_people_must_agree() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=3, frames=2)
    with pytest.raises(InputError, match="2 voices for 3 people"):
        velocity(net, given, windows=given.windows[:, :2])
    with pytest.raises(InputError, match="3 voices but 2 seats"):
        velocity(net, given, seats=(0, 1))


def test_audio_must_cover_the_latent() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=2, frames=2)
    with pytest.raises(InputError, match="audio covers 1 latent frames, the latent has 2"):
        velocity(net, given, windows=given.windows[:, :, :1])


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (torch.zeros(1, 2, 4, 5, 2, 4), r"covers 4 video frames, expected 1 \+ 4n at the start"),
        (torch.zeros(1, 2, 5, 4, 2, 4), r"expected \[B, people, T, 5, 2, 4\]"),
        (torch.full((1, 2, 5, 5, 2, 4), torch.nan), "NaN or infinity"),
        (torch.zeros(1, 0, 5, 5, 2, 4), r"expected \[B, people, T, 5, 2, 4\]"),
    ],
)
def test_audio_that_does_not_fit_is_refused(windows: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny.multitalk().encode_audio(windows)


def test_several_voices_need_the_reference_frame_in_the_sink() -> None:
    net, given = tiny.multitalk(), tiny.inputs(people=2, frames=4)
    scene = net.encode_scene([given.prompt], given.image, given.regions)
    spec = CacheSpec(sink_frames=0, capacity_frames=None)
    first = net.encode_audio(given.windows_of(0, 2))
    made = net(given.latent[:, :, :2], TIMESTEP, scene, first, net.empty_cache(spec))
    past = net.empty_cache(spec).append(made.kv, 2)
    later = net.encode_audio(given.windows_of(2, 4), starts_stream=False)
    with pytest.raises(InputError, match="give its cache sink_frames of at least 1"):
        net(given.latent[:, :, 2:], TIMESTEP, scene, later, past)
