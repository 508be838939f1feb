from __future__ import annotations

import dataclasses

import pytest
import torch

from models.errors import ConfigError
from models.studio.acting import ActingNetwork
from models.studio.acting_config import ACTED, ActingConfig, studio_acting
from models.studio.config import SPEECH_CURVES

SMALL = ActingConfig(
    audio_features=8,
    words=20,
    length=6,
    word_dim=8,
    dim=12,
    state=10,
    head=14,
    blocks=2,
    steps=3,
    head_share=0.5,
)
PEOPLE, CHUNKS = 3, 5


@pytest.fixture(scope="module")
def network() -> ActingNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = ActingNetwork(SMALL)
        torch.nn.init.normal_(made.velocity.weight, std=0.3)
        made.mean.uniform_(0.2, 0.5)
        made.deviation.uniform_(0.1, 0.3)
        made.most_turned.fill_(0.3)
    return made.eval()


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stream(
    network: ActingNetwork, features: torch.Tensor, tokens: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Act chunk by chunk: what is told [P, T, A], and what is handed on [P, K, C]."""
    past, state = torch.zeros(PEOPLE, SMALL.chunk), torch.zeros(PEOPLE, SMALL.state)
    made, pasts = [], []
    with torch.no_grad():
        for chunk in range(CHUNKS):
            heard = features[:, chunk * 4 : chunk * 4 + 4]
            noise = drawn(PEOPLE, SMALL.chunk, seed=chunk)
            values, _, past, state = network(heard, tokens, noise, past, state)
            made.append(values)
            pasts.append(past)
    return torch.cat(made, dim=1), torch.stack(pasts, dim=1)


def test_speech_and_acting_share_the_channels_out() -> None:
    assert sorted([*ACTED, *SPEECH_CURVES]) == list(range(56))
    assert studio_acting().chunk == 4 * len(ACTED)


@torch.no_grad()
def test_a_stream_is_the_whole_sequence_chunk_by_chunk(network: ActingNetwork) -> None:
    """Training sums up all moments at once, a stream one after another."""
    features, tokens = drawn(PEOPLE, CHUNKS * 4, 8), torch.tensor([[3, 4, 5, 0, 0, 0]])
    values, chunks = stream(network, features, tokens)
    past = torch.cat([torch.zeros_like(chunks[:, :1]), chunks[:, :-1]], dim=1)[None]
    said = network.read(tokens, PEOPLE)[:, :, None].expand(-1, -1, CHUNKS, -1)
    moment, _ = network.follow(features[None], past, said)
    noise = torch.stack([drawn(PEOPLE, SMALL.chunk, seed=k) for k in range(CHUNKS)], dim=1)
    whole = network.restored(network.drawn(noise, moment[0]), past[0]).flatten(1, 2)
    assert torch.allclose(whole[..., :-3], values[..., :-3], atol=1e-5)
    assert torch.allclose(whole[..., -3:] * SMALL.head_share, values[..., -3:], atol=1e-5)


@torch.no_grad()
def test_what_the_transformer_is_not_told_of_turns_is_left_for_the_pictures(
    network: ActingNetwork,
) -> None:
    acted = network(
        drawn(PEOPLE, 4, 8),
        torch.tensor([[3, 4, 5, 0, 0, 0]]),
        drawn(PEOPLE, SMALL.chunk),
        torch.zeros(PEOPLE, SMALL.chunk),
        torch.zeros(PEOPLE, SMALL.state),
    )
    told = acted.values[..., -3:]
    assert told.abs().max() > 1e-4
    share = SMALL.head_share
    assert torch.allclose(acted.turns * share, told * (1 - share), atol=1e-6)


@torch.no_grad()
def test_chunks_are_restored_lids_exactly_and_heads_without_trembling(
    network: ActingNetwork,
) -> None:
    drawn = torch.rand(2, 12, SMALL.channels, generator=torch.Generator().manual_seed(3)) * 0.3
    chunks = network.normalized(drawn)
    values = network.restored(chunks[:, 1], chunks[:, 0])
    lid, head = ACTED.index(0), -1
    assert torch.allclose(values[..., lid], drawn[:, 4:8, lid], atol=1e-5)
    jumps = values[..., head].diff(dim=1).abs().mean()
    assert jumps < 0.6 * drawn[:, 4:8, head].diff(dim=1).abs().mean()
    still = network.normalized(drawn[:, :1].expand(-1, 8, -1))
    kept = network.restored(still[:, 1], still[:, 0])
    assert torch.allclose(kept, drawn[:, :1].expand(-1, 4, -1), atol=1e-5)


@torch.no_grad()
def test_curves_and_heads_stay_within_what_faces_do(network: ActingNetwork) -> None:
    """However long and loud a stream is, nothing runs away."""
    wild = torch.full((2, SMALL.chunk), 6.0)
    for sign in (1, -1):
        values = network.restored(wild * sign, torch.zeros(2, SMALL.chunk))
        assert values[..., :-3].min() >= 0
        assert values[..., :-3].max() <= 1
        assert values[..., -3:].abs().max() <= 0.3 + 1e-6


def test_everybody_hears_everybody_and_the_prompt(network: ActingNetwork) -> None:
    features, tokens = drawn(PEOPLE, CHUNKS * 4, 8), torch.tensor([[3, 4, 5, 0, 0, 0]])
    plain, _ = stream(network, features, tokens)
    louder = features.clone()
    louder[2] *= 2
    heard = (stream(network, louder, tokens)[0] - plain).abs().amax((1, 2))
    assert (heard > 1e-4).all(), "the voice of one reaches all"
    told = (stream(network, features, torch.tensor([[7, 4, 5, 0, 0, 0]]))[0] - plain).abs()
    assert (told.amax((1, 2)) > 1e-4).all()


def test_who_is_alone_hears_nobody_else(network: ActingNetwork) -> None:
    with torch.no_grad():
        own = torch.rand(1, 1, 2, SMALL.dim)
        assert network._others(own).abs().max() == 0


def test_numbers_that_make_no_network_are_refused() -> None:
    with pytest.raises(ConfigError, match="positive"):
        dataclasses.replace(SMALL, steps=0)
