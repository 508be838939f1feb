"""The studio's other networks: voices, prompt, picture, and video out of latents.

Shape letters: B batch, P people, F latent frames, T = 4 F video frames, L words, R rows, C latent
channels, H, W picture size, h and w latent size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.manifest import SAMPLE_RATE
from export.conditions import columns
from export.network import STATE_OUTPUT, ExportNetwork, Streams
from export.shapes import ChunkShape, TensorSpec
from export.vae import to_pixels
from models.studio.acting import ActingNetwork
from models.studio.acting_config import ACTED
from models.studio.audio_config import FRAME_SAMPLES
from models.studio.audio_encoder import AudioEncoder
from models.studio.config import HEAD_ANGLES, MOUTH_CURVES, MotionGroup
from models.studio.motion import MOTION_CHANNELS, Motion
from models.studio.text_encoder import TextEncoder
from models.studio.vae import DecoderState, Reference, StudioVAE
from models.studio.vae_movement import Told
from models.studio.warp import gathered

STATE = "state."
SHOWN_CALLS = 6  # of the decoder, for each picture
SWAY, ZOOM = 0.05, 0.04  # of a picture that is moved like a camera's, in shares of its size
SWAY_FRAMES = 22.0  # of one swing there and back
# What the decoder is shown a face doing: most of a curve and how often, in the order of ARKit.
SHOWN_FACE = {
    0: (1.0, 2.5),  # left lid
    7: (1.0, 2.5),  # right lid
    17: (0.5, 3.0),  # jaw
    18: (0.2, 2.0),  # lips closed over it
    19: (0.4, 1.5),  # funnel
    23: (0.7, 0.8),  # smile, left
    24: (0.7, 0.8),  # ... and right
    43: (0.7, 1.0),  # inner brows
    MOUTH_CURVES - 1: (1.2, 3.0),  # lip gap in 10 mm
}
TOLD = ("motion", "motion_known", "people")  # the names that the transformer's networks give them
REFERENCE = ("ref.picture", "ref.quarter", "ref.eighth", "ref.sixteenth")


class Hearing(nn.Module):
    """The audio encoder with its state as tensors by position."""

    def __init__(self, encoder: AudioEncoder) -> None:
        """Share an encoder's weights."""
        super().__init__()
        self.encoder = encoder

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Hear samples [P, T * 640]: features, curves, and the next state."""
        heard, following = self.encoder(samples, state)
        return (heard.features, heard.curves, *following)


def hearing_network(encoder: AudioEncoder, shape: ChunkShape) -> ExportNetwork:
    """Give the role `audio_encoder` for a chunk of every person's voice."""
    names = [f"{STATE}{name}" for name in encoder.state_names]
    shapes = encoder.state_shapes(shape.people)
    samples = (shape.people, shape.video_frames * FRAME_SAMPLES)
    return ExportNetwork(
        role="audio_encoder",
        label=shape.label,
        module=Hearing(encoder).eval(),
        inputs=(
            TensorSpec("samples", samples),
            *(TensorSpec(name, size) for name, size in zip(names, shapes, strict=True)),
        ),
        outputs=("features", "curves", *(f"{STATE_OUTPUT}{name}" for name in names)),
        states=tuple(names),
    )


class Acting(nn.Module):
    """Everything that is told of faces' motion: speech as heard, the rest as acted."""

    places: Tensor

    def __init__(self, network: ActingNetwork) -> None:
        """Share a network's weights."""
        super().__init__()
        self.network = network
        channels = MOUTH_CURVES + HEAD_ANGLES
        # Where each channel of the motion is found among 53 heard and the acted ones.
        order = [
            MOUTH_CURVES + ACTED.index(channel) if channel in ACTED else channel
            for channel in range(channels)
        ]
        self.register_buffer("places", torch.tensor(order), persistent=False)

    def forward(
        self,
        features: Tensor,
        curves: Tensor,
        tokens: Tensor,
        noise: Tensor,
        past: Tensor,
        memory: Tensor,
    ) -> tuple[Tensor, ...]:
        """Act a chunk.

        Gives motion [1, P, T, 56], known [1, P, T, 3] (all of it), turns [P, T, 3] that are to be
        done to the pictures, and the next state.
        """
        is_known = tokens < self.network.config.words
        words = torch.where(is_known, tokens, torch.ones_like(tokens))
        acted = self.network(features, words, noise, past, memory)
        both = torch.cat([curves, acted.values], dim=-1)
        motion = both.index_select(-1, self.places)[None]
        known = torch.ones_like(motion[..., : len(MotionGroup)])
        return motion, known, acted.turns, acted.past, acted.state


