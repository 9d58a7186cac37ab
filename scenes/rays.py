"""The ray engine: who is visible where, computed with Embree and without Blender.

One ray goes through the centre of every pixel. The engine predicts labels before a render, gives the amodal masks, and
is the second witness for the renderer's masks. Geometry is brought into the camera frame first, so rays start at the
origin, their directions depend on the intrinsics alone, and single precision is spent near the camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh

from ..assets.mesh import Mesh
from .build import scene_mesh
from .ids import SURFACE, fixture_id, split_ids
from .scene import Camera, Scene, SceneObject
from .surface import surface_mesh

__all__ = ["AmodalMask", "RayView", "cast"]

Points = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]
#: First row, and the (rows, w) depths in metres from there on.
Band = tuple[int, npt.NDArray[np.float32]]

#: Nearer than this (metres) a point counts as behind the camera.
NEAR_M = 1e-4
#: Rounding of a projected vertex; single precision leaves less than a tenth of it.
MARGIN_PX = 0.01
#: Rays traced at once, in whole rows: 30 MB. A box may hold nine times the image, and what a band gives is kept only
#: where it lies in the image.
BAND_RAYS = 1 << 20
#: Embree gives 1e37 for a ray that meets nothing.
MISSED = 1e30


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
    """What the ray engine sees.

    Attributes:
        ids: (h, w) uint16 object ids, 0 where there is none.
        stuff: (h, w) uint8, see `ids.split_ids`.
        depth_m: (h, w) float32 metres along the optical axis, inf: nothing.
        amodal: object id → its mask alone.
    """

    ids: npt.NDArray[np.uint16]
    stuff: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    amodal: Mapping[int, AmodalMask]


def cast(scene: Scene, meshes: Mapping[int, Mesh]) -> RayView:
    """Cast a ray through every pixel centre; `meshes` gives each object's mesh by id (unscaled, object frame).

    Each object is traced alone, which its amodal mask needs anyway, and the nearest hit of all is what is seen.
    """
    camera = scene.camera
    shape = (camera.height, camera.width)
    ids, depth = np.zeros(shape, np.uint16), np.full(shape, np.inf, np.float32)
    amodal: dict[int, AmodalMask] = {}
    for item in scene.objects:
        solid = _Solid(_object_points(item, meshes[item.id], camera), meshes[item.id].faces)
        box = _pixel_box(solid.points, camera)
        amodal[item.id] = _cover(item.id, box, solid.trace(camera, box), ids, depth)
    for raw_id, mesh, pose in _stuff(scene):
        box = (0, 0, camera.width, camera.height)
        solid = _Solid(_to_camera(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], camera), mesh.faces)
        _cover(raw_id, box, solid.trace(camera, box), ids, depth)
    return RayView(*split_ids(ids), depth, amodal)


def _stuff(scene: Scene) -> Iterator[tuple[int, Mesh, npt.NDArray[np.float64]]]:
    """Raw id, mesh and world pose of what is no object."""
    if scene.surface is not None:
        yield SURFACE, surface_mesh(scene.surface), np.eye(4)
    for k, fixture in enumerate(scene.fixtures):
        yield fixture_id(k), scene_mesh(fixture.mesh), fixture.pose


@dataclass(frozen=True)
class _Solid:
    """A mesh in the camera frame: (V, 3) points in metres, (F, 3) faces."""

    points: Points
    faces: npt.NDArray[np.int32]

    def trace(self, camera: Camera, box: Box) -> Iterator[Band]:
        """The box's rows from top to bottom, band by band: depths at the pixel centres, inf where the solid is missed.

        Nothing comes where no ray can meet it.
        """
        x0, y0, x1, y1 = box
        faces = self.faces[self._in_reach(camera)] if x0 < x1 and y0 < y1 else self.faces[:0]
        if len(faces) == 0:
            return
        used = np.zeros(len(self.points), bool)
        used[faces] = True
        place = np.cumsum(used, dtype=np.int32) - 1
        # Robust, because a ray along a shared edge must not slip through between two triangles.
        tracer = rtcore_scene.EmbreeScene(robust=True)
        TriangleMesh(tracer, self.points[used], place[faces])
        rows = max(1, BAND_RAYS // (x1 - x0))
        origins = np.zeros((min(rows, y1 - y0) * (x1 - x0), 3), np.float32)
        for top in range(y0, y1, rows):
            rays = _directions(camera, (x0, top, x1, min(top + rows, y1)))
            # Directions have z = 1, so the distance in lengths of the direction is the depth along the optical axis.
            far = tracer.run(origins[: len(rays)], rays, query="DISTANCE")
            yield top, np.where(far < MISSED, far, np.inf).astype(np.float32).reshape(-1, x1 - x0)

    def _in_reach(self, camera: Camera) -> npt.NDArray[np.bool_]:
        """(F,) which triangles a ray through a pixel centre can meet: those whose image's extent holds a centre.

        Most triangles of a thread or a gear lie between the centres, and handing a triangle to Embree (0.75 µs) costs
        far more than this test. Triangles that reach behind the camera stay.
        """
        z = np.maximum(self.points[:, 2], NEAR_M)
        keep = (self.points[:, 2] < NEAR_M)[self.faces].any(axis=1)
        inside = np.ones(len(self.faces), bool)
        for k, (f, c) in enumerate(((camera.fx, camera.cx), (camera.fy, camera.cy))):
            at = np.float32(f) * self.points[:, k] / z + np.float32(c - 0.5)
            first, last = (np.asarray(g) for g in (np.ceil(at - MARGIN_PX), np.floor(at + MARGIN_PX)))
            a, b, d = self.faces.T
            low = np.minimum(np.minimum(first[a], first[b]), first[d])
            inside &= low <= np.maximum(np.maximum(last[a], last[b]), last[d])
        return np.asarray(inside | keep)


def _cover(
    id_: int, box: Box, alone: Iterable[Band], ids: npt.NDArray[np.uint16], depth: npt.NDArray[np.float32]
) -> AmodalMask:
    """Enter an object, traced alone over a box, into the image where it is nearest; give its amodal mask."""
    (h, w), (x0, y0, x1, y1) = ids.shape, box
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
    mask, total = np.zeros((max(bottom - top, 0), max(right - left, 0)), bool), 0
    for row, band in alone:
        total += int(np.isfinite(band).sum())
        first, last = max(row, top), min(row + len(band), bottom)
        if first < last and left < right:
            inside = band[first - row : last - row, left - x0 : right - x0]
            place = np.s_[first:last, left:right]
            nearer = inside < depth[place]
            ids[place][nearer], depth[place][nearer] = id_, inside[nearer]
            mask[first - top : last - top] = np.isfinite(inside)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return AmodalMask(0, 0, np.zeros((0, 0), bool), total)
    crop = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
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
    """x0, y0, x1, y1 of the pixels that can see the points, at most one image size beyond each border.

    x0 = x1 or y0 = y1 says that they lie farther away than that.
    """
    w, h = camera.width, camera.height
    z = points[:, 2]
    if z.max() <= 0:
        return (0, 0, 0, 0)
    if z.min() < NEAR_M:  # part of it is behind the camera: its image has no bounds
        return (-w, -h, 2 * w, 2 * h)
    u, v = camera.fx * points[:, 0] / z + camera.cx, camera.fy * points[:, 1] / z + camera.cy
    x0, x1 = int(max(np.floor(u.min()) - 1, -w)), int(min(np.ceil(u.max()) + 1, 2 * w))
    y0, y1 = int(max(np.floor(v.min()) - 1, -h)), int(min(np.ceil(v.max()) + 1, 2 * h))
    return (x0, y0, max(x0, x1), max(y0, y1))
