"""Surface normals as 16-bit steps, and back.

A normal is (h, w, 3) float32 in the camera frame (OpenCV: x right, y down, z forward), of length 1, towards the camera
(its z is below 0 wherever the surface is seen head-on), and 0 where nothing is. It is *geometric*: of the triangle that
the ray through the pixel's centre meets, without the smoothing and the relief that shading adds. The renderer gives it
(`render/passes.py`), and the ray engine gives it a second time (`scenes/ray_normals.py`).

Stored: step = round(32767 · n) + 32768 as uint16, x, y, z in red, green, blue; all three 0 where nothing is.
Inverse: n = (step − 32768) / 32767, to 1.6e-5 per axis.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..scenes.cameras import pixel_directions
from ..scenes.scene import Camera

__all__ = ["from_steps", "to_camera", "to_steps"]

ZERO, UNIT = 32768, 32767


def to_steps(normals: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """(h, w, 3) steps of unit normals, 0 where a normal is 0."""
    something = normals.any(axis=2, keepdims=True)
    steps = np.rint(normals.clip(-1, 1) * np.float32(UNIT)) + ZERO
    return np.where(something, steps, 0).astype(np.uint16)


def from_steps(steps: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """(h, w, 3) normals of stored steps: the inverse of `to_steps`."""
    something = steps.any(axis=2, keepdims=True)
    return np.where(something, (steps.astype(np.float32) - ZERO) / UNIT, 0).astype(np.float32)


def to_camera(world: npt.NDArray[np.float32], camera: Camera) -> npt.NDArray[np.float32]:
    """(h, w, 3) unit normals in the camera frame, towards the camera, of normals in the world; 0 stays 0."""
    turned = world @ camera.extrinsics[:3, :3].T.astype(np.float32)
    length = np.linalg.norm(turned, axis=2, keepdims=True)
    turned /= np.where(length > 0, length, 1)
    away = np.einsum("hwk,hwk->hw", turned, pixel_directions(camera).astype(np.float32)) > 0
    return np.where(away[..., None], -turned, turned).astype(np.float32)
