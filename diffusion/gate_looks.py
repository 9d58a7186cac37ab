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
    """Where looks are sampled, as places in the flattened image, which of them lie on the instance, and the colours.

    `place` and `mask` are (k, n), `colour` is (k, n, 3).
    """

    place: npt.NDArray[np.intp]
    mask: npt.NDArray[np.bool_]
    colour: Floats

    def seen(self, lab_image: Floats) -> Floats:
        """Colours of the same places in another (h, w, 3) image; (k, n, 3)."""
        return np.take(lab_image.reshape(-1, 3), self.place, axis=0)


def looks(lab_image: Floats, ids: npt.NDArray[np.uint16], found: tuple[int, ...]) -> Looks:
    """The looks of some ids of an (h, w) map in an (h, w, 3) Lab image."""
    h, w = ids.shape
    steps = 2 * np.arange(_SAMPLES) - _SAMPLES + 1
    place = np.zeros((len(found), _SAMPLES**2), np.intp)
    mask = np.zeros((len(found), _SAMPLES**2), bool)
    area = np.bincount(ids.ravel())
    centres = np.stack([np.bincount(ids.ravel(), v.ravel()) / np.maximum(area, 1) for v in np.indices(ids.shape)])
    for k, i in enumerate(found):
        y, x = centres[:, i].round().astype(np.intp)
        rows, columns = np.meshgrid(y + steps, x + steps, indexing="ij")
        inside = (rows >= 0) & (rows < h) & (columns >= 0) & (columns < w)
        rows, columns = rows.clip(0, h - 1), columns.clip(0, w - 1)
        place[k] = (rows * w + columns).ravel()
        mask[k] = ((ids[rows, columns] == i) & inside).ravel()
    return Looks(place, mask, lab_image.reshape(-1, 3)[place])


def exchanged(before: Looks, lab_image: Floats) -> dict[int, int]:
    """Which instance has whose look in an (h, w, 3) Lab image, by place in `before`, both ways."""
    after = before.seen(lab_image)
    own = _distance(after, before.colour, before.mask)
    other = np.flatnonzero(own > _FAR)  # the rest look like themselves
    mask, colour = before.mask[other], before.colour[other]
    area = mask.sum(axis=1)
    distance = np.full((len(other), len(other)), np.inf)
    for k, i in enumerate(other):
        shared = mask & mask[k]
        enough = shared.sum(axis=1) >= np.maximum(_SHARED * np.maximum(area, area[k]), 8)
        distance[k, enough] = _distance(after[i], colour[enough], shared[enough])
    nearer = (distance < _NEARER * own[other, None]) & (distance < _NEAR)
    return {int(other[i]): int(other[j]) for i, j in np.argwhere(nearer & nearer.T)}


def _distance(after: Floats, before: Floats, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The mean distance of colours (…, n, 3) on masks (…, n)."""
    gap = np.linalg.norm(after - before, axis=-1)
    return np.asarray((gap * mask).sum(axis=-1) / np.maximum(mask.sum(axis=-1), 1))
