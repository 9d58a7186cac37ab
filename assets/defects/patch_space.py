"""Meshes seen from a defect's patch: coordinates in millimetres, and which triangles meet it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..defect import Defect

__all__ = ["from_patch", "in_patch", "meets"]

Vec = npt.NDArray[np.float64]


def in_patch(defect: Defect, points: Vec) -> Vec:
    """(…, 3) points of the unscaled mesh, metres, in the defect's patch, millimetres."""
    return np.asarray(points @ defect.to_patch[:3, :3].T + defect.to_patch[:3, 3])


def from_patch(defect: Defect, points: Vec) -> Vec:
    """The inverse of `in_patch`."""
    back = np.linalg.inv(defect.to_patch)
    return np.asarray(points @ back[:3, :3].T + back[:3, 3])


def meets(defect: Defect, corners: Vec, band_mm: float) -> npt.NDArray[np.bool_]:
    """(n,) which triangles, (n, 3, 3) corners in metres, meet the patch's sheet within `band_mm` along its normal.

    Seen along z a triangle and a rectangle miss each other if a side of one of them separates them. What only touches
    counts, within a rounding error.
    """
    at = in_patch(defect, corners)
    z, half = at[..., 2], np.asarray(defect.size_mm) / 2
    hit = (z.min(axis=1) <= band_mm) & (z.max(axis=1) >= -band_mm)
    hit &= ((at[..., :2].min(axis=1) <= half) & (at[..., :2].max(axis=1) >= -half)).all(axis=1)
    which = np.flatnonzero(hit)
    xy = at[which][..., :2]
    side = np.roll(xy, -1, axis=1) - xy
    normal = np.stack([side[..., 1], -side[..., 0]], axis=2)  # (n, 3 sides, 2)
    reach = np.einsum("nij,nkj->nik", normal, xy)  # of the three corners along each normal
    rectangle = np.abs(normal) @ half
    hit[which] = ((reach.min(axis=2) <= rectangle + 1e-9) & (reach.max(axis=2) >= -rectangle - 1e-9)).all(axis=1)
    return np.asarray(hit)
