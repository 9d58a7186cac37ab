"""Which parts of a picture defects may change: what `probe` has to look at. No bpy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.kinds import KINDS
from ..scenes.cameras import image
from ..scenes.scene import Camera, Scene, SceneObject

__all__ = ["Box", "boxes", "merged"]

#: Pixels around a mask: the reach of a pixel's filter, and of the mean over 3 × 3 pixels.
MARGIN = 4
#: All small renders together, two patterns of each box in two states, may cost this share of the picture's samples.
SHARE, PATTERNS = 0.03, 4
#: But a box of so many pixels a side is always looked at: a small one tells nothing.
LEAST_PX = 32
#: A render costs as much as so many pixels more at 16 samples in two patterns: 0.3 CPU s of Blender's and Cycles' sync,
#: measured on panels of `surface`.
RENDER_PX = 2500
#: A mask that covers so much of its box is an area, of which fewer pixels tell enough; less, and it is a line.
FILLS = 0.25


@dataclass(frozen=True)
class Box:
    """A part of a picture, in its pixels: columns `x0` to before `x1`, rows `y0` to before `y1`.

    It is looked at in pixels `step` times as wide and high.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    step: int = 1

    @property
    def area(self) -> int:
        """Pixels of the picture in it."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)


def boxes(
    scene: Scene, ids: npt.NDArray[np.uint16], bits: npt.NDArray[np.uint32], samples: int, share: float = SHARE
) -> list[Box]:  # fmt: skip
    """Boxes about every defect with bits (h, w), or that has changed a form.

    All of a small one. All of a large area in fewer, wider pixels: what deforms a part moves much of it without a
    visible change, and a piece of it tells nothing of the rest. Of a large line the middle: in wider pixels it would
    pale. `samples` are those of each pixel in a small render, `share` is what all of them may cost of the picture's.
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
        while near := next((b for b in out if _cheaper(b, box)), None):
            out.remove(near)
            box = _around(near, box)
        out.append(box)
    return out


def _cheaper(a: Box, b: Box) -> bool:
    """Whether one render of both costs less than two."""
    return a.step == b.step == 1 and _around(a, b).area <= a.area + b.area + RENDER_PX


def _around(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _box(camera: Camera, item: SceneObject, defect: Defect, mask: npt.NDArray[np.bool_], side: int) -> Box | None:
    seen = [np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1)]
    corners = np.array(_patch(camera, item, defect) if KINDS[defect.kind].damage is not None else []).reshape(-1, 2)
    rows, cols = np.nonzero(mask)
    reaches = []
    for axis, size in enumerate((camera.width, camera.height)):
        reach = [*seen[axis][:1], *seen[axis][-1:] + 1, *corners[:, axis]]
        if not reach:
            return None
        low, high = (int(np.clip(np.rint(x), 0, size)) for x in (min(reach) - MARGIN, max(reach) + MARGIN))
        if low >= high:
            return None
        reaches.append((low, high))
    box = Box(reaches[0][0], reaches[1][0], reaches[0][1], reaches[1][1])
    wider = int(np.ceil(np.sqrt(box.area) / side))
    if wider <= 1 or len(rows) >= FILLS * box.area:
        return replace(box, step=max(wider, 1))
    # About a pixel of the mask, where it has any: the median of its rows and columns may lie in a hole.
    x, y = (int(cols[len(cols) // 2]), int(rows[len(rows) // 2])) if len(rows) else (None, None)
    (x0, x1), (y0, y1) = _cut(box.x0, box.x1, x, side), _cut(box.y0, box.y1, y, side)
    return Box(x0, y0, x1, y1)


def _cut(low: int, high: int, about: int | None, side: int) -> tuple[int, int]:
    """The part of a range that is `side` long at most, about a place in it or its middle."""
    if high - low <= side:
        return low, high
    start = int(np.clip((about if about is not None else (low + high) // 2) - side // 2, low, high - side))
    return start, start + side


def _patch(camera: Camera, item: SceneObject, defect: Defect) -> list[tuple[float, float]]:
    """Pixels of the corners of a defect's patch, above and below the surface; none where the camera has no image."""
    half = [defect.size_mm[0] / 2, defect.size_mm[1] / 2, defect.reach_mm]
    at = np.array([*product((-1.0, 1.0), repeat=3)]) * half
    back = np.linalg.inv(defect.to_patch)
    world = (at @ back[:3, :3].T + back[:3, 3]) * item.scale @ item.pose[:3, :3].T + item.pose[:3, 3]
    pixels = image(camera, world @ camera.extrinsics[:3, :3].T + camera.extrinsics[:3, 3])
    return [(float(x), float(y)) for x, y in pixels if np.isfinite(x) and np.isfinite(y)]
