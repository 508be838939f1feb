"""The studio's causal video autoencoder: four video frames to one latent frame and back.

Its decoder is told the reference picture. Skin, hair, clothes and background come from there,
warped to follow the head, so that the latent is left to say what moves. A latent frame is encoded
on its own; decoding it looks at the one before, passed in and out as a value.

Shape letters: B batch, C latent channels, F latent frames, T = 4 F video frames, H, W picture size,
h = H / 16, w = W / 16.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import InputError
from models.studio.vae_blocks import (
    Down,
    PastBlock,
    ResBlock,
    Up,
    activate,
    fold_channels,
    repeat_channels,
)
from models.studio.vae_config import FRAMES_PER_LATENT, SPATIAL_STRIDE, StudioVAEConfig, Widths
from models.studio.vae_movement import DecoderMovement, Modulation, Told
from models.studio.warp import Warp, repeat, sampled

PATCH = 4  # side of the pixel squares in which pictures enter and leave
UNMOVED = Modulation((), (), ())
MASK_BIAS = -1.0  # at the start a quarter of every pixel is the warped reference


class Reference(NamedTuple):
    """A picture as the decoder wants it: computed once per scene."""

    picture: Tensor  # [B, 3, H, W] in -1..1
    quarter: Tensor  # [B, c4, H / 4, W / 4]
    eighth: Tensor  # [B, c8, H / 8, W / 8]
    sixteenth: Tensor  # [B, c16, h, w]


class DecoderState(NamedTuple):
    """What decoding a latent frame needs of the one before; zeros at the start."""

    latent: Tensor  # [B, C, h, w]
    frames: tuple[Tensor, ...]  # [B, c8, H / 8, W / 8] of the last video frame, one a frame block


class Decoded(NamedTuple):
    """Video of a chunk, and the state that the next one starts from."""

    video: Tensor  # [B, 3, T, H, W], about -1..1, not clipped
    state: DecoderState


class Encoder(nn.Module):
    """Four video frames, stacked as channels, to one latent frame."""

    def __init__(self, cfg: StudioVAEConfig) -> None:
        super().__init__()
        widths = cfg.encoder
        self.latent_channels = cfg.latent_channels
        self.trunk = nn.Sequential(
            Down(3 * FRAMES_PER_LATENT, widths.quarter, PATCH),
            ResBlock(widths.quarter),
            Down(widths.quarter, widths.eighth, 2),
            ResBlock(widths.eighth),
            Down(widths.eighth, widths.sixteenth, 2),
            ResBlock(widths.sixteenth),
            ResBlock(widths.sixteenth),
        )
        self.out = nn.Conv2d(widths.sixteenth, cfg.latent_channels, 1)

    def forward(self, stacked: Tensor) -> Tensor:
        """Map [B * F, 12, H, W] to [B * F, C, h, w] of unit power at every position."""
        x = self.trunk(stacked)
        z: Tensor = (self.out(activate(x)) + fold_channels(x, self.latent_channels)).float()
        power = z.square().mean(1, keepdim=True)
        return z * torch.rsqrt(power + 1e-6)


class ReferenceEncoder(nn.Module):
    """Features of the reference picture at the decoder's three scales."""

    def __init__(self, widths: Widths) -> None:
        super().__init__()
        self.quarter = nn.Sequential(Down(3, widths.quarter, PATCH), ResBlock(widths.quarter))
        self.eighth = nn.Sequential(Down(widths.quarter, widths.eighth, 2), ResBlock(widths.eighth))
        self.sixteenth = nn.Sequential(
            Down(widths.eighth, widths.sixteenth, 2), ResBlock(widths.sixteenth)
        )

    def forward(self, picture: Tensor) -> Reference:
        """Take apart pictures [B, 3, H, W] in -1..1."""
        quarter = self.quarter(picture)
        eighth = self.eighth(quarter)
        return Reference(picture, quarter, eighth, self.sixteenth(eighth))


