"""Color matching against drift: each frame takes the mean and spread of the reference in CIE Lab.

Shape letters: T video frames, H, W picture size.
Source: Reinhard et al., Color Transfer between Images (2001); repository MeiGen-AI/MultiTalk,
wan/utils/multitalk_utils.py (Apache-2.0), which calls scikit-image; its constants are used here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.errors import ConfigError

RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE_D65 = (0.95047, 1.0, 1.08883)
LINEAR_BELOW = 0.008856  # Lab is linear near black
SLOPE, OFFSET = 7.787, 16 / 116


def match_colors(video: Tensor, reference: Tensor, strength: float) -> Tensor:
    """Give each frame of a video the color statistics of a picture.

    Args:
        video: [3, T, H, W] in [-1, 1].
        reference: [3, H, W] in [-1, 1].
        strength: 0 leaves the video as it is, 1 matches fully; blended in RGB.

    Raises:
        ConfigError: when strength is outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"color strength {strength} is outside [0, 1]")
    if strength == 0:
        return video
    frames = ((video.double() + 1) / 2).clamp(0, 1)
    lab, wanted = rgb_to_lab(frames), rgb_to_lab(((reference.double() + 1) / 2).clamp(0, 1))
    mean, spread = _statistics(lab)
    wanted_mean, wanted_spread = _statistics(wanted)
    gain = torch.where(spread > 0, wanted_spread[:, None] / spread, 0)
    matched = lab_to_rgb((lab - mean) * gain + wanted_mean[:, None])
    return ((1 - strength) * frames + strength * matched).mul(2).sub(1).to(video.dtype)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB [3, ...] in [0, 1] to CIE Lab (D65, 2 degrees) [3, ...]."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = _mix(linear.new_tensor(RGB_TO_XYZ), linear)
    xyz = xyz / _column(linear.new_tensor(WHITE_D65), linear)
    f = torch.where(xyz > LINEAR_BELOW, xyz.clamp(min=0) ** (1 / 3), SLOPE * xyz + OFFSET)
    x, y, z = f.unbind(0)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert CIE Lab [3, ...] to sRGB [3, ...], cut to [0, 1]."""
    lightness, a, b = lab.unbind(0)
    y = (lightness + 16) / 116
    f = torch.stack([a / 500 + y, y, (y - b / 200).clamp(min=0)])
    xyz = torch.where(f > LINEAR_BELOW ** (1 / 3), f**3, (f - OFFSET) / SLOPE)
    xyz = xyz * _column(lab.new_tensor(WHITE_D65), lab)
    linear = _mix(torch.linalg.inv(lab.new_tensor(RGB_TO_XYZ)), xyz)
    curved = 1.055 * linear.clamp(min=0) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curved, linear * 12.92).clamp(0, 1)


def _statistics(lab: Tensor) -> tuple[Tensor, Tensor]:
    mean = lab.mean((-2, -1), keepdim=True)
    return mean, lab.std((-2, -1), keepdim=True, correction=0)


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("ij,j...->i...", matrix, x)


def _column(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(3, *([1] * (like.ndim - 1)))
