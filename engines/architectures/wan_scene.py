"""What rooms of a Wan-size bundle are told of their picture: latents, masks, tokens, regions.

All of it is made once, as a room opens. Image-to-video weights are told the picture in every latent
frame: a mask says what is given, and beside it stands a latent of a clip that is the picture first
and gray from then on.

Shape letters: P people, C latent channels, K latent frames of a training clip, H, W picture size, h
and w latent size, n tokens of a latent frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.architectures.wiring import StateLoop, Wiring
from engines.errors import InputError
from engines.manifest import Manifest, Role
from engines.runtimes.base import Network, Runtime
from engines.scene.face_masks import face_planes, face_shares, moving_mask, square_box
from engines.scene.resampling import bicubic
from engines.scene.scene import Scene

Planes = NDArray[np.float32]
MASK_CHANNELS = 4  # one a video frame of a latent frame
# Channel statistics of CLIP's training pictures in 0..1 (arXiv 2103.00020, openai/CLIP, MIT).
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)[:, None, None]
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)[:, None, None]


class Told(NamedTuple):
    """What stays while the scene stays."""

    people: Planes  # [P, n], or [P + 1, n] with what is nobody's
    moving: Planes  # [h, w]: where the mask is not 0 behind the picture's own frame


def picture_planes(scene: Scene) -> Planes:
    """Give the picture as the networks see it, [3, H, W] in -1..1."""
    planes: Planes = scene.picture.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
    return np.ascontiguousarray(planes)


def clip_input(planes: Planes, side_px: int) -> Planes:
    """Squeeze a picture [3, H, W] in -1..1 to CLIP's square [1, 3, side, side], normalized."""
    square = bicubic(planes, side_px, side_px)
    return ((square * 0.5 + 0.5 - CLIP_MEAN) / CLIP_STD)[None].astype(np.float32)


def face_pictures(scene: Scene) -> list[Planes]:
    """Cut each face out of the picture as a square, in whole pixels: [3, H, W] each."""
    planes = picture_planes(scene)
    crops = []
    for box in scene.boxes:
        square = square_box(box, scene.size.width, scene.size.height)
        rows = slice(int(square.top), int(square.bottom))
        crops.append(planes[:, rows, int(square.left) : int(square.right)])
    return crops


def told_of_faces(scene: Scene, manifest: Manifest) -> Told:
    """Say what AnyTalker is told: tokens belong to faces in part, and faces are marked as moving.

    Raises:
        InputError: when a face is so small that no token is a good part of it.
    """
    stride, side = _sides(manifest)
    width, height = scene.size.width, scene.size.height
    planes = face_planes(scene, manifest.region)
    shares = face_shares(planes, height // side, width // side)
    _check_sizes(shares, side)
    return Told(
        shares.reshape(len(shares), -1), moving_mask(planes, height // stride, width // stride)
    )


def told_of_people(scene: Scene, manifest: Manifest) -> Told:
    """Say what MultiTalk is told: whose each token is, or nobody's; nothing is marked as moving.

    Raises:
        InputError: when a person is so small that they have no token.
    """
    stride, side = _sides(manifest)
    # The nearest pixel of each token is its first: at latent size, and at token size again.
    tokens = scene.masks[:, ::side, ::side].astype(np.float32)
    _check_sizes(tokens, side)
    nobody = 1 - tokens.max(0, keepdims=True)
    people = np.concatenate([tokens, nobody]).reshape(len(tokens) + 1, -1)
    h, w = scene.size.height // stride, scene.size.width // stride
    return Told(people, np.zeros((h, w), np.float32))


def _sides(manifest: Manifest) -> tuple[int, int]:
    """Give the pixels along a latent position and along a token."""
    latent = manifest.latent
    return latent.spatial_stride, latent.spatial_stride * latent.patch


def _check_sizes(shares: Planes, side_px: int) -> None:
    for person in np.flatnonzero(shares.max((1, 2)) < 0.5):
        raise InputError(
            f"person {person} is too small: nothing of them fills a square of {side_px} pixels; "
            "use a closer picture or a larger size"
        )


def given_frames(latents: Planes, moving: Planes) -> Planes:
    """Put the mask before the latents [C, K, h, w] of the clip: [K, 4 + C, h, w].

    The first frame, the picture's own, is given whole.
    """
    frames = latents.transpose(1, 0, 2, 3)
    masks = np.broadcast_to(moving, (len(frames), MASK_CHANNELS, *moving.shape)).copy()
    masks[0] = 1
    return np.concatenate([masks, frames], axis=1)


def encode_clip(
    runtime: Runtime, networks: Mapping[Role, Network], scene: Scene, frames: int
) -> Planes:
    """Encode a clip that is the picture and then gray, latent frame by latent frame: [C, K, h, w].

    Its buffers are let go of at the end: the encoder's past is the largest thing in a room.
    """
    wiring = Wiring(runtime)
    loop = StateLoop(wiring, networks["vae_encoder"])
    start = loop.first(wiring, networks["vae_encoder_start"])
    wiring["picture"].write(picture_planes(scene)[None])
    start.run()
    latents = [wiring["picture_latent"].read()[0].copy()]
    for _ in range(frames - 1):
        loop.run()  # `video` is zeros: gray
        latents.append(wiring["video_latent"].read()[0].copy())
    wiring.clear()
    return np.concatenate(latents, axis=1)
