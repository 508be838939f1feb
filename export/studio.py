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
from models.studio.config import HEAD_ANGLES, MOUTH_CURVES, SPEECH_CURVES, MotionGroup
from models.studio.motion import MOTION_CHANNELS, Motion
from models.studio.still_reader import EXPRESSIONS, StillReader
from models.studio.text_encoder import TextEncoder
from models.studio.vae import DecoderState, Reference, StudioVAE
from models.studio.vae_movement import Told
from models.studio.warp import gathered, neighbors

STATE = "state."
SHOWN_CALLS = 6  # of the decoder, for each picture
# One step shows the mean of the mouths that may be, which moves less than any of them. So what is
# heard is told so many times larger. See docs/decisions/0022-from-films.md.
SPEECH_TOLD = 1.5
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
STILL = "still"  # what the picture shows of faces, for who lays cells over it
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
    bending: Tensor
    loudness: Tensor

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
        told = torch.ones(MOUTH_CURVES)
        told[list(SPEECH_CURVES)] = SPEECH_TOLD
        self.register_buffer("loudness", told, persistent=False)
        self.register_buffer("bending", torch.tensor(EXPRESSIONS), persistent=False)

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

        Gives motion [1, P, T, 56], known [1, P, T, 3] (all of it), turns [P, T, 3] and expressions
        [P, T, E] that are to be seen in the pictures, and the next state.
        """
        is_known = tokens < self.network.config.words
        words = torch.where(is_known, tokens, torch.ones_like(tokens))
        acted = self.network(features, words, noise, past, memory)
        both = torch.cat([curves * self.loudness, acted.values], dim=-1)
        motion = both.index_select(-1, self.places)[None]
        known = torch.ones_like(motion[..., : len(MotionGroup)])
        expressions = motion[0].index_select(-1, self.bending)
        return motion, known, acted.turns, expressions, acted.past, acted.state


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
        outputs=(
            "motion",
            "motion_known",
            "turns",
            "expressions",
            *(f"{STATE_OUTPUT}{name}" for name in states),
        ),
        states=tuple(states),
        is_chaotic=True,  # it draws what it does, and goes on from there
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


def apart(strip: Tensor, cells: int) -> Tensor:
    """Take strips [B, ..., cells * w] apart: [B * cells, ..., w]."""
    by_cell = strip.reshape(*strip.shape[:-1], cells, -1)
    return by_cell.movedim(-2, 1).flatten(0, 1)


def beside(parts: Tensor, cells: int) -> Tensor:
    """Put pictures [B * cells, ..., w] side by side: [B, ..., cells * w]."""
    by_strip = parts.reshape(-1, cells, *parts.shape[1:])
    return torch.cat(by_strip.unbind(1), dim=-1)


class PictureEncoder(nn.Module):
    """The reference picture as the transformer's latent and what the decoder fetches from it.

    Of cells it says, too, what each shows of its face.
    """

    def __init__(self, vae: StudioVAE, reader: StillReader | None, cells: int) -> None:
        """Share networks' weights; pictures are so many cells, each seen by itself."""
        super().__init__()
        self.vae = vae
        self.reader = reader
        self.cells = cells

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Encode pictures [B, 3, H, W] in -1..1: latents [B, C, 1, h, w], then `ref.*` of cells.

        Last, with a reader, what each cell shows [P, 16].

        Of the picture and its finest features these are tables for `gathered`.
        """
        cells = apart(picture, self.cells)
        looked = self.vae.look(cells)
        latent = beside(self.vae.encode_picture(cells), self.cells)
        tables = neighbors(looked.picture), neighbors(looked.quarter)
        still = () if self.reader is None else (self.reader(cells),)
        return (latent, *tables, looked.eighth, looked.sixteenth, *still)


class PictureDecoder(nn.Module):
    """A chunk of latents to pixels, behind the chunk before and over the reference."""

    def __init__(self, vae: StudioVAE, shape: ChunkShape) -> None:
        """Share an autoencoder's weights."""
        super().__init__()
        self.vae = vae
        self.patch = shape.patch
        self.tokens = (shape.latent_h // shape.patch[0], shape.latent_w // shape.patch[1])
        self.cells = shape.cells
        self.told = len(told_specs(vae, shape))

    def forward(self, latent: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Decode [B, C, F, h, w]: pixels [B, T, H, W, 3], next state.

        The others are motion [B, P, T, 56] and known [B, P, T, 3] where the decoder is told of
        them, and people [B, P, n] where a picture has several; then `ref.*` and state.
        """
        told, others = self._told(*others[: self.told]), others[self.told :]
        reference = Reference(*others[: len(REFERENCE)])
        before, *frames = others[len(REFERENCE) :]
        state = DecoderState(before, tuple(frames))
        cells = apart(latent, self.cells)
        video, after = self.vae.decode(cells, reference, state, gathered, told)
        # Cloned: a view of the latent would keep the input's memory.
        return (to_pixels(beside(video, self.cells)), after.latent.clone(), *after.frames)

    def _told(self, *others: Tensor) -> Told | None:
        if not others:
            return None
        motion, known, *people = others
        if people:
            return Told(Motion(motion, known), self._by_latent(people[0]))
        by_cell = Motion(motion.flatten(0, 1)[:, None], known.flatten(0, 1)[:, None])
        return Told(by_cell, motion.new_ones(len(by_cell.values), 1, 1, 1))

    def _by_latent(self, people: Tensor) -> Tensor:
        """Give the shares of latent positions [B, P, h, w] of those of tokens [B, P, n]."""
        by_token = people.reshape(*people.shape[:2], *self.tokens)
        down, across = self.patch
        return by_token.repeat_interleave(down, dim=2).repeat_interleave(across, dim=3)


def told_specs(vae: StudioVAE, shape: ChunkShape) -> tuple[TensorSpec, ...]:
    """Give the decoder's inputs that say what faces do, and where; none if it is not told.

    In a strip every cell is its person's, and nothing is to be said of where.
    """
    if not vae.cfg.movement_dim:
        return ()
    lead = (shape.batch, shape.people, shape.video_frames)
    sizes = (
        (*lead, MOTION_CHANNELS),
        (*lead, len(MotionGroup)),
        (shape.batch, shape.people, shape.tokens_per_frame),
    )
    given = tuple(TensorSpec(name, size) for name, size in zip(TOLD, sizes, strict=True))
    return given[:-1] if shape.is_strip else given


def picture_networks(
    vae: StudioVAE, reader: StillReader | None, shape: ChunkShape
) -> tuple[ExportNetwork, ExportNetwork]:
    """Give the roles `picture_encoder` and `vae_decoder` at one size; strips want a reader."""
    b, width = shape.batch * shape.cells, vae.cfg.decoder
    h, w = shape.height_px, shape.width_px // shape.cells
    references = (
        TensorSpec(REFERENCE[0], (b, h, w, 4 * 3)),
        TensorSpec(REFERENCE[1], (b, h // 4, w // 4, 4 * width.quarter)),
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
        module=PictureEncoder(vae, reader, shape.cells).eval(),
        inputs=(TensorSpec("picture", (shape.batch, 3, h, shape.width_px)),),
        outputs=("reference", *REFERENCE, *(() if reader is None else (STILL,))),
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
        _, *reference = PictureEncoder(vae, None, shape.cells)(picture)
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
    regions = {each.name: columns(each, shape) for each in told_specs(vae, shape)[2:]}
    return [
        {TOLD[0]: values[:, :, span], TOLD[1]: known[:, :, span], **regions}
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
