"""Poses and cameras as the BOP benchmark writes them (Hodaň et al. 2018; the BOP toolkit's `scene_gt.json`).

BOP counts millimetres, writes rotations row by row, and puts the centre of the top-left pixel at (0, 0), half a pixel
less than here. A model's frame is the object frame with its scale applied, in millimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from ..assets.mesh import Mesh
from ..scenes.scene import Camera
from .labels import Box, InstanceLabel

__all__ = ["bop_box", "bop_camera", "bop_model", "bop_pose", "bop_visibility"]

MM = 1000.0
HALF = 0.5
#: Points whose distances to all others are held at a time.
ROWS = 512


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

    `px_count_all`, and with it `visib_fract`, count pixels up to one image size beyond each border, as the toolkit does
    and `InstanceLabel.truncation` too. `bbox_obj` ends at the border here: `bop_box` gives the one that does not.
    """
    seen = 1 - (label.truncation or 0.0)
    pixels = round(label.amodal_area / seen) if seen else 0
    return {
        "bbox_obj": list(label.amodal_bbox or (-1, -1, -1, -1)),
        "bbox_visib": list(label.bbox or (-1, -1, -1, -1)),
        "px_count_all": pixels,
        "px_count_visib": label.area,
        "visib_fract": label.area / pixels if pixels else 0.0,
    }


def bop_box(label: InstanceLabel, camera: Camera, model_mm: npt.NDArray[np.float64]) -> Box | None:
    """BOP's `bbox_obj` [x, y, w, h], which follows an object up to one image size beyond each border; None: no pixel.

    `model_mm` are (V, 3) vertices of its model. Inside the image it is the box of the amodal mask; across the border,
    that box and all pixel centres between the outermost vertices, which may be a pixel more where a tip is thinner than
    one. For a camera without a lens.
    """
    if label.amodal_bbox is None:
        return None
    x, y, w, h = label.amodal_bbox
    if not label.truncation:
        return label.amodal_bbox
    pose, size = np.asarray(label.cam_T_object), np.array([camera.width, camera.height])
    cam = model_mm / MM @ pose[:3, :3].T + pose[:3, 3]
    if (cam[:, 2] > 0).all():
        at = cam[:, :2] / cam[:, 2:] * [camera.fx, camera.fy] + [camera.cx, camera.cy]
        ends = np.array([np.ceil(at.min(axis=0) - HALF), np.floor(at.max(axis=0) - HALF)])
    else:  # it reaches behind the camera, and its image has no end
        ends = np.array([-size, 2 * size - 1])
    low = np.minimum([x, y], np.clip(ends[0], -size, size - 1))
    high = np.maximum([x + w - 1, y + h - 1], np.clip(ends[1], 0, 2 * size - 1))
    left, top, wide, tall = np.concatenate([low, high - low + 1]).astype(int).tolist()
    return (left, top, wide, tall)


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
    """The largest distance of two points, which both lie on the convex hull."""
    try:
        hull = ConvexHull(points)
    except QhullError:  # a flat model has no volume: moved by a part in 10¹⁰ it has
        hull = ConvexHull(points, qhull_options="QJ")
    corners = points[hull.vertices]
    return max(float(cdist(corners[k : k + ROWS], corners).max()) for k in range(0, len(corners), ROWS))
