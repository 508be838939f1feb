import gzip
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from training.studio.people.targets import pair_traits, parse_target, read_target


def test_a_target_is_read_in_meters_and_comments_are_skipped() -> None:
    delta = parse_target(["# made up", "", "3 1 0 -2", "7 0 0.5 0"])
    assert delta.ids.tolist() == [3, 7]
    np.testing.assert_allclose(delta.offsets, [[0.1, 0, -0.2], [0, 0.05, 0]], atol=1e-7)


def test_an_empty_target_moves_nothing() -> None:
    delta = parse_target([])
    vertices = np.ones((4, 3), np.float32)
    delta.add_to(vertices, 1.0)
    assert delta.offsets.shape == (0, 3)
    assert (vertices == 1).all()


def test_a_broken_line_is_named_with_its_number() -> None:
    with pytest.raises(InputError, match=r"line 2.*'5 1 x 0'"):
        parse_target(["4 0 0 0", "5 1 x 0"])


def test_packed_and_plain_targets_read_alike(tmp_path: Path) -> None:
    text = "1 0.25 0 0\n"
    (tmp_path / "a.target").write_text(text)
    with gzip.open(tmp_path / "a.target.gz", "wt") as file:
        file.write(text)
    plain, packed = (read_target(tmp_path / name) for name in ("a.target", "a.target.gz"))
    np.testing.assert_array_equal(plain.offsets, packed.offsets)


def test_left_and_right_ends_form_one_trait_and_single_ends_none() -> None:
    names = ["l-ear-wing-decr", "l-ear-wing-incr", "r-ear-wing-decr", "r-ear-wing-incr", "l-ear-x"]
    (trait,) = pair_traits("ears", names)
    assert trait.key == "ears/ear-wing"
    assert trait.low == ("ears/l-ear-wing-decr", "ears/r-ear-wing-decr")
    assert trait.high == ("ears/l-ear-wing-incr", "ears/r-ear-wing-incr")
