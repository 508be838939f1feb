"""What a step of a stage takes: arithmetic, seconds, and memory of each GPU under FSDP.

Bytes of a parameter: float32 weight, float32 gradient, two float32 moments of AdamW, float32
average. FSDP shards all of them; a block's weights are gathered in bfloat16 before it is computed,
the next one's meanwhile.

Source of the counts: ZeRO (arXiv 1910.02054, section 3.1); backward twice the forward, Kaplan et
al. (arXiv 2001.08361, section 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.stages.plan.config import PublishedStageConfig, Stage
from training.stages.plan.dry_run import DryRun

GIB = 2**30
FLOAT32, BFLOAT16 = torch.float32.itemsize, torch.bfloat16.itemsize
MOMENTS = 2
GATHERED_BLOCKS = 2  # the one that is computed and the one that is fetched meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage on so many GPUs."""

    stage: Stage
    gpus: int
    trained: int  # parameters
    weights_gib: float  # of one GPU, with the average and a teacher where there is one
    gradients_gib: float
    optimizer_gib: float
    gathered_gib: float
    activations_gib: float
    flops: float  # of one example, all passes of a step
    seconds: float  # of a step, by the assumed share of the peak

    @property
    def memory_gib(self) -> float:
        """Sum what one GPU holds at the worst moment."""
        return (
            self.weights_gib
            + self.gradients_gib
            + self.optimizer_gib
            + self.gathered_gib
            + self.activations_gib
        )


def plan(config: PublishedStageConfig, run: DryRun, stage: Stage, gpus: int) -> StagePlan:
    """Plan one stage on so many GPUs."""
    trained = run.audio_parameters if stage is Stage.MULTI_AUDIO else run.parameters
    shard = 1 if config.fsdp.sharding == "NO_SHARD" else gpus
    rest = 0.0 if config.fsdp.is_offloaded else 1.0
    copies = 2 + (stage is Stage.DISTILL)  # trained weights, their average, a teacher
    flops = step_flops(config, run, stage, trained)
    per_second = config.peak_tflops * 1e12 * config.used_share
    is_full = config.fsdp.sharding == "FULL_SHARD"
    gathered = run.largest_block * GATHERED_BLOCKS if is_full else run.parameters
    return StagePlan(
        stage=stage,
        gpus=gpus,
        trained=trained,
        weights_gib=rest * copies * run.parameters * FLOAT32 / shard / GIB,
        gradients_gib=rest * trained * FLOAT32 / shard / GIB,
        optimizer_gib=rest * MOMENTS * trained * FLOAT32 / shard / GIB,
        gathered_gib=gathered * BFLOAT16 / GIB,
        activations_gib=config.batch_per_gpu * activation_bytes(config, run, stage) / GIB,
        flops=flops,
        seconds=config.batch_per_gpu * flops / per_second,
    )


def step_flops(config: PublishedStageConfig, run: DryRun, stage: Stage, trained: int) -> float:
    """Count one example's arithmetic in a step.

    Back through all layers costs a forward; gradients of weights another, for what is trained;
    checkpointed blocks are computed once more. Stages behind given contexts hold every frame
    twice (training/stages/dit/behind.py); attention is then counted as if it saw both whole.
    """
    sequence = 2.0 if is_behind(stage) else 1.0
    forward = run.forward_flops * sequence
    back = 1 + trained / run.parameters + float(config.fsdp.is_checkpointed)
    unlearned = 0.0
    if stage is Stage.ROLLOUT:
        unlearned = (config.rolled_steps + 1) * run.forward_flops
    if stage is Stage.DISTILL:
        unlearned = config.teacher_passes * forward
    return forward * (1 + back) + unlearned


def activation_bytes(config: PublishedStageConfig, run: DryRun, stage: Stage) -> float:
    """Estimate what one example keeps for the way back; attention is fused."""
    sequence = 2.0 if is_behind(stage) else 1.0
    if config.fsdp.is_checkpointed:
        return sequence * (run.blocks * run.block_input_bytes + run.block_kept_bytes)
    return sequence * run.blocks * run.block_kept_bytes


def is_behind(stage: Stage) -> bool:
    """Say whether a stage learns behind contexts that are given beside the noisy frames."""
    return stage in (Stage.ROLLOUT, Stage.DISTILL)
