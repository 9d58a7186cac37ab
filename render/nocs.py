"""Object coordinates (NOCS): where on its object each pixel lies, in the object's own box.

(h, w, 3) float32 in [0, 1]: 0 and 1 are opposite sides of the object's bounding box along its own x, y, z axes; NaN
where no object is. With `size_m` and `cam_T_object` of the object's label the point in the camera frame is

    p = cam_T_object · ((c − 0.5) · size_m)        (metres; the box's centre is the object's origin)

and projects to the pixel's centre (Wang et al. 2019, "Normalized Object Coordinate Space", who scale all axes alike by
the box's diagonal instead: c' = 0.5 + (c − 0.5) · size_m / |size_m|).

Stored: step = round(65534 · c) + 1 as uint16, x, y, z in red, green, blue; 0 where no object is.
Inverse: c = (step − 1) / 65534, to size_m / 131068: 1 µm on an object of 13 cm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..scenes.scene import Scene

__all__ = ["from_steps", "nocs", "to_steps"]

UNIT = 65534


def nocs(
    scene: Scene, meshes: Mapping[int, Mesh], ids: npt.NDArray[np.uint16], points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Object coordinates of the points (h, w, 3) that pixels see, `geometry.points`, in the objects that they show."""
    out = np.full(points.shape, np.nan, np.float32)
    for item in scene.objects:
        there = np.nonzero(ids == item.id)
        if len(there[0]):
            pose = scene.camera.extrinsics @ item.pose
            own = (points[there] - pose[:3, 3]) @ pose[:3, :3]
            out[there] = (own / _size(meshes[item.id].extents * item.scale) + 0.5).clip(0, 1)
    return out


def to_steps(coordinates: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """(h, w, 3) steps of object coordinates, 0 where they are NaN."""
    known = ~np.isnan(coordinates)
    return np.where(known, np.rint(np.where(known, coordinates, 0) * np.float64(UNIT)) + 1, 0).astype(np.uint16)


def from_steps(steps: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """(h, w, 3) object coordinates of stored steps: the inverse of `to_steps`."""
    return np.where(steps > 0, (steps.astype(np.float64) - 1) / UNIT, np.nan).astype(np.float32)


def _size(extents: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Edges of the box; along a flat object's axis every point has the coordinate 0.5."""
    return np.where(extents > 0, extents, np.inf)
