"""The Wan2.1 VAE: videos to latents and back, whole or as a stream.

Both directions know one mechanism only, the stream: a whole video is a stream handed over in one
call. Latent frame 0 is one video frame, each later one four of them.

Shape letters: B batch, F latent frames, T video frames, H, W picture size in pixels, h, w latent
size (h = H/8, w = W/8), z latent channels. 4 and 8 stand for the config's strides.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.vae.causal import StreamCache
from models.vae.coder import Decoder, Encoder
from models.vae.config import WanVAEConfig
from models.vae.scale import LatentScale
from models.vae.stream import check_latents, check_past, check_video, run_stream


class WanVAE(nn.Module):
    """Causal 3D VAE with the published parameter names.

    Pictures are RGB in [-1, 1]. Latents are normalized: zero mean and unit variance per channel.
    Inputs of any floating dtype are taken; arithmetic and results have the dtype of the weights.
    Gradients flow; a stream that needs none runs under `torch.inference_mode()`, or its cache would
    hold the graph of all that came before.

    Source: `WanVAE_` and `WanVAE` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
    """

    def __init__(self, cfg: WanVAEConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.encoder = Encoder(cfg)
        self.conv1 = nn.Conv3d(2 * cfg.z_dim, 2 * cfg.z_dim, 1)
        self.conv2 = nn.Conv3d(cfg.z_dim, cfg.z_dim, 1)
        self.decoder = Decoder(cfg)
        self.scale = LatentScale(cfg.latent_mean, cfg.latent_std)

    def encode(self, video: Tensor) -> Tensor:
        """Encode a whole video [B, 3, 1 + 4n, H, W] to latents [B, z, 1 + n, h, w].

        The result is the mean of the posterior; nothing is drawn.

        Raises:
            InputError: when the shape or dtype is another.
        """
        return self.encode_chunk(video, None)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Decode whole latents [B, z, F, h, w] to a video [B, 3, 1 + 4(F - 1), H, W].

        Values may pass [-1, 1] a little: see `clamp_pictures`.

        Raises:
            InputError: when the shape or dtype is another.
        """
        return self.decode_chunk(latents, None)[0]

    def encode_chunk(self, frames: Tensor, past: StreamCache | None) -> tuple[Tensor, StreamCache]:
        """Encode the next video frames of a stream.

        Args:
            frames: [B, 3, T, H, W], T = 1 + 4n at the start of a stream and 4n later.
            past: what the last call of this stream returned, None at its start; left as it is.

        Returns:
            Latents [B, z, F, h, w], and the past for the next call.

        Raises:
            InputError: when the shape or dtype is another, or the past is of another stream.
        """
        check_video(self.cfg, frames, is_start=past is None)
        check_past(self.encoder, frames.shape, past)
        return run_stream(self._encode_latent, frames, self.cfg.temporal_stride, past)

    def decode_chunk(self, latents: Tensor, past: StreamCache | None) -> tuple[Tensor, StreamCache]:
        """Decode the next latent frames of a stream.

        Args:
            latents: [B, z, F, h, w], any F >= 1.
            past: what the last call of this stream returned, None at its start; left as it is.

        Returns:
            Video frames [B, 3, T, H, W], T = 1 + 4(F - 1) at the start and 4F later, not clamped;
            and the past for the next call.

        Raises:
            InputError: when the shape or dtype is another, or the past is of another stream.
        """
        check_latents(self.cfg, latents)
        check_past(self.decoder, latents.shape, past)
        return run_stream(self._decode_latent, latents, 1, past)

    def _encode_latent(
        self, frames: Tensor, past: StreamCache | None
    ) -> tuple[Tensor, StreamCache]:
        moments, kept = self.encoder(frames.to(self.conv1.weight.dtype), past)
        mean, _log_variance = self.conv1(moments).chunk(2, dim=1)
        return self.scale.normalize(mean), kept

    def _decode_latent(
        self, latent: Tensor, past: StreamCache | None
    ) -> tuple[Tensor, StreamCache]:
        z = self.scale.denormalize(latent).to(self.conv2.weight.dtype)
        frames, kept = self.decoder(self.conv2(z), past)
        return frames, kept


def clamp_pictures(video: Tensor) -> Tensor:
    """Clamp decoded pictures to the range of pictures, [-1, 1]."""
    return video.clamp(-1.0, 1.0)
