"""Clips of single people set side by side: one wide latent, everybody with a voice of their own.

So any number of people costs no rendering. What this cannot teach is that people mind each other;
for that there is a share of true scenes (scenes.py).

Source: AnyTalker (arXiv 2511.23475, section 3.3), which joins single-person videos side by side.

Shape letters: P people, T = 4 F video frames, F latent frames, C latent channels, h and w latent
size, R still pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE
from training.stages.dit.windows import PATCH
from training.stages.latents.encoded import EncodedClip, Spoken
from training.stages.motion import LIP_GAP

QUIET_GAP = 0.1  # in 10 mm: lips that stay closer than 1 mm do not speak
PLACES = {
    1: ("",),
    2: ("on the left: ", "on the right: "),
    3: ("on the left: ", "in the middle: ", "on the right: "),
    4: ("on the far left: ", "left of the middle: ", "right of the middle: ", "on the far right: "),
}
MOST_PEOPLE = max(PLACES)
Numbers = NDArray[np.float32]


def panel(clip: EncodedClip, first: int, frames: int, width: int, still: int) -> EncodedClip:
    """Cut columns around the one face of a clip, and some latent frames of it.

    Args:
        clip: of one person.
        first: latent frame.
        frames: latent frames.
        width: latent positions across; more than there are is an error.
        still: which of the still pictures is kept.

    Raises:
        InputError: when the clip shows several people, or is too narrow or too short.
    """
    across = clip.latents.shape[3]
    if clip.people != 1 or across < width or clip.frames < first + frames:
        raise InputError(
            f"a panel of {width} latent positions and {frames} latent frames needs a clip of one "
            f"person; this one shows {clip.people}, {across} wide and {clip.frames} long"
        )
    latent = slice(first, first + frames)
    span = slice(first * FRAMES_PER_LATENT, (first + frames) * FRAMES_PER_LATENT)
    middle = float(np.median(clip.mouths[0, span, 0])) / SPATIAL_STRIDE
    left = int(np.clip(round((middle - width / 2) / PATCH) * PATCH, 0, across - width))
    columns = slice(left, left + width)
    tokens = slice(left // PATCH, (left + width) // PATCH)
    pixels = slice(left * SPATIAL_STRIDE, (left + width) * SPATIAL_STRIDE)
    corner = np.array([pixels.start, 0], np.float32)
    said = clip.prompt_at((span.start + span.stop) // 2)
    one = slice(still, still + 1)
    return EncodedClip(
        latents=clip.latents[latent, :, :, columns],
        stills=clip.stills[one, :, :, columns],
        still_frames=clip.still_frames[one],
        still_heads=clip.still_heads[one],
        pictures=clip.pictures[one, :, pixels],
        faces=clip.faces[one],
        regions=clip.regions[one, :, :, tokens],
        features=clip.features[:, span],
        heard=clip.heard[:, span],
        motion=clip.motion[:, span],
        mouths=clip.mouths[:, span] - corner,
        eyes=clip.eyes[:, span] - corner,
        face_widths=clip.face_widths,
        prompts=(Spoken(0, frames * FRAMES_PER_LATENT, said),),
    )


def beside(panels: Sequence[EncodedClip]) -> EncodedClip:
    """Join clips from left to right.

    Raises:
        InputError: when they differ in height, length or number of still pictures, or are too many.
    """
    shapes = {(*each.latents.shape[:3], len(each.stills)) for each in panels}
    if len(shapes) != 1 or len(panels) not in PLACES:
        raise InputError(
            f"1 to {MOST_PEOPLE} clips of one height and length can stand side by side, got "
            f"{len(panels)} of latents and stills {sorted(shapes)}"
        )
    lefts = np.cumsum([0, *(each.latents.shape[3] for each in panels)])
    corners = [np.array([left * SPATIAL_STRIDE, 0], np.float32) for left in lefts[:-1]]
    end = max(spoken.end_frame for each in panels for spoken in each.prompts)
    return EncodedClip(
        latents=np.concatenate([each.latents for each in panels], axis=3),
        stills=np.concatenate([each.stills for each in panels], axis=3),
        still_frames=panels[0].still_frames,
        still_heads=np.concatenate([each.still_heads for each in panels], axis=1),
        pictures=np.concatenate([each.pictures for each in panels], axis=2),
        faces=np.concatenate([each.faces for each in panels], axis=1),
        regions=_wide_regions(panels, lefts // PATCH),
        features=np.concatenate([each.features for each in panels]),
        heard=np.concatenate([each.heard for each in panels]),
        motion=np.concatenate([each.motion for each in panels]),
        mouths=_moved([each.mouths for each in panels], corners),
        eyes=_moved([each.eyes for each in panels], corners),
        face_widths=np.concatenate([each.face_widths for each in panels]),
        prompts=(Spoken(0, end, _together(panels, end // 2)),),
    )


def strip(cells: Sequence[EncodedClip]) -> EncodedClip:
    """Join the cells of one clip: as `beside`, but the clip's own words are kept."""
    return beside(cells)._replace(prompts=cells[0].prompts) if len(cells) > 1 else cells[0]


