from __future__ import annotations

import pytest

from models.encoders.wav2vec2 import Wav2Vec2Network
from tests.models.encoders.tiny import seeded, tiny_wav2vec2


@pytest.fixture(scope="session")
def network() -> Wav2Vec2Network:
    """A tiny wav2vec2; tests only read it."""
    module = seeded(lambda: Wav2Vec2Network(tiny_wav2vec2()))
    assert isinstance(module, Wav2Vec2Network)
    return module
