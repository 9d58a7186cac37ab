"""Normals from depth, for datasets that keep no normals.

On a plane inverse depth is linear in x and y, the coordinates in which rays are (x, y, 1), whatever the lens: 1 / z =
(n_x x + n_y y + n_z) / k for n · p = k. So a line fitted to the inverse depth around a pixel, on its own object, gives
the normal, and averages out that stored depth is rounded. Where a recipe asks for normals, use those: they are exact.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["normals_of", "reach_px"]

Image = npt.NDArray[np.float64]

#: Windows reach at least so far from their pixel, and at most.
LEAST, MOST = 1, 12
#: The error of a slope that rounding may cause, radians.
SLOPE = 0.03


def normals_of(
    toward: Image, depth_m: npt.NDArray[np.float32], labels: npt.NDArray[Any], unit_m: float = 0.0
) -> npt.NDArray[np.float32]:  # fmt: skip
    """Normals (h, w, 3) as `render.normals` has them: in the camera frame, towards the camera, 0 where nothing is.

    Args:
        toward: (h, w, 3) directions through the pixels' centres, `scenes.cameras.pixel_directions`.
        depth_m: (h, w) metres along the axis, inf where nothing is.
        labels: (h, w), equal within what may be fitted together: ids, or ids and stuff.
        unit_m: the step that the depth is rounded to.
    """
    seen = np.isfinite(depth_m) & (depth_m > 0) & (toward[..., 2] > 1e-6)
    along = np.where(seen, toward[..., 2], 1)
    x, y = np.where(seen, toward[..., 0] / along, 0), np.where(seen, toward[..., 1] / along, 0)
    near = np.where(seen, 1 / np.where(seen, depth_m, 1).astype(np.float64), 0)
    reach = reach_px(x, depth_m, seen, unit_m)
    normals = np.zeros(toward.shape, np.float32)
    for label in np.unique(labels[seen]):
        inside = seen & (labels == label)
        box = _box(inside)
        normals[box][inside[box]] = _fitted(x[box], y[box], near[box], inside[box], reach)
    return normals


def reach_px(x: Image, depth_m: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_], unit_m: float) -> int:
    """How far windows reach so that rounding tilts a surface by no more than `SLOPE`, in the middle of what is seen.

    The slope of a line through n² points at distances of one pixel errs by σ / (n s), where s² = r (r + 1) / 3 pixels²
    is the spread of n = 2 r + 1 places, and σ = unit / √12 is what rounding errs by.
    """
    if unit_m <= 0 or not seen.any():
        return LEAST
    pixel_m = float(np.median(np.abs(np.diff(x, axis=1))) * np.median(depth_m[seen]))
    for reach in range(LEAST, MOST):
        spread = (reach * (reach + 1) / 3) ** 0.5 * pixel_m
        if unit_m / 12**0.5 <= SLOPE * (2 * reach + 1) * spread:
            return reach
    return MOST


def _box(mask: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The pixels' bounding box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fitted(x: Image, y: Image, near: Image, inside: npt.NDArray[np.bool_], reach: int) -> Image:
    """(n, 3) unit normals of the pixels inside, from lines fitted to what lies inside within reach of each.

    Where a window is too thin for a slope, the surface is taken to face the camera.
    """
    size = (2 * reach + 1, 2 * reach + 1)
    weight = inside.astype(np.float64)

    def mean(values: Image) -> Image:
        summed = cv2.boxFilter(values * weight, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(summed[inside] / count)

    count = cv2.boxFilter(weight, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)[inside]
    mx, my, md = mean(x), mean(y), mean(near)
    xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    xd, yd = mean(x * near) - mx * md, mean(y * near) - my * md
    area: Image = np.asarray(xx * yy - xy * xy)
    solid = area > 1e-3 * (xx + yy) ** 2 + 1e-18
    area = np.where(solid, area, 1)
    a: Image = (yy * xd - xy * yd) / area
    b: Image = (xx * yd - xy * xd) / area
    lines = np.stack([a, b, md - a * mx - b * my], axis=1)  # 1 / z = (n_x x + n_y y + n_z) / k, and k < 0
    lines[~solid] = (0, 0, 1)
    return np.asarray(-lines / np.linalg.norm(lines, axis=1, keepdims=True))
