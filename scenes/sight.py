"""Which given points can be seen: one ray from the camera to each of them, past everything in the scene.

The rays of the pixel centres do not answer that: between two centres lie edges, and triangles that the ray engine has
dropped because no centre meets them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..assets.cutouts import Gaps
from .tracing import Tracer

__all__ = ["Sight"]

Points = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
#: Nearer than this (metres) a point counts as beside or behind the camera, where x/z says nothing.
NEAR_M = 1e-4
#: Cells along each axis of the plane z = 1 that tell which triangles may lie before a point.
CELLS = 4096
#: Rounding of x/z in single precision; less than a cell.
MARGIN = 1e-5


class Sight:
    """Points to look at, and what was found before them so far.

    Args:
        points: (n, 3) float32 in the camera frame, metres; none of them is the camera's centre.

    Attributes:
        nearest: (n,) distance of the first surface on the way to each point and beyond it, in distances of the point:
            1 is a point on the first surface, less is a hidden one, inf has nothing on its line at all.
    """

    def __init__(self, points: Points) -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float32).reshape(-1, 3)
        self.nearest = np.full(len(self.points), np.inf, np.float32)
        self._ahead = self.points[:, 2] > NEAR_M
        self._at = _plane(self.points)

    def look(self, points: Points, faces: npt.NDArray[np.int32], gaps: Gaps | None = None) -> None:
        """Enter a mesh, (V, 3) points in the camera frame and (F, 3) faces, as something that may hide.

        `gaps` are the holes in the faces.
        """
        if not len(self.points):
            return
        whole = bool(points[:, 2].min() > NEAR_M)
        chosen, at = np.arange(len(self.points)), _plane(points)
        if whole:
            low, high = at.min(axis=0) - MARGIN, at.max(axis=0) + MARGIN
            chosen = np.flatnonzero(~self._ahead | ((self._at >= low) & (self._at <= high)).all(axis=1))
        if whole and self._ahead[chosen].all():
            near = _before(self._at[chosen], at, faces) if len(chosen) else np.zeros(len(faces), bool)
            faces, gaps = faces[near], gaps and gaps.of(near)
        if not len(chosen) or not len(faces):
            return
        targets = self.points[chosen]
        far = Tracer(points, faces, gaps).first(targets, np.zeros_like(targets))
        self.nearest[chosen] = np.minimum(self.nearest[chosen], far)

    def clear(self, tolerance_m: npt.ArrayLike) -> Bools:
        """(n,) whether no surface lies before a point by more than a tolerance, metres along the ray."""
        far = np.linalg.norm(self.points.astype(np.float64), axis=1)
        return np.asarray((1 - self.nearest.astype(np.float64)) * far <= np.asarray(tolerance_m))


def _plane(points: Points) -> npt.NDArray[np.float64]:
    """(n, 2) x/z and y/z, at `NEAR_M` for what is nearer or behind."""
    return np.asarray(points[:, :2] / np.maximum(points[:, 2:], NEAR_M), dtype=np.float64)


def _before(targets: npt.NDArray[np.float64], at: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]) -> Bools:
    """(F,) which triangles' extents in the plane z = 1 hold a target's x and a target's y; one that hides does.

    Per axis the vertices are put into `CELLS` cells, each of which knows how many targets lie before it and up to it.
    """
    keep = np.ones(len(faces), bool)
    a, b, c = faces.T
    for k in (0, 1):
        low = targets[:, k].min() - MARGIN
        step = max((targets[:, k].max() + MARGIN - low) / CELLS, MARGIN)
        count = np.bincount(((targets[:, k] - low) // step).astype(np.int64) + 1, minlength=CELLS + 3).cumsum()
        count = count.astype(np.uint16 if len(targets) < 1 << 16 else np.uint32)
        cell = ((at[:, k] - low) / step).clip(-1, CELLS + 1).astype(np.int32)
        first, last = count[np.maximum(cell - 1, 0)], count[np.minimum(cell + 2, CELLS + 2)]
        keep &= np.minimum(np.minimum(first[a], first[b]), first[c]) < np.maximum(np.maximum(last[a], last[b]), last[c])
    return keep