class Decoder(nn.Module):
    """Latent frames and the reference to video.

    The four video frames part ways at an eighth of the picture's size, where a mouth is still a few
    positions wide, so that each of them can have a mouth of its own.
    """

    def __init__(self, cfg: StudioVAEConfig) -> None:
        super().__init__()
        widths = cfg.decoder
        self.cfg = cfg
        self.enter = nn.Conv2d(2 * cfg.latent_channels, widths.sixteenth, 3, padding=1)
        self.gate16 = nn.Conv2d(widths.sixteenth, widths.sixteenth, 1)
        self.deep = nn.Sequential(*(ResBlock(widths.sixteenth) for _ in range(cfg.deep_blocks)))
        self.split = Up(widths.sixteenth, widths.eighth, FRAMES_PER_LATENT)
        self.gate8 = nn.Conv2d(widths.eighth, widths.eighth, 1)
        self.frame_blocks = nn.ModuleList(PastBlock(widths.eighth) for _ in range(cfg.frame_blocks))
        self.flow = nn.Conv2d(widths.eighth, 2, 3, padding=1)
        self.grow = Up(widths.eighth, widths.quarter)
        self.gate4 = nn.Conv2d(widths.quarter, widths.quarter, 1)
        self.fine = nn.Sequential(*(ResBlock(widths.quarter) for _ in range(cfg.fine_blocks)))
        self.out = nn.Conv2d(widths.quarter, 4 * PATCH**2, 3, padding=1)
        self.movement = DecoderMovement(cfg) if cfg.movement_dim else None
        nn.init.zeros_(self.flow.weight)
        nn.init.zeros_(_bias(self.flow))
        with torch.no_grad():
            _bias(self.out)[: 3 * PATCH**2] = 0
            _bias(self.out)[3 * PATCH**2 :] = MASK_BIAS

    def forward(
        self, z: Tensor, reference: Reference, state: DecoderState, warp: Warp, told: Told | None
    ) -> Decoded:
        """Decode a chunk z [B, C, F, h, w]."""
        b, _, chunk_frames, _, _ = z.shape
        frames = chunk_frames * FRAMES_PER_LATENT
        moved = UNMOVED
        if self.movement is not None and told is not None:
            moved = self.movement(told)
        x = self._deep(z, reference, state.latent, moved.sixteenth)
        x, seen = self._part_frames(x, repeat(reference.eighth, frames), state, moved.eighth)
        flow = self._flow_px(x)  # [B * T, 2, H / 8, W / 8] in pixels of the picture
        video = self._paint(x, flow, reference, warp, moved.quarter)
        video = video.reshape(b, frames, *video.shape[1:]).transpose(1, 2)
        return Decoded(video, DecoderState(z[:, :, -1], seen))

    def _deep(
        self, z: Tensor, reference: Reference, before: Tensor, moved: tuple[Tensor, ...]
    ) -> Tensor:
        """Work on whole latent frames: [B * F, c16, h, w]."""
        past = torch.cat([before[:, :, None], z[:, :, :-1]], dim=2)
        both = torch.cat([z, past], dim=1).transpose(1, 2).flatten(0, 1)
        own = z.transpose(1, 2).flatten(0, 1)
        x = self.enter(both)
        x = x + repeat_channels(own, x.shape[1])
        x = x + torch.sigmoid(self.gate16(x)) * repeat(reference.sixteenth, z.shape[2])
        return _through(self.deep, x, moved)

    def _part_frames(
        self, x: Tensor, eighth: Tensor, state: DecoderState, moved: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Give every video frame its features [B * T, c8, H / 8, W / 8], and what to remember."""
        x = self.split(x)
        x = x + torch.sigmoid(self.gate8(x)) * eighth
        seen = []
        each = moved or (None,) * len(self.frame_blocks)
        for block, before, by in zip(self.frame_blocks, state.frames, each, strict=True):
            by_time = x.reshape(len(before), -1, *x.shape[1:])
            shifted = torch.cat([before[:, None].to(x.dtype), by_time[:, :-1]], dim=1)
            seen.append(by_time[:, -1])
            x = block(x, shifted.flatten(0, 1), by)
        return x, tuple(seen)

    def _flow_px(self, x: Tensor) -> Tensor:
        return torch.tanh(self.flow(activate(x)).float()) * self.cfg.max_flow_px

    def _paint(
        self,
        x: Tensor,
        flow: Tensor,
        reference: Reference,
        warp: Warp,
        moved: tuple[Tensor, ...],
    ) -> Tensor:
        """Give pixels [B * T, 3, H, W]: painted ones over the warped reference."""
        at_quarter = _enlarge(flow, 2)
        x = self.grow(x)
        warped = warp(reference.quarter.float(), at_quarter / PATCH)
        x = x + torch.sigmoid(self.gate4(x)) * warped.to(x.dtype)
        painted = F.pixel_shuffle(self.out(activate(_through(self.fine, x, moved))), PATCH)
        picture = warp(reference.picture.float(), _enlarge(at_quarter, PATCH))
        return painted[:, :3] + torch.sigmoid(painted[:, 3:]) * picture.to(painted.dtype)


def _through(blocks: nn.Sequential, x: Tensor, moved: tuple[Tensor, ...]) -> Tensor:
    for block, by in zip(blocks, moved or (None,) * len(blocks), strict=True):
        x = block(x, by)
    return x


def _bias(conv: nn.Conv2d) -> Tensor:
    return cast(Tensor, conv.bias)  # all of ours have one


def _enlarge(flow: Tensor, factor: int) -> Tensor:
    return F.interpolate(flow, scale_factor=factor, mode="bilinear", align_corners=False)


class StudioVAE(nn.Module):
    """Encoder, reference encoder and decoder, and the scale of the latents between them."""

    mean: Tensor
    std: Tensor

    def __init__(self, cfg: StudioVAEConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.encoder = Encoder(cfg)
        self.reference_encoder = ReferenceEncoder(cfg.decoder)
        self.decoder = Decoder(cfg)
        self.register_buffer("mean", torch.zeros(cfg.latent_channels))
        self.register_buffer("std", torch.ones(cfg.latent_channels))

    def encode(self, video: Tensor) -> Tensor:
        """Encode video [B, 3, T, H, W] in -1..1 as latents [B, C, F, h, w], mean 0, variance 1.

        Raises:
            InputError: when T is no multiple of 4, or H or W none of 16.
        """
        self._check(video, 5)
        return (self.encode_raw(video) - _wide(self.mean)) / _wide(self.std)

    def encode_raw(self, video: Tensor) -> Tensor:
        """Encode video as `encode` does, before latents are scaled: what training works on."""
        b, _, frames, height, width = video.shape
        chunks = frames // FRAMES_PER_LATENT
        stacked = video.transpose(1, 2).reshape(b * chunks, 3 * FRAMES_PER_LATENT, height, width)
        z: Tensor = self.encoder(stacked.contiguous(memory_format=torch.channels_last))
        return z.reshape(b, chunks, *z.shape[1:]).transpose(1, 2)

    def encode_picture(self, picture: Tensor) -> Tensor:
        """Encode a picture [B, 3, H, W] in -1..1 as one still latent frame [B, C, 1, h, w]."""
        self._check(picture, 4)
        return self.encode(picture[:, :, None].expand(-1, -1, FRAMES_PER_LATENT, -1, -1))

    def look(self, picture: Tensor) -> Reference:
        """Compute what the decoder needs of the reference [B, 3, H, W] in -1..1."""
        self._check(picture, 4)
        looked: Reference = self.reference_encoder(
            picture.contiguous(memory_format=torch.channels_last)
        )
        return looked

    def start(self, batch: int, height: int, width: int) -> DecoderState:
        """Give the state of a stream of pictures [batch, 3, height, width] that has not begun."""
        zeros = self.mean.new_zeros
        stride = SPATIAL_STRIDE
        latent = zeros(batch, self.cfg.latent_channels, height // stride, width // stride)
        frame = zeros(batch, self.cfg.decoder.eighth, height // 8, width // 8)
        return DecoderState(latent, (frame,) * self.cfg.frame_blocks)

    def decode(
        self,
        latents: Tensor,
        reference: Reference,
        state: DecoderState | None = None,
        warp: Warp = sampled,
        told: Told | None = None,
    ) -> Decoded:
        """Decode a chunk of latents [B, C, F, h, w] as scaled by `encode`.

        Args:
            latents: one or more latent frames.
            reference: from `look`, of the same pictures' size.
            state: of the chunk before; None at the start.
            warp: how the reference is fetched.
            told: what is known of the faces' motion; None tells nothing.
        """
        z = latents * _wide(self.std) + _wide(self.mean)
        return self.decode_raw(z, reference, state, warp, told)

    def decode_raw(
        self,
        z: Tensor,
        reference: Reference,
        state: DecoderState | None = None,
        warp: Warp = sampled,
        told: Told | None = None,
    ) -> Decoded:
        """Decode latents as `encode_raw` gives them."""
        if state is None:
            state = self.start(len(z), *reference.picture.shape[2:])
        decoded: Decoded = self.decoder(z, reference, state, warp, told)
        return decoded

    def _check(self, pictures: Tensor, dimensions: int) -> None:
        shape = tuple(pictures.shape)
        stride = SPATIAL_STRIDE
        if len(shape) != dimensions or shape[1] != 3 or shape[-2] % stride or shape[-1] % stride:
            raise InputError(
                f"pictures have shape {shape}, expected {dimensions} dimensions, 3 channels and a "
                f"height and width that are multiples of {stride}"
            )
        if dimensions == 5 and shape[2] % FRAMES_PER_LATENT:
            raise InputError(
                f"{shape[2]} video frames are no whole number of latent frames of "
                f"{FRAMES_PER_LATENT}; cut or pad the clip"
            )


def _wide(per_channel: Tensor) -> Tensor:
    return per_channel[:, None, None, None]
