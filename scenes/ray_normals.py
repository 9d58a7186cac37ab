"""Surface normals by the ray engine: those of the triangles that its rays meet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from .bodies import bodies
from .cameras import pixel_directions
from .ids import join_ids
from .rays import RayView
from .scene import Scene

__all__ = ["ray_normals"]


def ray_normals(scene: Scene, meshes: Mapping[int, Mesh], view: RayView) -> npt.NDArray[np.float32]:
    """(h, w, 3) unit normals in the camera frame, towards the camera, 0 where nothing is.

    `view` must have been cast with `triangles`. The normals are geometric: a facet has one, whatever its shading.
    """
    if view.triangle is None:
        raise ValueError("normals need cast(…, triangles=True)")
    raw, turn = join_ids(view.ids, view.stuff), scene.camera.extrinsics[:3, :3]
    out = np.zeros((*raw.shape, 3))
    for body in bodies(scene, meshes):
        there = np.nonzero(raw == body.raw_id)
        a, b, c = body.mesh.vertices[body.mesh.faces[view.triangle[there]]].transpose(1, 0, 2)
        out[there] = np.cross(b - a, c - a) @ (turn @ body.pose[:3, :3]).T
    length = np.linalg.norm(out, axis=2, keepdims=True)
    out /= np.where(length > 0, length, 1)
    away = np.einsum("hwk,hwk->hw", out, pixel_directions(scene.camera)) > 0  # the inside of an open mesh
    return np.where(away[..., None], -out, out).astype(np.float32)
