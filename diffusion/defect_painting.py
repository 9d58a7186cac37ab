"""A defect painted into a whole picture by the embedded inpainter, however large its mask is.

What does not fit into one crop is painted in crops that overlap: after Bar-Tal et al., "MultiDiffusion" (2023), all of
them see the same noise, and where they overlap their velocities are averaged at every step, so there are no seams.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .inpainter import SIDE, STEPS, UNIT, Inpainter, conditions, scheduler

__all__ = ["painted"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
#: Crops lie so many pixels apart at most.
APART = 40


def painted(
    model: Inpainter, image: Image, mask: Mask, kind: str, severity: float, tone: npt.NDArray[np.float32], seed: int,
    steps: int = STEPS,
) -> Image:  # fmt: skip
    """The image (h, w, 3) sRGB with a defect of a kind in the mask (h, w), untouched elsewhere.

    `severity` is 0 … 1, `tone` (3,) as of `Inpainter.drawn_tones`.

    Raises:
        UsageError: the model does not know the kind, or the mask is empty.
    """
    if kind not in model.kinds:
        raise UsageError(f"the inpainter knows no {kind!r}: it paints {', '.join(model.kinds)}")
    if not mask.any():
        raise UsageError(f"a mask without pixels says nowhere to paint a {kind}")
    h, w = image.shape[:2]
    pad = ((0, max(0, SIDE - h)), (0, max(0, SIDE - w)))
    whole, inside = np.pad(image, (*pad, (0, 0)), mode="reflect"), np.pad(mask, pad)
    corners = _corners(inside)
    low, high = corners.min(axis=0), corners.max(axis=0) + SIDE
    cut = np.s_[low[0] : high[0], low[1] : high[1]]
    out = whole.copy()
    out[cut] = _painted(model, whole[cut], inside[cut], corners - low, kind, severity, tone, seed, steps)
    return np.where(mask[..., None], out[:h, :w], image)


def _corners(mask: Mask) -> npt.NDArray[np.int64]:
    """(n, 2) rows and columns of the upper left corners of crops that together hold the mask; each holds some of it."""
    ends = []
    for axis in (0, 1):
        there, size = np.flatnonzero(mask.any(axis=1 - axis)), mask.shape[axis]
        first, last = int(there[0]), int(there[-1]) + 1
        more = max(0, -(-(last - first - SIDE) // APART))
        start = np.clip((first + last) // 2 - (SIDE + more * APART) // 2, 0, size - SIDE)
        ends.append(np.unique(np.clip(start + APART * np.arange(more + 1), 0, size - SIDE)))
    found = [(y, x) for y in ends[0] for x in ends[1] if mask[y : y + SIDE, x : x + SIDE].any()]
    return np.array(found, np.int64)


def _painted(
    model: Inpainter, image: Image, mask: Mask, corners: npt.NDArray[np.int64], kind: str, severity: float,
    tone: npt.NDArray[np.float32], seed: int, steps: int,
) -> Image:  # fmt: skip
    """What lies below the crops at those corners, painted."""
    import torch

    device = next(model.net.parameters()).device

    def crops(canvas: Any) -> Any:
        return torch.stack([canvas[..., y : y + SIDE, x : x + SIDE] for y, x in corners])

    plain = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(device).float() / 255
    sound, masks = crops(plain), crops(torch.from_numpy(mask).to(device))
    severities = torch.full((len(corners),), severity, device=device)
    given = conditions(sound, masks, severities, torch.from_numpy(tone).to(device).expand(len(corners), 3))
    mean = plain.mean(dim=(1, 2))[:, None, None]
    off = (mean - sound.mean(dim=(2, 3), keepdim=True)) / UNIT  # each crop is seen about its own mean
    labels = torch.full((len(corners),), model.kinds.index(kind), device=device)
    plan = scheduler()
    plan.set_timesteps(steps)
    x = torch.randn(plain.shape, generator=torch.Generator("cpu").manual_seed(seed)).to(device)
    weights = _weights(torch, device)
    with torch.no_grad():
        for t in plan.timesteps:
            signal = plan.alphas_cumprod[t].to(device)
            seen = torch.cat([crops(x) + signal.sqrt() * off, given], 1)
            # One by one: on a CPU that costs no more than many at once, and rounds the same however many there are.
            each = [slice(k, k + 1) for k in range(len(corners))]
            found = torch.cat([model.net(seen[k], t, class_labels=labels[k]).sample for k in each])
            found = found + (1 - signal).sqrt() * off
            total, share = torch.zeros_like(x), torch.zeros_like(x[:1])
            for (y, left), velocity in zip(corners, found, strict=True):
                total[:, y : y + SIDE, left : left + SIDE] += weights * velocity
                share[:, y : y + SIDE, left : left + SIDE] += weights
            x = plan.step(total / share.clamp_min(1e-6), t, x).prev_sample
    out = (x * UNIT + mean).clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(out.cpu().numpy().transpose(1, 2, 0))


def _weights(torch: Any, device: Any) -> Any:
    """(64, 64) what a crop's pixel counts: most in the middle, little at the border, where it sees least."""
    ramp = torch.minimum(torch.arange(SIDE) + 1, SIDE - torch.arange(SIDE)).float() / (SIDE / 2)
    return (ramp[:, None] * ramp[None, :]).clamp_min(0.02).to(device)
