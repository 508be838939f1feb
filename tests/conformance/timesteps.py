"""Golden schedule tables: MultiTalk's Euler grid, AnyTalker's two solvers, few-step lists.

These cases are bare JSON. Their numbers are float32 values, so the tolerance is a few float32
units, not the default one; integers must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from models.sampling import presets
from models.sampling.few_step import (
    livetalk_schedule,
    livetalk_training_timesteps,
    nearest_sigma,
    self_forcing_schedule,
    sigma_table,
    warped_timesteps,
)
from models.sampling.schedules import (
    Schedule,
    anytalker_dpmpp_schedule,
    anytalker_unipc_schedule,
    multitalk_schedule,
)
from tests.conformance.case import Case, CaseError, Check, Json, compare

ATOL, RTOL = 1e-7, 2.5e-7
TABLE = re.compile(r"steps(?P<steps>\d+)_shift(?P<shift>\d+(?:\.\d+)?)")
WARPED = re.compile(r"warped(?:_with_shift_(?P<shift>\d+(?:\.\d+)?))?")
ANYTALKER = {"unipc": anytalker_unipc_schedule, "dpmpp": anytalker_dpmpp_schedule}


def matches(description: Json) -> bool:
    """Say whether this is one of the three kinds of table."""
    return (
        _has_tables(description.get("timesteps"))
        or _is_anytalker(description)
        or any(_is_few_step(entry) for entry in description.values())
    )


def run(case: Case) -> Iterator[Check]:
    """Recompute every table, list and default of the case."""
    d = case.description
    if _has_tables(d.get("timesteps")):
        yield from _multitalk(d)
    elif _is_anytalker(d):
        yield from _anytalker(d)
    else:
        for name, entry in d.items():
            if isinstance(entry, dict):
                yield from _few_step(name, entry, d)


def _has_tables(value: object) -> bool:
    return isinstance(value, dict) and any(TABLE.fullmatch(key) for key in value)


def _is_anytalker(description: Json) -> bool:
    return any(_has_tables(description.get(solver)) for solver in ANYTALKER)


def _is_few_step(entry: object) -> bool:
    lists = {"raw_list", "config_list", "list"}
    return isinstance(entry, dict) and bool(lists & entry.keys())


def _check(name: str, got: Tensor, expected: Sequence[float] | float) -> Check:
    return compare(name, got, torch.tensor(expected, dtype=torch.float64), atol=ATOL, rtol=RTOL)


def _schedule(name: str, make: Callable[[int, float], Schedule]) -> Schedule:
    found = TABLE.fullmatch(name)
    if found is None:
        raise CaseError(f"no steps and shift in the table name {name!r}")
    return make(int(found["steps"]), float(found["shift"]))


def _multitalk(d: Json) -> Iterator[Check]:
    for name, expected in d["timesteps"].items():
        schedule = _schedule(name, multitalk_schedule)
        got = torch.cat([schedule.timesteps, torch.zeros(1)])
        yield _check(name, got, expected)
    small, large, fusionx = (
        presets.multitalk_480(),
        presets.multitalk_720(),
        presets.multitalk_fusionx(),
    )
    ours = {
        "steps": small.steps,
        "shift_480_bucket": small.shift,
        "shift_720_bucket": large.shift,
        "fusionx_lora_8_steps_shift": fusionx.shift,
        "text_guide_scale": small.scales.text,
        "audio_guide_scale": small.scales.audio,
    }
    yield from _defaults(ours, d.get("defaults", {}))


def _anytalker(d: Json) -> Iterator[Check]:
    for solver, make in ANYTALKER.items():
        for name, expected in d.get(solver, {}).items():
            schedule = _schedule(name, make)
            yield _check(f"{solver}.{name}.timesteps", schedule.timesteps, expected["timesteps"])
            yield _check(f"{solver}.{name}.sigmas", schedule.sigmas, expected["sigmas"])
    square, wide = presets.anytalker(512, 512), presets.anytalker(480, 832)
    ours = {
        "steps": square.steps,
        "shift": square.shift,
        "shift_for_832x480_or_480x832": wide.shift,
        "guide_scale_cli_default": square.cfg_scale,
    }
    yield from _defaults(ours, d.get("defaults", {}))


def _defaults(ours: dict[str, float], expected: Json) -> Iterator[Check]:
    """Compare the published defaults that a preset of ours holds."""
    for name in ours.keys() & expected.keys():
        yield _check(f"defaults.{name}", torch.tensor(float(ours[name])), expected[name])


def _few_step(name: str, entry: Json, siblings: Json) -> Iterator[Check]:
    if "raw_list" in entry:
        computed = _self_forcing(entry)
    elif "steps" in entry:
        computed = _livetalk(entry)
    elif "list" in entry:
        computed = {"list": _training_list(entry, siblings)}
    else:
        raise CaseError(f"{name!r} is a few-step list of an unknown kind")
    for key, got in computed.items():
        expected = entry[key]
        values = list(expected.values()) if isinstance(expected, dict) else expected
        yield _check(f"{name}.{key}", got, values)


def _self_forcing(entry: Json) -> dict[str, Tensor]:
    shift, raw = entry["shift"], entry["raw_list"]
    table = sigma_table(entry.get("train_table_size", 1000), shift)
    computed = {}
    for key in entry:
        found = WARPED.fullmatch(key)
        if found:
            computed[key] = warped_timesteps(raw, float(found["shift"] or shift))
    if "sigma_table_at" in entry:
        computed["sigma_table_at"] = table[[int(i) for i in entry["sigma_table_at"]]]
    if "sigma_of_warped" in entry:
        computed["sigma_of_warped"] = self_forcing_schedule(raw, shift).sigmas[:-1]
    if "sigma_used_for_context_pass_t0" in entry:
        computed["sigma_used_for_context_pass_t0"] = nearest_sigma(table, torch.tensor(0.0))
    return computed


def _livetalk(entry: Json) -> dict[str, Tensor]:
    schedule = livetalk_schedule(entry["steps"], entry["shift"])
    computed = {
        "timesteps_float32": schedule.sigmas[:-1] * 1000,
        "timesteps_bf16_as_run": schedule.timesteps,
        "sigmas": schedule.sigmas[:-1],
    }
    return {key: value for key, value in computed.items() if key in entry}


def _training_list(entry: Json, siblings: Json) -> Tensor:
    """Recompute a list the model is distilled at; its shift stands with the inference list."""
    inference = siblings.get("livetalk_inference", {})
    shift = entry.get("shift", inference.get("shift", 5))
    if entry.get("warp"):
        return warped_timesteps(entry["list"], shift)
    has_clean_level = entry["list"][-1] == 0
    steps = len(entry["list"]) - has_clean_level
    return livetalk_training_timesteps(steps, shift, has_clean_level=has_clean_level)
