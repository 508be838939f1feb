"""Architecture numbers of the Wan2.1 VAE."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ConfigError

PICTURE_CHANNELS = 3  # RGB


@dataclass(frozen=True, slots=True, kw_only=True)
class WanVAEConfig:
    """Widths, depths and strides of a causal 3D VAE, and the statistics of its latents.

    The published JSON spells `temporal_downsample` as `temperal_downsample`. Its `attn_scales` is
    empty in every published VAE, so the only attention is the one in the middle.
    """

    dim: int  # channels of the finest level
    z_dim: int  # latent channels
    dim_mult: tuple[int, ...]  # channels of each level, finest first, in units of dim
    num_res_blocks: int  # per level of the encoder; the decoder has one more
    temporal_downsample: tuple[bool, ...]  # per step between levels: halves the frame rate as well?
    latent_mean: tuple[float, ...]  # per latent channel, of unnormalized latents
    latent_std: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.dim_mult or min(self.dim, self.z_dim, self.num_res_blocks, *self.dim_mult) < 1:
            raise ConfigError(
                f"dim={self.dim}, z_dim={self.z_dim}, num_res_blocks={self.num_res_blocks} and "
                f"every number of dim_mult={self.dim_mult} must be at least 1"
            )
        if len(self.temporal_downsample) != len(self.dim_mult) - 1:
            raise ConfigError(
                f"{len(self.dim_mult)} levels need {len(self.dim_mult) - 1} temporal_downsample "
                f"flags, got {len(self.temporal_downsample)}"
            )
        self._check_statistics()
        odd = [mult for mult in self.dim_mult[1:] if mult * self.dim % 2]
        if odd:
            raise ConfigError(
                f"upsampling halves the channels: dim={self.dim} times {odd[0]} of "
                f"dim_mult={self.dim_mult} is odd"
            )

    def _check_statistics(self) -> None:
        for name, values in (("latent_mean", self.latent_mean), ("latent_std", self.latent_std)):
            if len(values) != self.z_dim:
                raise ConfigError(f"z_dim={self.z_dim} but {name} has {len(values)} numbers")
        if min(self.latent_std) <= 0:
            raise ConfigError(f"latent_std must be positive, its least is {min(self.latent_std)}")

    @property
    def spatial_stride(self) -> int:
        """Pixels of height or width in one latent pixel."""
        return 1 << len(self.temporal_downsample)

    @property
    def temporal_stride(self) -> int:
        """Video frames in one latent frame, but for latent frame 0, which holds one."""
        return 1 << sum(self.temporal_downsample)


def wan_vae() -> WanVAEConfig:
    """Give the published Wan2.1 VAE: 126.9 M parameters, 8 x 8 pixels and 4 frames to a latent.

    Source: Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0 (the numbers).
    """
    return WanVAEConfig(
        dim=96,
        z_dim=16,
        dim_mult=(1, 2, 4, 4),
        num_res_blocks=2,
        temporal_downsample=(False, True, True),
        latent_mean=(
            *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
            *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
        ),
        latent_std=(
            *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
            *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
        ),
    )
