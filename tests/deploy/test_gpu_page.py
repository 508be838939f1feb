"""The tables of docs/gpu.md are the arithmetic of engines/roofline.py and of the parameters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engines.roofline import DitShape, Machine, dit_work, pass_seconds

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gpu.md").read_text()
WIDTHS = {"1.3B": (1536, 8960, 30), "14B": (5120, 13824, 40)}
ROW = re.compile(r"^\| (1\.3B|14B) \| (\d+)x(\d+) \| (.+) \|$", re.MULTILINE)
SEEN = 1 + 5 + 1  # sink, window and the chunk itself, in latent frames
BF16, FP8 = (
    Machine(
        linear_flops_per_second=linear,
        attention_flops_per_second=790e12,
        bytes_per_second=4.3e12,
        weight_bytes=weight_bytes,
        cache_bytes=2,
    )
    for linear, weight_bytes in ((790e12, 2.0), (1500e12, 1.0))
)


def test_the_table_has_both_sizes_at_four_resolutions() -> None:
    assert len(ROW.findall(PAGE)) == 8


@pytest.mark.parametrize("row", ROW.findall(PAGE), ids="-".join)
def test_a_row_is_what_the_arithmetic_gives(row: tuple[str, str, str, str]) -> None:
    model, width, height, cells = row
    d, feed_forward, layers = WIDTHS[model]
    tokens = (int(width) // 16) * (int(height) // 16)
    shape = DitShape(
        width=d,
        feed_forward=feed_forward,
        layers=layers,
        new_tokens=tokens,
        seen_tokens=SEEN * tokens,
        text_tokens=512,
        voice_tokens=2 * 32,
    )
    work = dit_work(shape)
    times = [pass_seconds(work, machine) for machine in (BF16, FP8)]
    rates = [" / ".join(f"{4 / (passes * t):.0f}" for t in times) for passes in (3, 5)]
    cache = f"{work.cached * 2 / 2**30:.1f}"
    assert cells.split(" | ") == [cache, " / ".join(f"{t * 1e3:.1f}" for t in times), *rates]


@pytest.mark.parametrize("preset", ["anytalker-1.3b", "multitalk-14b"])
def test_weights_are_those_of_the_checkpoints(preset: str) -> None:
    published = (DOCS / "checkpoints.md").read_text()

    def billions(name: str) -> float:
        found = re.search(rf"\| `{re.escape(name)}` \|[^|]*\| ([\d.]+) ([BM]) \|", published)
        assert found, name
        return float(found[1]) * (1 if found[2] == "B" else 1e-3)

    beside = 4 * sum(map(billions, ("umt5-xxl", "clip-vit-h14", "wan-vae", "wav2vec2-base")))
    bf16, fp8 = 2 * billions(preset), billions(preset)
    row = f"| `{preset}` | {bf16:.1f} / {fp8:.1f} | {bf16 + beside:.0f} / {fp8 + beside:.0f} |"
    assert row in PAGE
