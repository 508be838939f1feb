"""The bench of the studio: its statistics, and one short run with real pictures and judges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from training.studio_bench import app
from training.studio_measures import (
    balanced_accuracy,
    best_verification,
    crowd,
    pair_distances,
    pooled,
)


def test_the_best_threshold_lies_between_one_person_and_two() -> None:
    same, different = np.array([0.2, 0.3, 0.6]), np.array([0.5, 0.7, 0.8, 0.9])
    best = best_verification(same, different)
    assert 0.6 < best.threshold < 0.7
    assert best.accuracy == pytest.approx((1 + 3 / 4) / 2)
    assert balanced_accuracy(same, different, 0.4) == pytest.approx((2 / 3 + 1) / 2)
    assert best_verification(different, same + 1).accuracy == 1.0


def test_an_unseen_still_is_told_wrong_at_any_threshold() -> None:
    stills = np.array([[[0.0], [1.0]], [[5.0], [np.nan]], [[9.0], [9.5]]])
    same, different = pair_distances(stills)
    assert sorted(same) == [0.5, 1.0, np.inf]
    assert sorted(different) == [0, 0, 0, 0, 4.0, 4.0, 4.5, 5.0, 8.0, 8.5, 9.0, 9.5]
    assert best_verification(same, different).accuracy == pytest.approx((2 / 3 + 8 / 12) / 2)


def test_a_crowd_counts_who_could_be_taken_for_whom() -> None:
    found = crowd(np.array([[0.0], [0.4], [2.0], [3.0]]), 5)
    assert found.unseen == 1
    assert found.alike == pytest.approx(1 / 6)
    assert found.nearest[1] == pytest.approx(0.7)


def test_rates_are_averaged_by_how_many_cases_they_are_of() -> None:
    assert pooled([1.0, 0.5, None], [1, 3, 0]) == pytest.approx(0.625)
    assert pooled([None], [0]) is None


@pytest.mark.studio
def test_the_judges_see_what_was_drawn(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    words = ["--identities", "1", "--pairs", "2", "--seconds", "1", "--json", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text())
    assert report["results"]["detected"] > 0.9
    assert report["results"]["r"] > 0.3
    assert report["results"]["verified"] == 1.0
    assert [each["people"] for each in report["speeds"]] == [1, 2, 3, 1, 2, 3]
    assert all(each["frames_per_s"] > 0 for each in report["speeds"])
