"""Claims about Muon, the schedule, budgets and averaged weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.errors import ConfigError
from training.runs.ema import Ema
from training.runs.optimizer import Muon, OptimizerConfig, is_matrix, orthogonalized
from training.runs.schedule import Budget, Schedule


def config(**changes: float) -> OptimizerConfig:
    numbers = {"muon_rate": 0.02, "adam_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0}
    return OptimizerConfig(**{**numbers, **changes}, adam_betas=(0.9, 0.99), clip_norm=1.0)


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_an_orthogonalized_matrix_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrix * 100))
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_muon_takes_matrices_and_convolutions_and_adam_the_rest() -> None:
    network = nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 4, 3),
            "linear": nn.Linear(4, 5),
            "embed": nn.Embedding(6, 4),
            "score": nn.Linear(5, 1),
            "head": nn.Linear(5, 7),
        }
    )
    optimizer = Muon(network.named_parameters(), config(), adam_names=("head",))
    names = {id(p): name for name, p in network.named_parameters()}
    by_muon = {names[id(p)] for p in optimizer.param_groups[0]["params"]}
    by_adam = {names[id(p)] for p in optimizer.param_groups[1]["params"]}
    assert by_muon == {"conv.weight", "linear.weight"}
    assert by_muon | by_adam == set(names.values())


def test_a_parameter_of_one_row_is_no_matrix() -> None:
    assert not is_matrix("a", torch.zeros(1, 9))
    assert not is_matrix("a", torch.zeros(9, 1, 1))
    assert is_matrix("a", torch.zeros(9, 1, 3))


def test_both_halves_learn_a_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(0)
        network = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 3))
    optimizer = Muon(network.named_parameters(), config())
    x = torch.randn(256, 6, generator=generator)
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x[:, 3].abs()], dim=1)
    losses = []
    for step in range(200):
        loss = (network(x) - y).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.scale_rates(1 - step / 200)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_a_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"2\.0"):
        config(muon_rate=2.0)


def test_the_rate_warms_up_stays_and_decays_to_zero() -> None:
    schedule = Schedule(warmup_steps=9, decay_share=0.5)
    assert schedule.rate(0, 0.0) == pytest.approx(0.1)
    assert schedule.rate(9, 0.4) == 1.0
    assert schedule.rate(100, 0.75) == pytest.approx(0.5)
    assert schedule.rate(100, 1.0) == 0.0


def test_a_budget_ends_by_whichever_bound_comes_first() -> None:
    budget = Budget(minutes=2.0, steps=100)
    assert budget.used(10, 60.0) == pytest.approx(0.5)
    assert budget.used(80, 60.0) == pytest.approx(0.8)
    assert budget.used(100, 0.0) == 1.0


def test_a_budget_without_a_bound_is_refused() -> None:
    with pytest.raises(ConfigError, match="minutes or steps"):
        Budget()


def test_the_average_follows_slowly_and_copies_buffers() -> None:
    network = nn.BatchNorm1d(1)
    ema = Ema(network, decay=0.9)
    with torch.no_grad():
        network.weight.fill_(2.0)
        network.running_mean.fill_(5.0)  # type: ignore[union-attr]  # there by default
    ema.update(network, step=10_000)
    assert ema.network.weight.item() == pytest.approx(1.1)
    assert ema.network.state_dict()["running_mean"].item() == 5.0
    assert not ema.network.training
