"""From windows of wav2vec2 features to audio tokens, per latent frame or per video frame.

Shape letters: B batch, P people, T video frames, F latent frames, W window (offsets -2..+2),
L feature layers, C feature channels, M audio tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.errors import ConfigError, InputError
from models.wan.config import VAE_FRAME_STRIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioProjectionConfig:
    """Sizes of an audio projection.

    Raises:
        ConfigError: when the window has no middle.
    """

    window: int  # feature frames around each video frame
    layers: int  # wav2vec2 layers taken
    channels: int  # wav2vec2 width
    hidden_dim: int
    out_dim: int
    tokens: int
    frame_stride: int  # video frames of a latent frame
    is_normed: bool

    def __post_init__(self) -> None:
        if self.window % 2 == 0:
            raise ConfigError(f"window={self.window} is even; a window has its frame in the middle")
        if self.frame_stride < 2:
            raise ConfigError(f"frame_stride={self.frame_stride} must be at least 2")

    @property
    def frame_features(self) -> int:
        return self.window * self.layers * self.channels

    @property
    def latent_window(self) -> int:
        """Window entries kept for a latent frame of several video frames."""
        return self.window + self.frame_stride - 1


def published_audio(out_dim: int, *, is_normed: bool = True) -> AudioProjectionConfig:
    """Give the sizes both systems publish; they differ in the width of the tokens."""
    return AudioProjectionConfig(
        window=5,
        layers=12,
        channels=768,
        hidden_dim=512,
        out_dim=out_dim,
        tokens=32,
        frame_stride=VAE_FRAME_STRIDE,
        is_normed=is_normed,
    )


def check_windows(windows: Tensor, cfg: AudioProjectionConfig, *, starts_stream: bool) -> int:
    """Give how many latent frames windows [B, P, T, W, L, C] cover.

    Raises:
        InputError: when the shape does not fit the model, T is not 1 + 4n at the start of a stream
            or 4n later, or a value is not finite.
    """
    wanted = (cfg.window, cfg.layers, cfg.channels)
    if windows.ndim != 6 or windows.shape[3:] != wanted or windows.shape[1] < 1:
        raise InputError(
            f"audio windows have shape {tuple(windows.shape)}, expected [B, people, T, "
            f"{', '.join(map(str, wanted))}]"
        )
    stride, t = cfg.frame_stride, windows.shape[2]
    later = t - 1 if starts_stream else t
    if later < 0 or later % stride or t == 0:
        rule = f"1 + {stride}n at the start of a stream" if starts_stream else f"{stride}n"
        raise InputError(f"audio covers {t} video frames, expected {rule}")
    if not torch.isfinite(windows).all():
        raise InputError("audio windows hold NaN or infinity; check the recording or its decoder")
    return later // stride + int(starts_stream)


class AudioProjection(nn.Module):
    """The part both projections share: a hidden layer, tokens, their norm."""

    def __init__(self, cfg: AudioProjectionConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.proj1 = nn.Linear(cfg.frame_features, cfg.hidden_dim)
        self.proj2 = nn.Linear(cfg.hidden_dim, cfg.hidden_dim)
        self.proj3 = nn.Linear(cfg.hidden_dim, cfg.tokens * cfg.out_dim)
        self.norm = nn.LayerNorm(cfg.out_dim) if cfg.is_normed else nn.Identity()

    def tokens(self, hidden: Tensor) -> Tensor:
        """Give tokens [B, P, n, M, out_dim] of the first layer's sums [B, P, n, hidden_dim]."""
        tokens = self.proj3(self.proj2(hidden.relu()).relu())
        normed: Tensor = self.norm(tokens.reshape(*tokens.shape[:3], self.cfg.tokens, -1))
        return normed


class LatentAudioProjection(AudioProjection):
    """Audio tokens for each latent frame (published as `audio_proj`).

    The first latent frame is one video frame and takes its whole window. Every later one is four:
    of the first the window up to its middle, of the middle ones their own feature, of the last from
    the middle on, so that neighboring windows are not counted twice.
    Source: MultiTalk (arXiv 2505.22647, section 3.2), repository MeiGen-AI/MultiTalk,
    wan/modules/multitalk_model.py (Apache-2.0).
    """

    def __init__(self, cfg: AudioProjectionConfig) -> None:
        super().__init__(cfg)
        self.proj1_vf = nn.Linear(cfg.latent_window * cfg.layers * cfg.channels, cfg.hidden_dim)

    def forward(self, windows: Tensor, *, starts_stream: bool) -> Tensor:
        """Project windows [B, P, T, W, L, C] to tokens [B, P, F, M, out_dim].

        Raises:
            InputError: as `check_windows`.
        """
        check_windows(windows, self.cfg, starts_stream=starts_stream)
        return self.project(windows, starts_stream=starts_stream)

    def project(self, windows: Tensor, *, starts_stream: bool) -> Tensor:
        """Project as `forward` does, windows unchecked: a traced graph cannot raise."""
        hidden = []
        if starts_stream:
            hidden.append(self.proj1(windows[:, :, :1].flatten(3)))
            windows = windows[:, :, 1:]
        if windows.shape[2]:
            hidden.append(self.proj1_vf(self._latent_windows(windows)))
        return self.tokens(torch.cat(hidden, dim=2))

    def _latent_windows(self, windows: Tensor) -> Tensor:
        """Cut windows [B, P, 4F, W, L, C] to [B, P, F, latent_window * L * C]."""
        b, p, t, w, layers, channels = windows.shape
        stride, middle = self.cfg.frame_stride, w // 2
        grouped = windows.reshape(b, p, t // stride, stride, w, layers, channels)
        first = grouped[:, :, :, 0, : middle + 1]
        inner = grouped[:, :, :, 1:-1, middle]
        last = grouped[:, :, :, -1, middle:]
        return torch.cat([first, inner, last], dim=3).flatten(3)


class FrameAudioProjection(AudioProjection):
    """Audio tokens for each video frame (published as `audio_emb`, AnyTalker 1.3B).

    Source: AnyTalker (arXiv 2511.23475), repository HKUST-C4G/AnyTalker.
    """

    def forward(self, windows: Tensor, *, starts_stream: bool) -> Tensor:
        """Project windows [B, P, T, W, L, C] to tokens [B, P, T, M, out_dim].

        Raises:
            InputError: as `check_windows`.
        """
        check_windows(windows, self.cfg, starts_stream=starts_stream)
        return self.project(windows)

    def project(self, windows: Tensor) -> Tensor:
        """Project as `forward` does, windows unchecked: a traced graph cannot raise."""
        return self.tokens(self.proj1(windows.flatten(3)))
