from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import (  # type: ignore[import-untyped]  # has no types
    load_config_from_file,
)
from torch import nn
from typer.testing import CliRunner

from models.anytalker.joint import JointBlock
from models.errors import ConfigError, InputError
from models.multitalk.dit import MultiTalkBlock
from training.cli import app
from training.runs.config_file import read_config
from training.stages.plan.config import ExampleConfig, PublishedStageConfig, Stage
from training.stages.plan.dry_run import DryRun, dry_run
from training.stages.plan.memory import GIB, plan
from training.stages.plan.plan_cli import HERE
from training.stages.plan.published import SIZES, build_meta, published

SMALL = ExampleConfig(video_frames=5, width=64, height=32, people=2)
EACH = pytest.mark.parametrize("name", list(SIZES))


@cache
def small_run(name: str) -> DryRun:
    return dry_run(published(name), SMALL)


def settings(name: str) -> PublishedStageConfig:
    return read_config(HERE / f"{name}.toml", PublishedStageConfig)


@EACH
def test_a_dry_run_counts_the_published_parameters(name: str) -> None:
    run = small_run(name)
    assert run.parameters / 1e9 == pytest.approx(
        {"anytalker-1.3b": 1.90, "multitalk-14b": 18.88}[name], abs=0.01
    )
    assert 0.05 < run.audio_parameters / run.parameters < 0.25


@EACH
def test_arithmetic_is_that_of_layers_and_attention(name: str) -> None:
    run, size = small_run(name), published(name)
    network = build_meta(size)
    assert all(each.is_meta for each in network.parameters()), "nothing took memory"
    blocks = [m for m in network.modules() if isinstance(m, JointBlock | MultiTalkBlock)]
    attention, ffn = blocks[0].self_attn, blocks[0].ffn
    assert isinstance(ffn[0], nn.Linear)
    width, tokens = attention.q.in_features, SMALL.tokens
    weights = 4 * width**2 + 2 * width * ffn[0].out_features
    least = run.blocks * (2 * tokens * weights + 4 * tokens**2 * width)
    assert least < run.forward_flops < 40 * least, "text and voices have more tokens than this clip"


def test_more_gpus_hold_less_of_the_state_and_the_same_activations() -> None:
    config, run = settings("multitalk-14b"), small_run("multitalk-14b")
    few, many = (plan(config, run, Stage.MULTI, gpus) for gpus in (8, 32))
    assert few.optimizer_gib == pytest.approx(4 * many.optimizer_gib)
    assert few.optimizer_gib * 8 * GIB == pytest.approx(8 * run.parameters)
    assert few.weights_gib == pytest.approx(4 * many.weights_gib)
    assert few.activations_gib == many.activations_gib
    alone = dataclasses.replace(config.fsdp, sharding="NO_SHARD")
    whole = plan(dataclasses.replace(config, fsdp=alone), run, Stage.MULTI, 8)
    assert whole.memory_gib > 8 * 10 * few.optimizer_gib / 8


def test_training_audio_layers_alone_needs_less_state_and_less_arithmetic() -> None:
    config, run = settings("multitalk-14b"), small_run("multitalk-14b")
    everything, audio = (plan(config, run, s, 8) for s in (Stage.MULTI, Stage.MULTI_AUDIO))
    assert audio.trained == run.audio_parameters
    assert audio.optimizer_gib < everything.optimizer_gib / 4
    assert audio.flops < everything.flops
    assert plan(config, run, Stage.DISTILL, 8).weights_gib > everything.weights_gib


def test_checkpointing_trades_memory_for_arithmetic() -> None:
    config, run = settings("anytalker-1.3b"), small_run("anytalker-1.3b")
    without = dataclasses.replace(
        config, fsdp=dataclasses.replace(config.fsdp, is_checkpointed=False)
    )
    kept, again = (plan(each, run, Stage.SINGLE, 8) for each in (without, config))
    assert kept.activations_gib > 3 * again.activations_gib
    assert again.flops == pytest.approx(kept.flops * 4 / 3)


def test_the_command_writes_numbers_and_settings_that_accelerate_reads(tmp_path: Path) -> None:
    config = (HERE / "anytalker-1.3b.toml").read_text()
    for old, new in (("= 81", "= 5"), ("= 832", "= 64"), ("= 480", "= 32")):
        config = config.replace(old, new)
    small = tmp_path / "small.toml"
    small.write_text(config)
    command = ["plan", "--preset", "anytalker-1.3b", "--config", str(small), "--gpus", "16"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "plan.json").read_text())
    assert [each["stage"] for each in written["stages"]] == [stage.value for stage in Stage]
    loaded = load_config_from_file(str(tmp_path / "accelerate-16.yaml"))
    assert loaded.num_processes == 16
    assert loaded.mixed_precision == "bf16"
    assert loaded.fsdp_config["fsdp_transformer_layer_cls_to_wrap"] == "JointBlock"


def test_impossible_examples_and_unknown_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 16"):
        ExampleConfig(video_frames=81, width=830, height=480, people=2)
    with pytest.raises(ConfigError, match="video_frames=80"):
        ExampleConfig(video_frames=80, width=832, height=480, people=2)
    with pytest.raises(InputError, match="no published size"):
        published("multitalk-1b")
