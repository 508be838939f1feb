"""Steps between the levels of the Wan VAE: half or double the size, and the frame rate if asked.

The first frame of a stream stands alone: it is one video frame in one latent frame, so the steps
in time let it pass. Called like every layer, `y, kept = layer(x, past)`; see `causal`, also for the
shape letters.

Source: `Resample` of Wan-Video/Wan2.1, wan/modules/vae.py, Apache-2.0.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.vae.causal import CausalConv3d, LayerCache


def frame_by_frame(layer: nn.Module, x: Tensor) -> Tensor:
    """Run a layer of pictures [N, C, h, w] -> [N, C', h', w'] on x [B, C, T, h, w]."""
    y: Tensor = layer(x.transpose(1, 2).flatten(0, 1))
    return y.reshape(x.shape[0], -1, *y.shape[1:]).transpose(1, 2)


class Downsample(nn.Module):
    """Halve height and width, and the frame rate where `is_temporal`."""

    def __init__(self, channels: int, *, is_temporal: bool) -> None:
        super().__init__()
        # One row and one column of zeros, below and to the right only.
        pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.resample = nn.Sequential(pad, nn.Conv2d(channels, channels, 3, stride=2))
        time_conv = CausalConv3d(channels, channels, (3, 1, 1), stride=2) if is_temporal else None
        self.time_conv = time_conv

    def forward(self, x: Tensor, past: LayerCache | None) -> tuple[Tensor, LayerCache]:
        """Map x [B, C, T, h, w] to [B, C, T or T/2, h/2, w/2]; keeps one frame if temporal."""
        y = frame_by_frame(self.resample, x)
        if self.time_conv is None:
            return y, ()
        if past is None:
            return y, (y.clone(),)
        y, kept = self.time_conv(y, past[0])
        return y, (kept,)


class Upsample(nn.Module):
    """Double height and width, halve the channels, double the frame rate where `is_temporal`."""

    def __init__(self, channels: int, *, is_temporal: bool) -> None:
        super().__init__()
        double = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.resample = nn.Sequential(double, nn.Conv2d(channels, channels // 2, 3, padding=1))
        self.time_conv = CausalConv3d(channels, 2 * channels, (3, 1, 1)) if is_temporal else None

    def forward(self, x: Tensor, past: LayerCache | None) -> tuple[Tensor, LayerCache]:
        """Map x [B, C, T, h, w] to [B, C/2, T or 2T, 2h, 2w]; keeps two frames if temporal."""
        if self.time_conv is None:
            return frame_by_frame(self.resample, x), ()
        if past is None:
            # The first frame is not part of the second's past either: that starts from zeros.
            return frame_by_frame(self.resample, x), (self.time_conv.zero_past(x),)
        y, kept = self.time_conv(x, past[0])
        pairs = y.unflatten(1, (2, -1))  # [B, 2 (earlier and later frame), C, T, h, w]
        y = pairs.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)  # [B, C, 2T, h, w]
        return frame_by_frame(self.resample, y), (kept,)