def acting_network(network: ActingNetwork, shape: ChunkShape) -> ExportNetwork:
    """Give the role `acting`; `shape` has chunks of one latent frame."""
    cfg, people = network.config, shape.people
    lead = (people, shape.video_frames)
    states = {f"{STATE}past": (people, cfg.chunk), f"{STATE}memory": (people, cfg.state)}
    return ExportNetwork(
        role="acting",
        label=shape.label,
        module=Acting(network).eval(),
        inputs=(
            TensorSpec("features", (*lead, cfg.audio_features)),
            TensorSpec("curves", (*lead, MOUTH_CURVES)),
            TensorSpec("tokens", (1, cfg.length), torch.int64),
            TensorSpec("acting_noise", (people, cfg.chunk)),
            *(TensorSpec(name, size) for name, size in states.items()),
        ),
        outputs=("motion", "motion_known", "turns", *(f"{STATE_OUTPUT}{name}" for name in states)),
        states=tuple(states),
    )


class Words(nn.Module):
    """The prompt encoder, giving a tuple."""

    def __init__(self, encoder: TextEncoder) -> None:
        """Share an encoder's weights."""
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: Tensor) -> tuple[Tensor]:
        """Encode word numbers [1, L] as rows [1, R, C]."""
        return (self.encoder(tokens),)


def words_network(encoder: TextEncoder) -> ExportNetwork:
    """Give the role `text_encoder`."""
    return ExportNetwork(
        role="text_encoder",
        label=None,
        module=Words(encoder).eval(),
        inputs=(TensorSpec("tokens", (1, encoder.cfg.length), torch.int64),),
        outputs=("text",),
    )


