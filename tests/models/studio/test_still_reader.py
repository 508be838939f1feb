from __future__ import annotations

import pytest
import torch

from engines.architectures.face_bend import EXPRESSIONS as BENT
from models.studio.still_reader import EXPRESSIONS, PLACES, SHOWN, WIDTH, YAW, StillReader
from training.studio.performance_data import ARKIT


@pytest.fixture
def reader() -> StillReader:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return StillReader().eval()


@pytest.mark.parametrize("side", [32, 160])
def test_a_mirrored_face_reads_as_mirrored(reader: StillReader, side: int) -> None:
    cells = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        one, other = reader(cells), reader(cells.flip(-1))
    assert one.shape == (3, WIDTH)
    assert one[:, YAW].abs().min() > 1e-4
    torch.testing.assert_close(other[:, YAW], -one[:, YAW])
    eyes, mirrored = one[:, PLACES].reshape(3, 3, 2), other[:, PLACES].reshape(3, 3, 2)
    torch.testing.assert_close(mirrored[:, 0], torch.tensor([1.0, 0.0]) + eyes[:, 1] * MIRROR)
    torch.testing.assert_close(mirrored[:, 2], torch.tensor([1.0, 0.0]) + eyes[:, 2] * MIRROR)
    names = [ARKIT[channel] for channel in EXPRESSIONS]
    shown, seen = one[:, SHOWN], other[:, SHOWN]
    for place, name in enumerate(names):
        other_side = name.replace("Left", "R!").replace("Right", "Left").replace("R!", "Right")
        torch.testing.assert_close(seen[:, place], shown[:, names.index(other_side)])


def test_what_is_read_is_what_pictures_are_bent_by() -> None:
    assert tuple(ARKIT[channel] for channel in EXPRESSIONS) == BENT


MIRROR = torch.tensor([-1.0, 1.0])
