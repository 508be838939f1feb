from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from models.errors import ConfigError
from models.sampling.guidance import (
    ApgConfig,
    ApgState,
    TextAudioScales,
    TextAudioVelocities,
    apg_audio,
    apg_text_audio,
    cfg,
    cfg_text_audio,
    multitalk_apg,
    project_guidance,
)

SHAPE = (16, 2, 3, 4)
PLAIN = ApgConfig(momentum=0.0, norm_threshold=math.inf, eta=1.0)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def velocities() -> TextAudioVelocities:
    return TextAudioVelocities(*(randn(*SHAPE, seed=seed) for seed in (1, 2, 3)))


def test_cfg_scales_run_from_unconditional_to_conditional() -> None:
    c, u = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    torch.testing.assert_close(cfg(c, u, 0.0), u)
    torch.testing.assert_close(cfg(c, u, 1.0), c)
    torch.testing.assert_close(cfg(c, u, 3.0) - u, 3 * (c - u), atol=1e-5, rtol=1e-5)


def test_text_and_audio_at_scale_one_give_the_full_pass() -> None:
    passes = velocities()
    torch.testing.assert_close(cfg_text_audio(passes, TextAudioScales(1.0, 1.0)), passes.full)


def test_text_scale_moves_along_the_text_difference_alone() -> None:
    passes = velocities()
    weak, strong = (cfg_text_audio(passes, TextAudioScales(t, 4.0)) for t in (2.0, 5.0))
    torch.testing.assert_close(strong - weak, 3 * (passes.full - passes.without_text))


def test_audio_scale_moves_along_the_audio_difference_alone() -> None:
    passes = velocities()
    weak, strong = (cfg_text_audio(passes, TextAudioScales(5.0, a)) for a in (1.0, 4.0))
    torch.testing.assert_close(
        strong - weak, 3 * (passes.without_text - passes.without_both), atol=1e-5, rtol=1e-5
    )


def test_untamed_apg_is_cfg() -> None:
    passes, scales = velocities(), TextAudioScales(5.0, 4.0)
    three, _ = apg_text_audio(passes, scales, ApgState(), PLAIN)
    torch.testing.assert_close(three, cfg_text_audio(passes, scales), atol=1e-5, rtol=1e-5)
    two, _ = apg_audio(passes.full, passes.without_both, 4.0, ApgState(), PLAIN)
    torch.testing.assert_close(
        two, cfg(passes.full, passes.without_both, 4.0), atol=1e-5, rtol=1e-5
    )


def test_projected_guidance_is_orthogonal_to_the_conditional_velocity() -> None:
    difference, conditional = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    update, _ = project_guidance(difference, conditional, None, multitalk_apg())
    assert abs(float((update.double() * conditional.double()).sum())) < 1e-4
    assert update.norm() > 1


def test_eta_keeps_its_share_of_the_parallel_part() -> None:
    difference, conditional = randn(*SHAPE, seed=0), randn(*SHAPE, seed=1)
    half = ApgConfig(momentum=0.0, norm_threshold=math.inf, eta=0.5)
    update, _ = project_guidance(difference, conditional, None, half)
    kept = (update * conditional).sum() / (difference * conditional).sum()
    assert float(kept) == pytest.approx(0.5, abs=1e-4)


def test_the_threshold_bounds_each_sample_by_itself() -> None:
    config = ApgConfig(momentum=0.0, norm_threshold=10.0, eta=1.0)
    difference = torch.stack([0.1 * randn(*SHAPE, seed=0), 9 * randn(*SHAPE, seed=1)])
    conditional = randn(2, *SHAPE, seed=2)
    update, _ = project_guidance(difference, conditional, None, config)
    torch.testing.assert_close(update[0], difference[0], atol=1e-5, rtol=1e-5)
    assert float(update[1].norm()) == pytest.approx(10.0, rel=1e-5)


def test_a_batch_is_its_samples() -> None:
    difference, conditional = 9 * randn(2, *SHAPE, seed=0), randn(2, *SHAPE, seed=1)
    running = randn(2, *SHAPE, seed=2)
    both, _ = project_guidance(difference, conditional, running, multitalk_apg())
    for i in range(2):
        one, _ = project_guidance(difference[i], conditional[i], running[i], multitalk_apg())
        torch.testing.assert_close(both[i], one)


def test_the_running_direction_is_kept_as_it_was_before_the_threshold() -> None:
    config = ApgConfig(momentum=-0.5, norm_threshold=1.0, eta=0.0)
    first, second, c = (randn(*SHAPE, seed=seed) for seed in (0, 1, 2))
    _, running = project_guidance(first, c, None, config)
    torch.testing.assert_close(running, first)
    kept = running.clone()
    _, running_2 = project_guidance(second, c, running, config)
    torch.testing.assert_close(running_2, second - 0.5 * first)
    assert torch.equal(running, kept)


def test_text_and_audio_run_separately() -> None:
    passes = velocities()
    text, audio = randn(*SHAPE, seed=4), randn(*SHAPE, seed=5)
    before = ApgState(text=text, audio=audio)
    _, after = apg_text_audio(passes, TextAudioScales(5.0, 4.0), before, multitalk_apg())
    assert after.text is not None
    assert after.audio is not None
    torch.testing.assert_close(after.text, passes.full - passes.without_text - 0.75 * text)
    wanted = passes.without_text - passes.without_both - 0.75 * audio
    torch.testing.assert_close(after.audio, wanted)


def test_a_pass_that_changes_nothing_or_says_nothing_gives_no_nan() -> None:
    zero, some = torch.zeros(SHAPE), randn(*SHAPE, seed=0)
    for difference, conditional in ((zero, some), (some, zero), (zero, zero)):
        update, _ = project_guidance(difference, conditional, None, multitalk_apg())
        torch.testing.assert_close(update, difference)


@pytest.mark.parametrize(("momentum", "threshold"), [(0.0, 0.0), (0.0, -1.0), (-1.0, 55.0)])
def test_an_unbounded_apg_is_refused(momentum: float, threshold: float) -> None:
    with pytest.raises(ConfigError, match=r"got (0\.0|-1\.0)"):
        ApgConfig(momentum=momentum, norm_threshold=threshold, eta=0.0)
