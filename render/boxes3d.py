"""3D boxes: the eight corners of an object's box, turned with the object.

Corner i lies on the side that the bits of i name: bit 0 is x, bit 1 is y, bit 2 is z of the object's frame, 0 the
negative side and 1 the positive one. So corners 0, 1, 3, 2 go around the bottom, 4, 5, 7, 6 around the top.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["EDGES", "SIGNS", "corners"]

#: (8, 3) the side of each corner along the object's axes.
SIGNS = np.array([[1 if i >> axis & 1 else -1 for axis in range(3)] for i in range(8)], dtype=np.float64)

#: The twelve edges as pairs of corners, those along x first.
EDGES: tuple[tuple[int, int], ...] = tuple(
    (i, i | 1 << axis) for axis in range(3) for i in range(8) if not i >> axis & 1
)


def corners(cam_T_object: npt.ArrayLike, size_m: npt.ArrayLike) -> npt.NDArray[np.float64]:  # a frame pair
    """(8, 3) corners in the camera frame, metres: R · (± size / 2) + t.

    Inverse: `size_m` are the distances of corner 0 from corners 1, 2 and 4, the columns of R the directions there, and
    t is the mean of all corners.
    """
    pose = np.asarray(cam_T_object, dtype=np.float64)
    own = SIGNS * np.asarray(size_m, dtype=np.float64) / 2
    return np.asarray(own @ pose[:3, :3].T + pose[:3, 3])
