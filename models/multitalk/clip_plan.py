"""Where the overlapping clips of a long video begin and end, and what audio each one hears.

A video longer than the network's clip is made of clips that overlap by the motion frames: the last
frames of one are given to the next. Everything here is counted in video frames of one stream.

Shape letters: T video frames, W window, L feature layers, C feature channels, F latent frames.
Source: MultiTalk (arXiv 2505.22647), repository MeiGen-AI/MultiTalk, wan/multitalk.py (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from models.encoders.wav2vec2 import window_index
from models.errors import ConfigError, InputError
from models.wan.config import VAE_FRAME_STRIDE

MIRROR_MARGIN_FRAMES = 3  # mirrored beyond the end, so that the last window is full


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLayout:
    """Lengths of clips.

    Raises:
        ConfigError: when a length is not 1 + 4n, or nothing new would be made by a clip.
    """

    frames: int
    motion_frames: int

    def __post_init__(self) -> None:
        for name, value in (("frames", self.frames), ("motion_frames", self.motion_frames)):
            if value < 1 or (value - 1) % VAE_FRAME_STRIDE:
                raise ConfigError(f"{name}={value} is not 1 + {VAE_FRAME_STRIDE}n")
        if self.motion_frames >= self.frames:
            raise ConfigError(
                f"motion_frames={self.motion_frames} leave nothing to make of frames={self.frames}"
            )

    @property
    def advance(self) -> int:
        """New frames each later clip brings."""
        return self.frames - self.motion_frames


def multitalk_clips() -> ClipLayout:
    """Give the published lengths: 81 frames, of which 25 are motion frames."""
    return ClipLayout(frames=81, motion_frames=25)


class Clip(NamedTuple):
    """One clip of a plan."""

    start: int
    stop: int  # exclusive
    given_frames: int  # leading frames the clip is given: the picture, or motion frames

    @property
    def new_frames(self) -> slice:
        """The part of this clip's frames that the video keeps."""
        return slice(0 if self.start == 0 else self.given_frames, None)


class ClipPlan(NamedTuple):
    """All clips of one video."""

    clips: tuple[Clip, ...]
    mirrored: tuple[int, ...]  # frames by which each voice is mirrored at its end
    video_frames: int  # kept in the end


def plan_clips(audio_frames: Sequence[int], layout: ClipLayout, max_frames: int) -> ClipPlan:
    """Plan a video as long as its audio.

    The first voice decides the length. The last clip usually reaches beyond the audio: each voice
    is then continued by its own mirror image, and the video is cut by as much.

    Args:
        audio_frames: video frames that each voice's features cover.
        layout: lengths of clips.
        max_frames: longest video wanted; no longer than a clip means one clip.

    Raises:
        InputError: when there is no voice, a voice is not longer than one clip, or no frame is
            wanted.
    """
    if not audio_frames:
        raise InputError("a video needs at least one voice")
    if max_frames < 1:
        raise InputError(f"max_frames={max_frames} must be at least 1")
    for voice, length in enumerate(audio_frames):
        if length <= layout.frames:
            raise InputError(
                f"voice {voice} covers {length} video frames, more than one clip "
                f"({layout.frames}) is needed; append silence"
            )
    clips = [Clip(0, layout.frames, 1)]
    if max_frames <= layout.frames:
        return ClipPlan(tuple(clips), (0,) * len(audio_frames), max_frames)
    end = min(max_frames, audio_frames[0])
    while len(clips) == 1 or clips[-1].stop < end:
        start = clips[-1].start + layout.advance
        clips.append(Clip(start, start + layout.frames, layout.motion_frames))
    stop = clips[-1].stop
    mirrored = tuple(
        stop - length + MIRROR_MARGIN_FRAMES if stop >= length else 0 for length in audio_frames
    )
    made = layout.frames + layout.advance * (len(clips) - 1)
    return ClipPlan(tuple(clips), mirrored, min(made, max_frames) - mirrored[0])


def clip_windows(embeddings: Sequence[Tensor], plan: ClipPlan, index: int) -> Tensor:
    """Cut the audio windows [P, T, W, L, C] of a plan's clip from whole voices.

    Only the last clip hears mirrored audio. In an earlier one, a voice that has ended before the
    first voice keeps its last feature.

    Args:
        embeddings: per voice [frames, L, C], one row a video frame.
        plan: made for these voices.
        index: which clip.
    """
    clip, is_last = plan.clips[index], index == len(plan.clips) - 1
    windows = []
    for embedding, mirrored in zip(embeddings, plan.mirrored, strict=True):
        whole = embedding
        if is_last and mirrored:
            whole = torch.cat([embedding, embedding[-mirrored:].flip(0)])
        frames = window_index(clip.start, clip.stop - clip.start, last_frame=len(whole) - 1)
        windows.append(whole[frames])
    return torch.stack(windows)


def given_mask(given_frames: int, layout: ClipLayout, size: tuple[int, int]) -> Tensor:
    """Give the mask channels [4, F, h, w] of a clip: 1 where its video frames are given.

    The first video frame, a latent frame of its own, counts for all four channels.

    Args:
        given_frames: leading video frames that are given.
        layout: lengths of clips.
        size: latent height and width.
    """
    is_given = (torch.arange(layout.frames) < given_frames).float()
    grouped = torch.cat([is_given[:1].expand(VAE_FRAME_STRIDE), is_given[1:]])
    by_channel = grouped.reshape(-1, VAE_FRAME_STRIDE).T  # [4, F]
    return by_channel[:, :, None, None].expand(-1, -1, *size)
