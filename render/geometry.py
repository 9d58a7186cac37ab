"""What a depth image says of space: the point that every pixel sees."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..scenes.cameras import pixel_directions
from ..scenes.scene import Camera

__all__ = ["lengthened", "points"]

Vec = npt.NDArray[np.float64]


def points(camera: Camera, depth_m: npt.NDArray[np.float32]) -> Vec:
    """(h, w, 3) points in the camera frame, metres, NaN where the depth is infinite: p = d · depth / d_z.

    d is the direction through the pixel's centre (`cameras.rays`; without a lens ((u − cx) / fx, (v − cy) / fy, 1)), so
    the point projects to the centre of its pixel exactly. Where a fisheye lens looks straight sideways (d_z = 0), depth
    along the axis says nothing, and the point is NaN too.
    """
    toward = pixel_directions(camera)
    return lengthened(toward, depth_m)


def lengthened(toward: Vec, depth_m: npt.NDArray[np.float32]) -> Vec:
    """Directions (h, w, 3) made as long as depths (h, w) along the axis say."""
    along = np.where(np.abs(toward[..., 2]) > 1e-9, toward[..., 2], np.nan)
    depth = np.where(np.isfinite(depth_m), depth_m, np.nan).astype(np.float64)
    return np.asarray(toward * (depth / along)[..., None])
