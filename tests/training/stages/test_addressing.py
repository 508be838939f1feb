"""Whom words are about: drawn sentences, a reader that learns from them, and the shipped one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.errors import CheckpointError
from models.studio.acting import ActingNetwork, WordsBefore
from models.studio.acting_config import ACTED, ActingConfig
from training.runs.checkpoint import save_tensors
from training.stages.acting.addressing import MOVING, Addresser, addressed_loss
from training.stages.acting.shipped import TrainedActing, begin_with, read_acting
from training.stages.audio.shipped import read_encoder
from training.stages.dit.words import WordTable
from training.stages.latents.encoding import listen
from training.studio.performance_data import ARKIT, FPS, SAMPLE_RATE

SHIPPED = Path(__file__).parents[3] / "training/weights/studio"
SMALL = ActingConfig(
    audio_features=8,
    words=320,
    length=64,
    word_dim=32,
    dim=len(ACTED) + 4,
    state=16,
    head=16,
    blocks=1,
    steps=2,
    head_share=0.0,
)
PLACES = {
    2: ("on the left", "on the right"),
    3: ("on the left", "in the middle", "on the right"),
}


@pytest.fixture(scope="module")
def words() -> WordTable:
    return WordTable.read(SHIPPED / "words.txt", SMALL.length)


def network() -> ActingNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = ActingNetwork(SMALL)
        made.deviation.fill_(0.2)
    return made


def test_sentences_ask_of_somebody_what_they_say(words: WordTable) -> None:
    addresser, rng = Addresser(words, 0), np.random.default_rng(1)
    smile = [ARKIT[ACTED[place]] for place in MOVING].index("mouthSmileLeft")
    smiling = {words.words.index(word) + 2 for word in ("smiling", "laughing", "pleased")}
    told = 0
    for people in (1, 2, 3, 4):
        drawn = addresser.draw(60, people, rng)
        assert drawn.tokens.shape == (60, SMALL.length)
        assert drawn.wanted.shape == (60, people, len(MOVING))
        assert (drawn.wanted.amax((1, 2)) > 0.2).all(), "somebody shows something"
        named = np.array([bool(smiling & set(row)) for row in drawn.tokens.tolist()])
        shown = (drawn.wanted[..., smile].amax(1) > 0.25).numpy()
        assert shown[named].mean() > 0.95
        told += int(named.sum())
    assert told > 20


def test_a_reader_learns_whom_sentences_are_about(words: WordTable) -> None:
    made, addresser = network(), Addresser(words, 0)
    optimizer = torch.optim.Adam(made.prompt.parameters(), 3e-3)
    rng = np.random.default_rng(0)
    held_out = addresser.draw(200, 2, np.random.default_rng(99))
    moving = held_out.wanted
    alike = (moving - moving.mean(1, keepdim=True)) / 0.2  # what is lost if all are told the same
    for _ in range(250):
        loss = addressed_loss(made, addresser.draw(24, 2, rng))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        left = float(addressed_loss(made, held_out))
    assert left < 0.7 * float(alike.square().mean())


def test_words_look_back_and_never_ahead() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = WordsBefore(8, 12)
        words = torch.randn(1, 12, 8)
    assert torch.equal(layer(words), words), "at first it adds nothing"
    torch.nn.init.normal_(layer.out.weight)
    changed = words.clone()
    changed[:, 7, 0] += 1
    with torch.no_grad():
        moved = (layer(changed) - layer(words)).abs().amax(-1)[0]
    assert moved[:7].max() < 1e-4
    assert moved[7:].min() > 1e-4


def test_a_run_begins_with_earlier_weights_that_lack_a_part(tmp_path: Path) -> None:
    earlier, later = network(), network()
    torch.nn.init.constant_(earlier.prompt.out.bias, 0.5)
    kept = {name: x for name, x in earlier.state_dict().items() if "said_before" not in name}
    save_tensors(tmp_path / "acting.safetensors", kept, {})
    begin_with(later, tmp_path)
    assert torch.equal(later.prompt.out.bias, earlier.prompt.out.bias)
    save_tensors(tmp_path / "acting.safetensors", {"other": torch.zeros(2)}, {})
    with pytest.raises(CheckpointError, match="other"):
        begin_with(later, tmp_path)
    with pytest.raises(CheckpointError, match="cannot begin with"):
        begin_with(later, tmp_path / "none")


@pytest.mark.parametrize("people", [2, 3])
@pytest.mark.parametrize(
    ("mood", "curve"),
    [("smiling", "mouthSmileLeft"), ("angry", "browDownLeft"), ("sad", "mouthFrownLeft")],
)
def test_the_shipped_network_acts_with_whom_a_prompt_names(
    people: int, mood: str, curve: str
) -> None:
    trained = read_acting(SHIPPED)
    quiet = _silence(people)
    channel = ACTED.index(ARKIT.index(curve))
    calm = _shown(trained, quiet, _prompt(people, None, mood))[:, channel]
    for seat in range(people):
        asked = _shown(trained, quiet, _prompt(people, seat, mood))[:, channel]
        change = asked - calm
        others = np.delete(change, seat)
        assert change[seat] > 0.1
        assert np.abs(others).max() < 0.5 * change[seat]


def _prompt(people: int, seat: int | None, mood: str) -> str:
    said = [
        f"A person {place}, {f'clearly {mood}' if number == seat else 'sitting quietly'}"
        for number, place in enumerate(PLACES[people])
    ]
    return "; ".join(said) + "."


def _silence(people: int) -> torch.Tensor:
    """Give what the audio encoder hears of 4 s of silence, [P, T, features]."""
    voices = np.zeros((people, 4 * SAMPLE_RATE), np.float32)
    heard, _ = listen(read_encoder(SHIPPED / "audio_encoder.safetensors"), voices, 4 * FPS)
    return torch.from_numpy(heard.astype(np.float32))


@torch.no_grad()
def _shown(trained: TrainedActing, heard: torch.Tensor, prompt: str) -> NDArray[np.float32]:
    """Give the mean of 3 s of everybody's curves [P, A]."""
    network, people = trained.network, len(heard)
    tokens = torch.from_numpy(trained.words.encode(prompt))[None]
    past, state = (torch.zeros(people, n) for n in (network.config.chunk, network.config.state))
    generator, made = torch.Generator().manual_seed(0), []
    for chunk in torch.split(heard, 4, dim=1):
        noise = torch.randn(people, network.config.chunk, generator=generator)
        acted = network(chunk, tokens, noise, past, state)
        past, state = acted.past, acted.state
        made.append(acted.values)
    curves: NDArray[np.float32] = torch.cat(made[6:], dim=1).mean(1).numpy()
    return curves
