"""Settings that `accelerate launch --config_file` takes, for a plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from training.stages.plan.config import FsdpConfig
from training.stages.plan.published import Published

Entry = str | int | bool


def accelerate_settings(
    size: Published, fsdp: FsdpConfig, gpus: int, machines: int
) -> Mapping[str, Entry | Mapping[str, Entry]]:
    """Give the settings of FSDP version 1, which knows every sharding strategy by name."""
    return {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": "FSDP",
        "downcast_bf16": "no",
        "fsdp_config": {
            "fsdp_version": 1,
            "fsdp_sharding_strategy": fsdp.sharding,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_transformer_layer_cls_to_wrap": size.block.__name__,
            "fsdp_backward_prefetch": "BACKWARD_PRE",
            "fsdp_forward_prefetch": False,
            "fsdp_activation_checkpointing": fsdp.is_checkpointed,
            "fsdp_offload_params": fsdp.is_offloaded,
            "fsdp_cpu_ram_efficient_loading": True,
            "fsdp_sync_module_states": True,
            "fsdp_state_dict_type": "SHARDED_STATE_DICT",
            # Stages that train a part have frozen and trained parameters in one block.
            "fsdp_use_orig_params": True,
        },
        "machine_rank": 0,
        "main_training_function": "main",
        "mixed_precision": "bf16" if fsdp.is_bfloat16 else "no",
        "num_machines": machines,
        "num_processes": gpus,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }


def write_accelerate(path: Path, settings: Mapping[str, Entry | Mapping[str, Entry]]) -> None:
    """Write settings as YAML: scalars, and one table of them."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            lines.append(f"{name}:")
            lines += [f"  {key}: {_scalar(each)}" for key, each in value.items()]
        else:
            lines.append(f"{name}: {_scalar(value)}")
    path.write_text("\n".join(lines) + "\n")


def _scalar(value: Entry) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if value in ("no", "yes") else str(value)