class PictureEncoder(nn.Module):
    """The reference picture as the transformer's latent and the decoder's features."""

    def __init__(self, vae: StudioVAE) -> None:
        """Share an autoencoder's weights."""
        super().__init__()
        self.vae = vae

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Encode a picture [1, 3, H, W] in -1..1: latent [1, C, 1, h, w], then `ref.*`."""
        looked = self.vae.look(picture)
        # An output that is an input would be bound to the same memory.
        return (self.vae.encode_picture(picture), picture.clone(), *looked[1:])


class PictureDecoder(nn.Module):
    """A chunk of latents to pixels, behind the chunk before and over the reference."""

    def __init__(self, vae: StudioVAE, shape: ChunkShape) -> None:
        """Share an autoencoder's weights."""
        super().__init__()
        self.vae = vae
        self.patch = shape.patch
        self.tokens = (shape.latent_h // shape.patch[0], shape.latent_w // shape.patch[1])

    def forward(self, latent: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Decode [B, C, F, h, w]: pixels [B, T, H, W, 3], next state.

        The others are motion [B, P, T, 56], known [B, P, T, 3] and people [B, P, n] where the
        decoder is told of them; then `ref.*` and state.
        """
        told = None
        if self.vae.cfg.movement_dim:
            told = Told(Motion(others[0], others[1]), self._by_latent(others[2]))
            others = others[len(TOLD) :]
        reference = Reference(*others[: len(REFERENCE)])
        before, *frames = others[len(REFERENCE) :]
        state = DecoderState(before, tuple(frames))
        video, after = self.vae.decode(latent, reference, state, gathered, told)
        # Cloned: a view of the latent would keep the input's memory.
        return (to_pixels(video), after.latent.clone(), *after.frames)

    def _by_latent(self, people: Tensor) -> Tensor:
        """Give the shares of latent positions [B, P, h, w] of those of tokens [B, P, n]."""
        by_token = people.reshape(*people.shape[:2], *self.tokens)
        down, across = self.patch
        return by_token.repeat_interleave(down, dim=2).repeat_interleave(across, dim=3)


def told_specs(vae: StudioVAE, shape: ChunkShape) -> tuple[TensorSpec, ...]:
    """Give the decoder's inputs that say what faces do, and where; none if it is not told."""
    if not vae.cfg.movement_dim:
        return ()
    lead = (shape.batch, shape.people, shape.video_frames)
    sizes = (
        (*lead, MOTION_CHANNELS),
        (*lead, len(MotionGroup)),
        (shape.batch, shape.people, shape.tokens_per_frame),
    )
    return tuple(TensorSpec(name, size) for name, size in zip(TOLD, sizes, strict=True))


def picture_networks(vae: StudioVAE, shape: ChunkShape) -> tuple[ExportNetwork, ExportNetwork]:
    """Give the roles `picture_encoder` and `vae_decoder` at one size."""
    b, width = shape.batch, vae.cfg.decoder
    h, w = shape.height_px, shape.width_px
    references = (
        TensorSpec(REFERENCE[0], (b, 3, h, w)),
        TensorSpec(REFERENCE[1], (b, width.quarter, h // 4, w // 4)),
        TensorSpec(REFERENCE[2], (b, width.eighth, h // 8, w // 8)),
        TensorSpec(REFERENCE[3], (b, width.sixteenth, h // 16, w // 16)),
    )
    start = vae.start(b, h, w)
    states = (
        TensorSpec(f"{STATE}latent", tuple(start.latent.shape)),
        *(
            TensorSpec(f"{STATE}frames.{index}", tuple(frame.shape))
            for index, frame in enumerate(start.frames)
        ),
    )
    encoder = ExportNetwork(
        role="picture_encoder",
        label=shape.label,
        module=PictureEncoder(vae).eval(),
        inputs=(TensorSpec("picture", (b, 3, h, w)),),
        outputs=("reference", *REFERENCE),
    )
    decoder = ExportNetwork(
        role="vae_decoder",
        label=shape.label,
        module=PictureDecoder(vae, shape).eval(),
        inputs=(
            TensorSpec("latent", shape.latent(vae.cfg.latent_channels)),
            *told_specs(vae, shape),
            *references,
            *states,
        ),
        outputs=("pixels", *(f"{STATE_OUTPUT}{spec.name}" for spec in states)),
        states=tuple(spec.name for spec in states),
    )
    return encoder, decoder


def shown_pictures(vae: StudioVAE, shape: ChunkShape, picture: Tensor) -> dict[str, Streams]:
    """Give what the picture networks meet in a scene: latents of its picture, swaying, and faces.

    Args:
        vae: the autoencoder.
        shape: of a chunk.
        picture: [1, 3, H, W] in -1..1.
    """
    video = swayed(picture, SHOWN_CALLS * shape.video_frames)
    with torch.inference_mode():
        latents = torch.split(vae.encode(video), shape.chunk_frames, dim=2)
        _, *reference = PictureEncoder(vae)(picture)
    named = dict(zip(REFERENCE, reference, strict=True))
    faces = shown_faces(vae, shape)
    stream = tuple(
        {"latent": latent.clone(), **face, **named}
        for latent, face in zip(latents, faces, strict=True)
    )
    return {"picture_encoder": (({"picture": picture},),), "vae_decoder": (stream,)}


def shown_faces(vae: StudioVAE, shape: ChunkShape) -> list[dict[str, Tensor]]:
    """Give what the decoder is told in each call: mouths that speak, lids that blink, a smile.

    One person does it behind the other, in equal columns of the picture.
    """
    if not vae.cfg.movement_dim:
        return [{} for _ in range(SHOWN_CALLS)]
    frames, people = SHOWN_CALLS * shape.video_frames, shape.people
    seconds = (
        torch.arange(frames)[None] * FRAME_SAMPLES / SAMPLE_RATE
        + torch.arange(people)[:, None] / people
    )
    values = torch.zeros(shape.batch, people, frames, MOTION_CHANNELS)
    for channel, (most, hertz) in SHOWN_FACE.items():
        values[..., channel] = most * torch.sin(2 * torch.pi * hertz * seconds).clamp(min=0)
    known = torch.ones(shape.batch, people, frames, len(MotionGroup))
    _, _, where = told_specs(vae, shape)
    regions = columns(where, shape)
    return [
        dict(zip(TOLD, (values[:, :, span], known[:, :, span], regions), strict=True))
        for span in (
            slice(first, first + shape.video_frames)
            for first in range(0, frames, shape.video_frames)
        )
    ]


def swayed(picture: Tensor, frames: int) -> Tensor:
    """Move a picture [1, 3, H, W] as a camera would: video [1, 3, T, H, W]."""
    phase = torch.arange(frames) * (2 * torch.pi / SWAY_FRAMES)
    scale = 1 - ZOOM * (1 - torch.cos(phase))
    zero = torch.zeros(frames)
    rows = (
        torch.stack((scale, zero, SWAY * torch.sin(phase)), -1),
        torch.stack((zero, scale, SWAY * torch.sin(2 * phase)), -1),
    )
    grid = F.affine_grid(torch.stack(rows, 1), [frames, *picture.shape[1:]], align_corners=False)
    moved = F.grid_sample(
        picture.expand(frames, -1, -1, -1), grid, padding_mode="reflection", align_corners=False
    )
    return moved.transpose(0, 1)[None]
