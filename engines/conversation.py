"""A bundle's ready conversation: who says what, one after another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.audio_files import read_audio
from engines.bundle import Bundle
from engines.manifest import check_file


class Turn(NamedTuple):
    """One utterance."""

    speaker: int
    samples: NDArray[np.float32]  # [n] at 16 kHz, full scale 1


def read_conversation(bundle: Bundle) -> tuple[Turn, ...]:
    """Read the bundle's first conversation; none where it has none.

    Raises:
        ArtifactError: when a file is missing or altered.
        InputError: when one holds no sound.
    """
    return tuple(
        Turn(turn.speaker, read_audio(check_file(bundle.folder, turn.file)))
        for entry in bundle.manifest.conversations[:1]
        for turn in entry.turns
    )
