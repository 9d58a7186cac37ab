"""Which parts of a picture defects may change: what `probe` has to look at. No bpy."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.kinds import KINDS
from ..scenes.cameras import image
from ..scenes.scene import Camera, Scene, SceneObject

__all__ = ["Box", "boxes"]

#: x0, y0, x1, y1 in pixels.
Box = tuple[int, int, int, int]
#: Pixels around a mask: the reach of a pixel's filter, and of the mean over 3 × 3 pixels.
MARGIN = 4


def boxes(scene: Scene, ids: npt.NDArray[np.uint16], bits: npt.NDArray[np.uint32]) -> list[Box]:
    """Boxes that do not overlap and hold all pixels with bits (h, w), and the patches of what changes a form."""
    found = [box for item in scene.objects for k, d in enumerate(item.defects)
             if (box := _box(scene.camera, item, d, (ids == item.id) & (bits >> np.uint32(k) & 1 > 0)))]  # fmt: skip
    apart: list[Box] = []
    while found:
        box = found.pop()
        near = [other for other in apart if _meet(box, other)]
        if near:
            apart = [other for other in apart if other not in near]
            found.append(_around([box, *near]))
        else:
            apart.append(box)
    return sorted(apart)


def _box(camera: Camera, item: SceneObject, defect: Defect, mask: npt.NDArray[np.bool_]) -> Box | None:
    corners = []
    if mask.any():
        rows, cols = np.nonzero(mask)
        corners += [(cols.min(), rows.min()), (cols.max() + 1, rows.max() + 1)]
    if KINDS[defect.kind].damage is not None:
        corners += _patch(camera, item, defect)
    if not corners:
        return None
    (x0, y0), (x1, y1) = np.min(corners, axis=0), np.max(corners, axis=0)
    ends = np.clip([x0 - MARGIN, x1 + MARGIN], 0, camera.width), np.clip([y0 - MARGIN, y1 + MARGIN], 0, camera.height)
    left, right, top, bottom = (int(v) for v in (*np.rint(ends[0]), *np.rint(ends[1])))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _patch(camera: Camera, item: SceneObject, defect: Defect) -> list[tuple[float, float]]:
    """Pixels of the corners of a defect's patch, above and below the surface; none where the camera has no image."""
    half = [defect.size_mm[0] / 2, defect.size_mm[1] / 2, defect.reach_mm]
    at = np.array([*product((-1.0, 1.0), repeat=3)]) * half
    back = np.linalg.inv(defect.to_patch)
    world = (at @ back[:3, :3].T + back[:3, 3]) * item.scale @ item.pose[:3, :3].T + item.pose[:3, 3]
    pixels = image(camera, world @ camera.extrinsics[:3, :3].T + camera.extrinsics[:3, 3])
    return [(float(x), float(y)) for x, y in pixels if np.isfinite(x) and np.isfinite(y)]


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _around(several: list[Box]) -> Box:
    low, high = np.min(several, axis=0), np.max(several, axis=0)
    return int(low[0]), int(low[1]), int(high[2]), int(high[3])
