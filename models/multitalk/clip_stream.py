"""A long video as a stream of overlapping clips: the published way, exact and far from live.

Each clip is told its first frames: the picture, later the last motion frames of the clip before.
That is all a stream remembers between clips.

Shape letters: T video frames, H, W picture size, F latent frames, h and w latent size, P people,
M latent frames of the motion frames, N denoising steps.
Source: MultiTalk (arXiv 2505.22647), repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from models.encoders.clip import ClipImageTower, image_context
from models.errors import InputError
from models.multitalk.clip_plan import Clip, ClipLayout, clip_windows, given_mask, plan_clips
from models.multitalk.color import match_colors
from models.multitalk.dit import MultiTalkDiT
from models.multitalk.guided import encode_conditions, guided_velocity
from models.sampling.denoise import Constrain, sample
from models.sampling.guidance import ApgConfig, ApgState, TextAudioScales
from models.sampling.schedules import Schedule
from models.sampling.solvers import EulerSolver, add_noise
from models.vae.wan_vae import WanVAE, clamp_pictures
from models.wan.config import VAE_FRAME_STRIDE


class Networks(NamedTuple):
    """The networks of one pipeline, frozen."""

    dit: MultiTalkDiT
    vae: WanVAE
    clip: ClipImageTower


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """How clips are sampled."""

    layout: ClipLayout
    schedule: Schedule
    scales: TextAudioScales
    apg: ApgConfig | None
    color_strength: float  # the published command line has 1.0


class Performance(NamedTuple):
    """What is to be seen and heard."""

    picture: Tensor  # [3, H, W] in [-1, 1] (`picture.prepare_picture`)
    prompt: Tensor  # [L, text_dim]
    negative_prompt: Tensor
    voices: Sequence[Tensor]  # per person [frames, layers, channels]
    regions: Tensor | None  # [P + 1, h, w] at latent size, background last; None for one person


class ClipNoise(NamedTuple):
    """All the randomness of one clip."""

    start: Tensor  # [16, F, h, w]
    motion: Tensor | None  # [N + 1, 16, M, h, w], one for each noise level; None in the first clip


NoiseSource = Callable[[Clip, tuple[int, int, int]], ClipNoise]
"""(clip, (F, h, w)) -> its noise."""


def seeded_noise(generator: torch.Generator, steps: int) -> NoiseSource:
    """Draw each clip's noise from one generator, in the order of the clips."""

    def draw(clip: Clip, size: tuple[int, int, int]) -> ClipNoise:
        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device)

        start = normal(16, *size)
        if clip.start == 0:
            return ClipNoise(start, None)
        return ClipNoise(start, normal(steps + 1, 16, _latent_frames(clip.given_frames), *size[1:]))

    return draw


@torch.no_grad()
def stream_clips(
    networks: Networks,
    settings: ClipSettings,
    performance: Performance,
    noise: NoiseSource,
    max_frames: int,
) -> Iterator[Tensor]:
    """Make a video clip by clip; each item is new video [3, T, H, W] in [-1, 1].

    The video ends with its audio: the last item is cut as `plan_clips` says.

    Raises:
        InputError: when voices, people or sizes do not fit each other, see `plan_clips` and
            `MultiTalkDiT`.
    """
    _check(performance)
    plan = plan_clips([len(v) for v in performance.voices], settings.layout, max_frames)
    remaining = plan.video_frames
    given = performance.picture[:, None]
    for index, clip in enumerate(plan.clips):
        windows = clip_windows(performance.voices, plan, index)
        video = make_clip(networks, settings, performance, (clip, given, windows), noise)
        given = video[:, video.shape[1] - settings.layout.motion_frames :]
        new = video[:, clip.new_frames][:, :remaining]
        remaining -= new.shape[1]
        if new.shape[1]:
            yield new


def make_clip(
    networks: Networks,
    settings: ClipSettings,
    performance: Performance,
    told: tuple[Clip, Tensor, Tensor],
    noise: NoiseSource,
) -> Tensor:
    """Make one clip [3, T, H, W] in [-1, 1], the frames it was given included.

    Args:
        networks: the pipeline.
        settings: sampling.
        performance: what is to be seen and heard.
        told: the clip, the video frames it is given [3, T', H, W], its audio windows
            [P, T, W, L, C].
        noise: where its noise comes from.
    """
    clip, given_video, windows = told
    image_latent = _encode_given(networks.vae, given_video, settings.layout.frames)
    size = (image_latent.shape[1], image_latent.shape[2], image_latent.shape[3])
    mask = given_mask(clip.given_frames, settings.layout, size[1:]).to(image_latent)
    conditions = encode_conditions(
        networks.dit,
        (performance.prompt, performance.negative_prompt),
        image_context(networks.clip, given_video[:, -1][None]),
        None if performance.regions is None else performance.regions[None],
        (torch.cat([mask, image_latent])[None], windows[None]),
    )
    drawn = noise(clip, size)
    latent = sample(
        guided_velocity(networks.dit, conditions, settings.scales, settings.apg),
        drawn.start[None].to(image_latent),
        EulerSolver(schedule=settings.schedule),
        ApgState(),
        _hold_motion(image_latent, drawn.motion, settings.schedule),
    ).latent
    video = clamp_pictures(networks.vae.decode(latent))[0].float()
    return match_colors(video, performance.picture, settings.color_strength)


def _hold_motion(
    image_latent: Tensor, noise: Tensor | None, schedule: Schedule
) -> Constrain | None:
    """Keep the motion frames what they are, at every level noised to it with fresh noise."""
    if noise is None:
        return None
    frames = noise.shape[2]
    motion = image_latent[:, :frames]

    def hold(latent: Tensor, level: int) -> Tensor:
        noised = add_noise(motion, noise[level].to(motion), schedule.sigmas[level])
        return torch.cat([noised[None], latent[:, :, frames:]], dim=2)

    return hold


def _encode_given(vae: WanVAE, given: Tensor, frames: int) -> Tensor:
    """Encode given frames [3, T', H, W] followed by mid grey up to `frames`: [16, F, h, w]."""
    channels, length, height, width = given.shape
    grey = given.new_zeros(channels, frames - length, height, width)
    return vae.encode(torch.cat([given, grey], dim=1)[None])[0]


def _latent_frames(video_frames: int) -> int:
    return 1 + (video_frames - 1) // VAE_FRAME_STRIDE


def _check(performance: Performance) -> None:
    people = 1 if performance.regions is None else len(performance.regions) - 1
    if len(performance.voices) != people:
        raise InputError(
            f"{len(performance.voices)} voices for {people} people; give one for each, "
            "and a region for each person when there are several"
        )
