from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from models.errors import ConfigError, InputError
from models.multitalk.labels import LabelRanges, reference_attention, token_labels
from models.wan.rope import label_rotation
from tests.models.tiny import generator

PUBLISHED = LabelRanges(interval=4, class_range=24, max_people=8)


def published_labels(maps: torch.Tensor) -> torch.Tensor:
    """Write the two-person rule out by hand, for maps [3, N]: person, person, background."""
    scaled = []
    for person, start in ((0, 0), (1, 20)):
        low, high = maps[person].min(), maps[person].max()
        scaled.append((maps[person] - low) / (high - low + 1e-8) * 4 + start)
    choices = torch.stack([*scaled, torch.full_like(maps[0], 12)])
    return choices[maps.argmax(0), torch.arange(maps.shape[1])]


def test_two_people_have_the_published_labels() -> None:
    maps = torch.rand(3, 40, generator=generator())
    got = token_labels(maps[None], PUBLISHED, (0, 1), (40,))
    torch.testing.assert_close(got[0], published_labels(maps))
    assert [PUBLISHED.key_label(seat) for seat in (0, 1)] == [2, 22]
    assert PUBLISHED.background == 12


def test_any_two_people_are_as_far_apart_as_the_published_two() -> None:
    starts = [PUBLISHED.start(seat) for seat in range(8)]
    gaps = [b - (a + PUBLISHED.interval) for a, b in pairwise(starts)]
    assert min(gaps) == 20 - 4
    keys = [PUBLISHED.key_label(seat) for seat in range(8)]
    assert min(abs(key - PUBLISHED.background) for key in keys) == 10


def test_a_query_is_closest_to_the_key_of_its_own_person_at_every_place_in_its_range() -> None:
    """Closeness is the mean cosine of a label distance over the 64 pairs of a 128-wide head."""

    def closeness(distance: torch.Tensor) -> torch.Tensor:
        return label_rotation(distance, 128).cos.mean(-1)

    keys = torch.tensor([PUBLISHED.key_label(seat) for seat in range(8)])
    for seat in range(8):
        places = PUBLISHED.start(seat) + torch.linspace(0, 4, 9)
        near = closeness(places[:, None] - keys)
        own = near[:, seat].min()
        near[:, seat] = -1
        assert own > 0.85
        assert near.max() < 0.75


def test_labels_of_a_chunk_do_not_depend_on_a_later_one() -> None:
    maps = torch.rand(1, 3, 8, generator=generator())
    louder = maps.clone()
    louder[:, :, 4:] *= 3
    before, after = (token_labels(m, PUBLISHED, (0, 1), (4, 4)) for m in (maps, louder))
    assert torch.equal(before[:, :4], after[:, :4])


@pytest.mark.parametrize("heads", [2, 3])
def test_reference_attention_is_the_published_map_over_all_heads(heads: int) -> None:
    rng = generator()
    q, k = (torch.randn(1, heads, n, 8, generator=rng) for n in (6, 4))
    regions = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]])
    attention = (q @ k.transpose(2, 3) / 8**0.5).softmax(-1)  # [1, heads, queries, keys]
    expected = torch.stack([(attention * r).sum(-1).mean(1) / r.sum() for r in regions[0]], dim=1)
    torch.testing.assert_close(reference_attention(q, k, regions), expected)


def test_an_empty_background_attracts_nobody_and_gives_no_nan() -> None:
    q = torch.randn(1, 2, 6, 8, generator=generator())
    regions = torch.tensor([[[1.0, 1, 0], [0, 0, 1], [0, 0, 0]]])
    maps = reference_attention(q, q[:, :, :3], regions)
    labels = token_labels(maps, PUBLISHED, (0, 1), (6,))
    assert torch.isfinite(labels).all()
    assert not (labels == PUBLISHED.background).any()


def test_a_constant_map_gives_finite_labels() -> None:
    labels = token_labels(torch.ones(1, 3, 5), PUBLISHED, (0, 1), (5,))
    assert torch.equal(labels, torch.zeros(1, 5))


def test_seats_without_labels_are_refused() -> None:
    with pytest.raises(InputError, match="exceed the 8 label ranges"):
        PUBLISHED.check_seats(range(9))
    with pytest.raises(InputError, match="two people cannot share"):
        PUBLISHED.check_seats((1, 1))
    with pytest.raises(ConfigError, match="no room for a background"):
        LabelRanges(interval=12, class_range=24, max_people=8)
