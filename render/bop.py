"""Poses and cameras as the BOP benchmark writes them (Hodaň et al. 2018; the BOP toolkit's `scene_gt.json`).

BOP counts millimetres, writes rotations row by row, and puts the centre of the top-left pixel at (0, 0), half a pixel
less than here. A model's frame is the object frame with its scale applied, in millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..scenes.scene import Camera
from .labels import InstanceLabel

__all__ = ["bop_camera", "bop_model", "bop_pose", "bop_visibility"]

MM = 1000.0
HALF = 0.5
#: Directions in which a model is measured for its diameter.
DIRECTIONS = 256


def bop_pose(label: InstanceLabel, obj_id: int | None = None) -> dict[str, Any]:
    """An entry of `scene_gt.json`: x_cam = R_m2c · x_model + t_m2c.

    `cam_R_m2c` are nine numbers, row by row, `cam_t_m2c` three, millimetres. `obj_id` names the model; the label's
    category where none is given. Inverse: cam_T_object = [R_m2c | t_m2c / 1000].
    """
    pose = np.asarray(label.cam_T_object)
    return {
        "cam_R_m2c": pose[:3, :3].ravel().tolist(),
        "cam_t_m2c": (pose[:3, 3] * MM).tolist(),
        "obj_id": label.category_id if obj_id is None else obj_id,
    }


def bop_visibility(label: InstanceLabel) -> dict[str, Any]:
    """An entry of `scene_gt_info.json`: boxes [x, y, w, h] unhidden and visible, [−1, −1, −1, −1] for none; pixels.

    Pixels outside the image do not count here, as they do in BOP.
    """
    return {
        "bbox_obj": list(label.amodal_bbox or (-1, -1, -1, -1)),
        "bbox_visib": list(label.bbox or (-1, -1, -1, -1)),
        "px_count_all": label.amodal_area,
        "px_count_visib": label.area,
        "visib_fract": label.visibility,
    }


def bop_camera(camera: Camera, depth_unit_m: float = 0.001) -> dict[str, Any]:
    """An entry of `scene_camera.json`; depth pixels times `depth_scale` are millimetres. A lens has no place in it."""
    k, e = camera.K, camera.extrinsics
    k[:2, 2] -= HALF
    return {
        "cam_K": k.ravel().tolist(),
        "depth_scale": depth_unit_m * MM,
        "cam_R_w2c": e[:3, :3].ravel().tolist(),
        "cam_t_w2c": (e[:3, 3] * MM).tolist(),
    }


def bop_model(mesh: Mesh, scale: float = 1.0) -> tuple[npt.NDArray[np.float64], Mapping[str, float]]:
    """(V, 3) vertices of a model in millimetres, and its entry of `models_info.json`: box and diameter.

    The diameter is the largest distance of two vertices.
    """
    points = mesh.vertices * (scale * MM)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    return points, {
        "diameter": _diameter(points),
        **{f"min_{axis}": float(v) for axis, v in zip("xyz", low, strict=True)},
        **{f"size_{axis}": float(v) for axis, v in zip("xyz", size, strict=True)},
    }


def _diameter(points: npt.NDArray[np.float64]) -> float:
    """The largest distance of two points: the widest of many directions, then that of its own farthest pair, and so on.

    All pairs of a fine mesh would be a billion.
    """
    k = np.arange(DIRECTIONS) + 0.5
    z, turn = k / DIRECTIONS, k * np.pi * (1 + 5**0.5)  # a half sphere, evenly (Fibonacci's lattice)
    side = np.sqrt(1 - z**2)
    best = 0.0
    for toward in np.column_stack([side * np.cos(turn), side * np.sin(turn), z]):
        found = _widest(points, toward)
        while (length := float(np.linalg.norm(found))) > best:
            best = length
            found = _widest(points, found)
    return best


def _widest(points: npt.NDArray[np.float64], toward: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From the least to the farthest point in a direction."""
    along = points @ toward
    return np.asarray(points[along.argmax()] - points[along.argmin()])
