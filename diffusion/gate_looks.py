"""Do two objects wear each other's looks? Outlines cannot tell when both are alike, such as those of dice.

An object's look is what lies around its mask's centre, in Lab, every second pixel of a square. Two have been exchanged
when each looks far more like the other did in the render than like itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Looks", "exchanged", "looks"]

Floats = npt.NDArray[np.float32]

#: A look is so many samples wide, two pixels apart.
_SAMPLES = 24
#: Nearer to the other than to itself by this factor, this near to it and this far from itself in Lab units, on so
#: much of either mask. True exchanges came within 8 units, and no restyled object within 20 of another one.
_NEARER, _NEAR, _FAR, _SHARED = 0.4, 10.0, 10.0, 0.5


@dataclass(frozen=True)
class Looks:
    """Samples around the centres of instances, and where these lie on the instance; (k, n, 3) and (k, n)."""

    colour: Floats
    mask: npt.NDArray[np.bool_]


def looks(lab_image: Floats, ids: npt.NDArray[np.uint16], found: tuple[int, ...]) -> Looks:
    """The looks of some ids of an (h, w) map in an (h, w, 3) Lab image."""
    h, w = ids.shape
    steps = 2 * np.arange(_SAMPLES) - _SAMPLES + 1
    colour = np.zeros((len(found), _SAMPLES**2, 3), np.float32)
    mask = np.zeros((len(found), _SAMPLES**2), bool)
    for k, i in enumerate(found):
        y, x = np.argwhere(ids == i).mean(axis=0).round().astype(np.intp)
        rows, columns = np.meshgrid(y + steps, x + steps, indexing="ij")
        inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        rows, columns = rows.clip(0, h - 1), columns.clip(0, w - 1)
        colour[k] = lab_image[rows, columns].reshape(-1, 3)
        mask[k] = ((ids[rows, columns] == i) & inside).ravel()
    return Looks(colour, mask)


def exchanged(before: Looks, after: Floats) -> dict[int, int]:
    """Which instance has whose look, by place in `before`, both ways; `after` (k, n, 3) are new colours of the same."""
    count = len(before.mask)
    area = before.mask.sum(axis=1)
    distance = np.full((count, count), np.inf)
    for i in range(count):
        shared = before.mask & before.mask[i]
        size = shared.sum(axis=1)
        gap = np.linalg.norm(after[i] - before.colour, axis=2)
        enough = size >= np.maximum(_SHARED * np.maximum(area, area[i]), 8)
        distance[i] = np.where(enough, (gap * shared).sum(axis=1) / np.maximum(size, 1), np.inf)
    own = np.diag(distance)
    far = np.where(own > _FAR, own, 0)[:, None]
    nearer = (distance < _NEARER * far) & (distance < _NEAR)
    pairs = np.argwhere(nearer & nearer.T)
    return {int(i): int(j) for i, j in pairs}
