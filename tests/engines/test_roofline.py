"""The figures are those of a table made once with independent code, rounded as it was."""

from __future__ import annotations

import pytest

from engines.roofline import DitShape, Machine, dit_work, pass_seconds

WIDTHS = {"1.3B": (1536, 8960, 30), "14B": (5120, 13824, 40)}


def limits(linear: float, weight_bytes: float) -> Machine:
    return Machine(
        linear_flops_per_second=linear,
        attention_flops_per_second=790e12,
        bytes_per_second=4.3e12,
        weight_bytes=weight_bytes,
        cache_bytes=2,
    )


BF16, FP8 = limits(790e12, 2), limits(1500e12, 1)


def shape(model: str, width: int, height: int, frames: int, window: int) -> DitShape:
    d, feed_forward, layers = WIDTHS[model]
    tokens = (width // 16) * (height // 16)
    return DitShape(
        width=d,
        feed_forward=feed_forward,
        layers=layers,
        new_tokens=frames * tokens,
        seen_tokens=window * tokens,
        text_tokens=512,
        voice_tokens=2 * 32,
    )


@pytest.mark.parametrize(
    ("model", "width", "height", "window", "teraflops", "ms"),
    [
        ("1.3B", 832, 480, 6, (13.03, 8.07, 0.50), (27.34, 19.54)),
        ("1.3B", 832, 480, 21, (13.03, 28.26, 0.50), (52.89, 45.09)),
        ("1.3B", 640, 368, 9, (7.68, 4.21, 0.29), (15.43, 10.83)),
        ("1.3B", 512, 512, 9, (8.55, 5.22, 0.33), (17.84, 12.72)),
        ("1.3B", 448, 256, 9, (3.74, 1.00, 0.14), (6.18, 3.94)),
        ("14B", 832, 480, 6, (131.52, 35.88, 2.21), (214.70, 135.90)),
        ("14B", 448, 256, 9, (37.77, 4.44, 0.63), (54.23, 31.60)),
    ],
)
def test_a_pass_of_three_latent_frames_costs_what_the_table_says(
    model: str,
    width: int,
    height: int,
    window: int,
    teraflops: tuple[float, ...],
    ms: tuple[float, ...],
) -> None:
    work = dit_work(shape(model, width, height, 3, window))
    found = (work.linear_flops, work.attention_flops, work.cross_flops)
    assert [each / 1e12 for each in found] == pytest.approx(teraflops, abs=0.0051)
    times = [pass_seconds(work, machine) * 1e3 for machine in (BF16, FP8)]
    assert times == pytest.approx(ms, abs=0.0051)


def test_where_bytes_take_longer_they_count() -> None:
    slow = Machine(
        linear_flops_per_second=1e18,
        attention_flops_per_second=1e18,
        bytes_per_second=1e9,
        weight_bytes=2,
        cache_bytes=2,
    )
    work = dit_work(shape("1.3B", 448, 256, 1, 9))
    assert pass_seconds(work, slow) == pytest.approx((work.weights + work.cached) * 2 / 1e9)
