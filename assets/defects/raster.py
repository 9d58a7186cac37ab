"""What drawing on a patch needs: coordinates in millimetres, smooth random outlines, masks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["MOST_TEXELS", "crisp", "fractal", "grid", "mask_of", "near_mask", "wobble"]

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


def near_mask(strength: Floats, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The strength without islands that nowhere reach their mask: what is not labelled must not be there."""
    kept = cv2.dilate((mask >= 128).astype(np.uint8), np.ones((9, 9), np.uint8))
    return np.asarray(strength * kept, np.float32)


def wobble(rng: np.random.Generator, angle: Floats, waves: int) -> Floats:
    """A smooth random function of an angle, about −1 … 1, the same at 0 and 2π: the sum of `waves` harmonics."""
    out = np.zeros_like(angle)
    for k in range(1, waves + 1):
        out += np.sin(k * angle + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.5, 1.0) / k
    return out / 1.6


def crisp(depth: Floats, soft: float) -> Floats:
    """0 … 1 as a depth inside an outline, in any unit, goes from 0 to `soft`: an edge that is as wide as a pen's."""
    t = np.clip(depth / soft, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def fractal(rng: np.random.Generator, shape: tuple[int, ...], cells: tuple[int, int], octaves: int = 4) -> Floats:
    """Smooth noise of mean 0 and deviation about 1, with `cells` bumps along height and width, and finer ones.

    The lattice does not depend on the raster's texels, so a larger drawing of the same seed is the same, enlarged.
    """
    out, h, w = np.zeros(shape), shape[0], shape[1]
    for k in range(octaves):
        lattice = rng.standard_normal((cells[0] * 2**k + 3, cells[1] * 2**k + 3)).astype(np.float32)
        fine = cv2.resize(lattice, (w, h), interpolation=cv2.INTER_CUBIC)
        out += fine * 0.55**k
    return np.asarray(out / 1.1)
