"""Which parts of a picture defects may change: what `probe` has to look at. No bpy."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.kinds import KINDS
from ..scenes.cameras import image
from ..scenes.scene import Camera, Scene, SceneObject

__all__ = ["Box", "boxes", "merged"]

#: x0, y0, x1, y1 in pixels.
Box = tuple[int, int, int, int]
#: Pixels around a mask: the reach of a pixel's filter, and of the mean over 3 × 3 pixels.
MARGIN = 4
#: All small renders together, two patterns of each box in two states, may cost this share of the picture's samples.
SHARE, PATTERNS = 0.03, 4
#: But a box of so many pixels a side is always looked at: a small one tells nothing.
LEAST_PX = 32
#: A render costs as much as so many pixels more at 16 samples in two patterns: 0.3 CPU s of Blender's and Cycles' sync,
#: measured on panels of `surface`.
RENDER_PX = 2500


def boxes(
    scene: Scene, ids: npt.NDArray[np.uint16], bits: npt.NDArray[np.uint32], samples: int, share: float = SHARE
) -> list[Box]:  # fmt: skip
    """Boxes about every defect with bits (h, w), or that has changed a form: all of it, or of a large one the middle.

    `samples` are those of each pixel in a small render, `share` is what all of them may cost of the picture's.
    """
    found = [(item, d, (ids == item.id) & (bits >> np.uint32(k) & 1 > 0))
             for item in scene.objects for k, d in enumerate(item.defects)]  # fmt: skip
    camera = scene.camera
    pixels = share * scene.render.samples * camera.width * camera.height / (PATTERNS * samples * max(len(found), 1))
    side = max(LEAST_PX, int(min(np.sqrt(pixels), max(camera.width, camera.height))))
    return merged([box for item, d, mask in found if (box := _box(camera, item, d, mask, side))])


def merged(several: list[Box]) -> list[Box]:
    """The boxes, those next to each other as one where that is cheaper than a render for each."""
    out: list[Box] = []
    for box in several:
        while near := next((b for b in out if _area(_around(b, box)) <= _area(b) + _area(box) + RENDER_PX), None):
            out.remove(near)
            box = _around(near, box)
        out.append(box)
    return out


def _around(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _box(camera: Camera, item: SceneObject, defect: Defect, mask: npt.NDArray[np.bool_], side: int) -> Box | None:
    seen = [np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1)]
    corners = np.array(_patch(camera, item, defect) if KINDS[defect.kind].damage is not None else []).reshape(-1, 2)
    rows, cols = np.nonzero(mask)
    ends = []
    for axis, (size, within) in enumerate(zip((camera.width, camera.height), (cols, rows), strict=True)):
        reach = [*seen[axis][:1], *seen[axis][-1:] + 1, *corners[:, axis]]
        if not reach:
            return None
        low, high = (int(np.clip(np.rint(x), 0, size)) for x in (min(reach) - MARGIN, max(reach) + MARGIN))
        if high - low > side:
            # About a pixel of the mask, where it has any: the median of its rows and columns may lie in a hole.
            middle = int(within[len(within) // 2]) if len(within) else (low + high) // 2
            low = int(np.clip(middle - side // 2, low, high - side))
            high = low + side
        if low >= high:
            return None
        ends.append((low, high))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _patch(camera: Camera, item: SceneObject, defect: Defect) -> list[tuple[float, float]]:
    """Pixels of the corners of a defect's patch, above and below the surface; none where the camera has no image."""
    half = [defect.size_mm[0] / 2, defect.size_mm[1] / 2, defect.reach_mm]
    at = np.array([*product((-1.0, 1.0), repeat=3)]) * half
    back = np.linalg.inv(defect.to_patch)
    world = (at @ back[:3, :3].T + back[:3, 3]) * item.scale @ item.pose[:3, :3].T + item.pose[:3, 3]
    pixels = image(camera, world @ camera.extrinsics[:3, :3].T + camera.extrinsics[:3, 3])
    return [(float(x), float(y)) for x, y in pixels if np.isfinite(x) and np.isfinite(y)]
