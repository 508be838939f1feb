import dataclasses
import json
from collections import Counter

import pytest

from models.errors import InputError
from training.studio.people.identity import Identity, sample_identity
from training.studio.people.shape import macro_weights, trait_strengths
from training.studio.people.wardrobe import HAIR


def test_a_seed_always_gives_the_same_person() -> None:
    assert sample_identity(11) == sample_identity(11)


def test_json_keeps_every_field() -> None:
    for seed in range(30):
        person = sample_identity(seed)
        assert Identity.from_json(person.to_json()) == person


def test_four_hundred_people_differ_in_what_one_can_see() -> None:
    looks = Counter(
        (p.gender, p.heritage, p.skin_name, p.hair, p.hair_color_name, p.garment, p.cloth_name)
        for p in map(sample_identity, range(400))
    )
    assert len(looks) > 390
    assert {p.hair for p in map(sample_identity, range(400))} == set(HAIR)


def test_women_wear_no_beards() -> None:
    women = [p for p in map(sample_identity, range(200)) if p.gender == "female"]
    assert {p.beard for p in women} == {"none"}


def test_an_unknown_style_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"hair.*buzz.*'mohawk'"):
        dataclasses.replace(sample_identity(0), hair="mohawk")


def test_json_with_a_missing_field_is_refused() -> None:
    fields = json.loads(sample_identity(0).to_json())
    del fields["beard"]
    with pytest.raises(InputError, match="beard"):
        Identity.from_json(json.dumps(fields))


def test_macro_weights_of_faces_and_builds_each_sum_to_one() -> None:
    weights = macro_weights(sample_identity(5))
    builds = sum(w for name, w in weights.items() if "universal" in name)
    assert builds == pytest.approx(1.0, abs=1e-3)
    assert sum(weights.values()) - builds == pytest.approx(1.0, abs=1e-3)


def test_traits_stay_in_range_and_depend_on_the_seed() -> None:
    keys = ("nose/hump", "chin/width", "mouth/trans")
    strengths = [trait_strengths(seed, keys) for seed in range(200)]
    assert all(-1 <= x <= 1 for found in strengths for x in found.values())
    assert strengths[0] != strengths[1]
    assert max(abs(found["mouth/trans"]) for found in strengths) < 0.15  # damped
