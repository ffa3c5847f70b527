"""What happens to radiographs on their way into a network: normalised, and augmented in batches."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(x: torch.Tensor) -> torch.Tensor:
    """Grey ``(B, 1, H, W)`` in 0…1 to what ImageNet networks expect: three equal channels ``(B, 3,
    H, W)``, standardised per channel.
    """
    mean = x.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    std = x.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return (x - mean) / std


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` to float32 ``(B, 1, H, W)`` in 0…1."""
    return torch.from_numpy(np.array(pixels)).to(device).unsqueeze(1).float() / 255.0


def prepare(pixels: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """uint8 ``(B, H, W)`` as a network takes it when nothing is augmented: ``(B, 3, H, W)``,
    standardised, channels last. Features ``(B, D)`` as they are.
    """
    if pixels.ndim == 2:
        return torch.from_numpy(np.array(pixels)).to(device)
    return normalise(to_tensor(pixels, device)).contiguous(memory_format=torch.channels_last)


def affine(
    angle: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, flip: torch.Tensor
) -> torch.Tensor:
    """Sampling matrices ``(B, 2, 3)`` for :func:`torch.nn.functional.affine_grid` on square images.

    The image is flipped (``flip`` true), scaled by ``scale`` and rotated by ``angle`` radians
    clockwise about its centre, then moved by ``shift`` ``(B, 2)``, in shares of the side, right and
    down. The sampling matrix maps output to input, so it is the inverse: ``x_in = F S⁻¹ R⁻¹ (x_out
    - t)``, with ``t = 2 shift`` as the grid runs from -1 to 1.
    """
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    linear = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)  # (B, 2, 2)
    mirror = torch.where(flip, -1.0, 1.0)
    linear = torch.stack([linear[:, 0] * mirror[:, None], linear[:, 1]], 1)
    return torch.cat([linear, -linear @ (2.0 * shift)[:, :, None]], 2)


def augment(
    x: torch.Tensor,
    rng: torch.Generator,
    *,
    rotate: float,
    scale: tuple[float, float],
    translate: float,
    hflip: float,
) -> torch.Tensor:
    """Turn, scale, shift and mirror each image at random; outside the picture is black. ``(B, 1, H,
    W)`` to the same.

    Args:
        rng: a CPU generator, so that the same seed gives the same draws on every device. rotate:
        largest angle, degrees, either way. scale: lowest and highest factor. translate: largest
        shift, share of the side, either way and axis. hflip: probability of a mirror image.
    """
    # drawn even where unused: a changed setting leaves the others' draws alone
    u = torch.rand(len(x), 5, generator=rng)
    angle = (2 * u[:, 0] - 1) * math.radians(rotate)
    factor = scale[0] + u[:, 1] * (scale[1] - scale[0])
    shift = (2 * u[:, 2:4] - 1) * translate
    matrix = affine(angle, factor, shift, u[:, 4] < hflip).to(x.device)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
