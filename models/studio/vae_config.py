"""Sizes of the studio's video autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError

SPATIAL_STRIDE = 16  # pixels a latent position stands for, along each side
FRAMES_PER_LATENT = (
    4  # video frames of one latent frame, always: a still picture is four equal ones
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """Channels at a quarter, an eighth and a sixteenth of the picture's size."""

    quarter: int
    eighth: int
    sixteenth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioVAEConfig:
    """Numbers of one autoencoder.

    Raises:
        ConfigError: when a width cannot be spread over the latent channels.
    """

    latent_channels: int
    encoder: Widths
    decoder: Widths  # of one video frame at a quarter and an eighth, of all four at a sixteenth
    deep_blocks: int  # residual blocks of the decoder at a sixteenth
    frame_blocks: int  # ... of one video frame at an eighth
    fine_blocks: int  # ... of one video frame at a quarter
    max_flow_px: float  # farthest the reference picture is warped, along each axis
    movement_dim: int = 0  # inner width of what tells the decoder of motion; 0: it is not told

    def __post_init__(self) -> None:
        for name, widths in (("encoder", self.encoder), ("decoder", self.decoder)):
            if widths.sixteenth % self.latent_channels:
                raise ConfigError(
                    f"{name}.sixteenth={widths.sixteenth} is not a multiple of "
                    f"latent_channels={self.latent_channels}"
                )
            if min(widths.quarter, widths.eighth) < 1:
                raise ConfigError(f"{name} has a width below 1: {widths}")
        if self.max_flow_px <= 0:
            raise ConfigError(f"max_flow_px={self.max_flow_px} must be above 0")
        if self.movement_dim < 0:
            raise ConfigError(f"movement_dim={self.movement_dim} must not be negative")


def studio_vae() -> StudioVAEConfig:
    """Give the autoencoder of the shipped model: 12.4 kFLOP an output pixel to decode."""
    return StudioVAEConfig(
        latent_channels=16,
        encoder=Widths(quarter=48, eighth=96, sixteenth=256),
        decoder=Widths(quarter=40, eighth=64, sixteenth=256),
        deep_blocks=1,
        frame_blocks=1,
        fine_blocks=1,
        max_flow_px=32.0,
        movement_dim=96,
    )
