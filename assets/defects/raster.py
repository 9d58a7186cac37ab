"""What drawing on a patch needs: coordinates in millimetres, smooth random outlines, masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_TEXELS", "grid", "mask_of", "wobble"]

Floats = npt.NDArray[np.float64]

#: A raster has at most so many texels along a side: 1.5 mm of a close-up's 40 pixels per mm would need no more.
MOST_TEXELS = 1536


def grid(size_mm: tuple[float, float], texel_mm: float) -> tuple[Floats, Floats]:
    """(h, w) x and y of the centres of a patch's texels, mm, about `texel_mm` wide; at least 8 along a side."""
    w, h = (int(np.clip(np.ceil(s / texel_mm), 8, MOST_TEXELS)) for s in size_mm)
    x = ((np.arange(w) + 0.5) / w - 0.5) * size_mm[0]
    y = ((np.arange(h) + 0.5) / h - 0.5) * size_mm[1]
    return np.meshgrid(x, y)  # type: ignore[return-value]  # two arrays


def mask_of(strength: npt.NDArray[np.floating], level: float) -> npt.NDArray[np.uint8]:  # type: ignore[type-arg]
    """A label mask that is half where `strength` passes `level`, and 0 at the border of the patch."""
    scaled = np.clip(np.asarray(strength) / (2 * level), 0, 1)
    mask: npt.NDArray[np.uint8] = np.rint(255 * scaled).astype(np.uint8)
    mask[[0, -1]] = 0
    mask[:, [0, -1]] = 0
    return mask


def wobble(rng: np.random.Generator, angle: Floats, waves: int) -> Floats:
    """A smooth random function of an angle, about −1 … 1, the same at 0 and 2π: the sum of `waves` harmonics."""
    out = np.zeros_like(angle)
    for k in range(1, waves + 1):
        out += np.sin(k * angle + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.5, 1.0) / k
    return out / 1.6
