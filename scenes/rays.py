"""The ray engine: who is visible where, computed with Embree and without Blender.

One ray goes through the centre of every pixel. The engine predicts labels before a render, gives the amodal masks, and
is the second witness for the renderer's masks. Geometry is brought into the camera frame first, so rays start at the
origin, their directions depend on the intrinsics alone, and single precision is spent near the camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from ..assets.mesh import Mesh
from .scene import Camera, Scene, SceneObject
from .surface import surface_mesh

__all__ = ["AmodalMask", "RayView", "cast"]

Points = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class AmodalMask:
    """One object seen alone through the pixel centres.

    Attributes:
        x, y: top-left pixel of `mask` in the image.
        mask: (h, w) bool, tight crop, inside the image; (0, 0) when it covers no pixel there.
        total: pixels it would cover if the image went on (up to one image size) beyond each border.
    """

    x: int
    y: int
    mask: npt.NDArray[np.bool_]
    total: int


@dataclass(frozen=True)
class RayView:
    """What the ray engine sees: `ids` (h, w) uint16, `depth_m` (h, w) float32 (inf: nothing), `amodal` by object id."""

    ids: npt.NDArray[np.uint16]
    depth_m: npt.NDArray[np.float32]
    amodal: Mapping[int, AmodalMask]


def cast(scene: Scene, meshes: Mapping[int, Mesh]) -> RayView:
    """Cast a ray through every pixel centre; `meshes` gives each object's mesh by id (unscaled, object frame)."""
    camera = scene.camera
    solids = {o.id: _Solid(_object_points(o, meshes[o.id], camera), meshes[o.id].faces) for o in scene.objects}
    ids, depth = _nearest(scene, solids)
    return RayView(ids, depth, {i: _amodal(s, camera) for i, s in solids.items()})


@dataclass(frozen=True)
class _Solid:
    """A mesh in the camera frame: (V, 3) points in metres, (F, 3) faces."""

    points: Points
    faces: npt.NDArray[np.int32]

    def trace(self, camera: Camera, box: Box) -> npt.NDArray[np.bool_]:
        """(h, w) bool: which pixel centres of the box does the solid, alone, cover."""
        rays = _directions(camera, box)
        hit = _tracer([self]).run(np.zeros_like(rays), rays, query="OCCLUDED")
        return np.asarray(hit != -1).reshape(box[3] - box[1], box[2] - box[0])


def _tracer(solids: Iterable[_Solid]) -> rtcore_scene.EmbreeScene:
    """An Embree scene in which each solid is the geometry of its position.

    Robust, because a ray along a shared edge must not slip through between two triangles. Indexed, because that is
    built twice as fast as loose triangles are (0.11 against 0.18 CPU s for 140,000).
    """
    tracer = rtcore_scene.EmbreeScene(robust=True)
    for solid in solids:
        TriangleMesh(tracer, solid.points, solid.faces)
    return tracer


def _nearest(scene: Scene, solids: Mapping[int, _Solid]) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    """First hits over the whole image: object ids (0: surface or nothing) and depths."""
    camera = scene.camera
    parts = dict(solids)
    if scene.surface is not None:
        slab = surface_mesh(scene.surface)
        parts[0] = _Solid(_to_camera(slab.vertices, camera), slab.faces)
    shape = (camera.height, camera.width)
    if not parts:
        return np.zeros(shape, np.uint16), np.full(shape, np.inf, np.float32)
    rays = _directions(camera, (0, 0, camera.width, camera.height))
    hits = _tracer(parts.values()).run(np.zeros_like(rays), rays, query="INTERSECT", output=1)
    geometry, far = np.asarray(hits["geomID"]), np.asarray(hits["tfar"])
    missed = geometry == -1
    ids = np.where(missed, 0, np.fromiter(parts, np.uint16)[geometry]).astype(np.uint16)
    # Directions have z = 1, so the ray parameter is the depth along the optical axis.
    depth = np.where(missed, np.inf, far).astype(np.float32)
    return ids.reshape(shape), depth.reshape(shape)


def _amodal(solid: _Solid, camera: Camera) -> AmodalMask:
    w, h = camera.width, camera.height
    x0, y0, x1, y1 = box = _pixel_box(solid.points, camera)
    if x0 >= x1 or y0 >= y1:
        return AmodalMask(0, 0, np.zeros((0, 0), bool), 0)
    covered = solid.trace(camera, box)
    total = int(covered.sum())
    left, top = max(x0, 0), max(y0, 0)
    inside = covered[top - y0 : min(y1, h) - y0, left - x0 : min(x1, w) - x0] if left < w and top < h else covered[:0]
    if not inside.any():
        return AmodalMask(0, 0, np.zeros((0, 0), bool), total)
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    crop = inside[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return AmodalMask(left + int(cols[0]), top + int(rows[0]), np.ascontiguousarray(crop), total)


def _object_points(obj: SceneObject, mesh: Mesh, camera: Camera) -> Points:
    pose = obj.pose
    return _to_camera(mesh.vertices * obj.scale @ pose[:3, :3].T + pose[:3, 3], camera)


def _to_camera(world: npt.NDArray[np.float64], camera: Camera) -> Points:
    e = camera.extrinsics
    return np.asarray(world @ e[:3, :3].T + e[:3, 3], dtype=np.float32)


def _directions(camera: Camera, box: Box) -> Points:
    """(n, 3) ray directions with z = 1 through the pixel centres of a box, row by row."""
    x = (np.arange(box[0], box[2]) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(box[1], box[3]) + 0.5 - camera.cy) / camera.fy
    rays = np.empty((len(y), len(x), 3), np.float32)
    rays[..., 0], rays[..., 1], rays[..., 2] = x, y[:, None], 1.0
    return rays.reshape(-1, 3)


def _pixel_box(points: Points, camera: Camera) -> Box:
    """x0, y0, x1, y1 of the pixels that can see the points, at most one image size beyond each border."""
    w, h = camera.width, camera.height
    z = points[:, 2]
    if z.max() <= 0:
        return (0, 0, 0, 0)
    if z.min() < 1e-4:  # part of it is behind the camera: its image has no bounds
        return (-w, -h, 2 * w, 2 * h)
    u, v = camera.fx * points[:, 0] / z + camera.cx, camera.fy * points[:, 1] / z + camera.cy
    x0, x1 = int(max(np.floor(u.min()) - 1, -w)), int(min(np.ceil(u.max()) + 1, 2 * w))
    y0, y1 = int(max(np.floor(v.min()) - 1, -h)), int(min(np.ceil(v.max()) + 1, 2 * h))
    return (x0, y0, x1, y1)