def quiet_starts(clip: EncodedClip, frames: int) -> list[int]:
    """List the latent frames from which on the one person of a clip is silent for `frames`."""
    loud = np.maximum(
        np.abs(clip.motion[0, :, LIP_GAP].astype(np.float32)),
        np.abs(clip.heard[0, :, LIP_GAP].astype(np.float32)),
    )
    by_latent = loud.reshape(-1, FRAMES_PER_LATENT).max(1) < QUIET_GAP
    starts = range(clip.frames - frames + 1)
    return [start for start in starts if by_latent[start : start + frames].all()]


def held_still(clip: EncodedClip, frames: int) -> EncodedClip:
    """Make a listener of a clip that is never silent for long: its calmest picture, held.

    Motion and hearing are those of that moment, when the lips are closest to rest.
    """
    gaps = np.abs(clip.motion[0, clip.still_frames, LIP_GAP].astype(np.float32))
    still = int(gaps.argmin())
    moment = int(clip.still_frames[still])
    count = frames * FRAMES_PER_LATENT
    quiet = int(np.abs(clip.heard[0, :, LIP_GAP].astype(np.float32)).argmin())

    def hold(x: NDArray[np.float16], frame: int) -> NDArray[np.float16]:
        return np.repeat(x[:, frame : frame + 1], count, axis=1)

    return clip._replace(
        latents=np.repeat(clip.stills[still : still + 1], frames, axis=0),
        features=hold(clip.features, quiet),
        heard=hold(clip.heard, quiet),
        motion=hold(clip.motion, moment),
        mouths=np.repeat(clip.mouths[:, moment : moment + 1], count, axis=1),
        eyes=np.repeat(clip.eyes[:, moment : moment + 1], count, axis=1),
        prompts=(Spoken(0, count, clip.prompt_at(moment)),),
    )


def _wide_regions(panels: Sequence[EncodedClip], lefts: NDArray[np.int64]) -> NDArray[np.float16]:
    """Put everybody's regions [R, 1, h / 2, w / 2] in their panels, zeros elsewhere."""
    stills, _, height, _ = panels[0].regions.shape
    wide = np.zeros((stills, len(panels), height, int(lefts[-1])), np.float16)
    for person, each in enumerate(panels):
        wide[:, person, :, lefts[person] : lefts[person + 1]] = each.regions[:, 0]
    return wide


def _moved(places: Sequence[Numbers], corners: Sequence[Numbers]) -> Numbers:
    return np.concatenate([place + corner for place, corner in zip(places, corners, strict=True)])


def _together(panels: Sequence[EncodedClip], frame: int) -> str:
    """Say who is where, in everybody's own words."""
    said = [each.prompt_at(frame) for each in panels]
    return " ".join(f"{place}{text}" for place, text in zip(PLACES[len(panels)], said, strict=True))
