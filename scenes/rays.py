"""The ray engine: who is visible where, computed with Embree and without Blender.

One ray goes through the centre of every pixel. The engine predicts labels before a render, gives the amodal masks, and
is the second witness for the renderer's masks. Geometry is brought into the camera frame first, so rays start at the
origin, their directions depend on the intrinsics alone (`pixel_rays`), and single precision is spent near the camera.
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
from .pixel_rays import Box, PixelRays, Points, pixel_rays
from .scene import Camera, Scene, SceneObject
from .surface import surface_mesh

__all__ = ["AmodalMask", "RayView", "cast"]

#: First row, and the (rows, w) distances from there on, in lengths of the rays' directions.
Band = tuple[int, npt.NDArray[np.float32]]

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
        total: pixels it would cover if the image went on (up to one image size) beyond each border, as far as the lens
            images anything there.
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
        depth_m: (h, w) float32 metres along the optical axis, inf: nothing. What a fisheye lens sees beside or behind
            the camera, at 90° or more from the axis, has a depth of 0 or less.
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
    view = pixel_rays(camera)
    shape = (camera.height, camera.width)
    ids, far = np.zeros(shape, np.uint16), np.full(shape, np.inf, np.float32)
    amodal: dict[int, AmodalMask] = {}
    for item in scene.objects:
        solid = _Solid(_object_points(item, meshes[item.id], camera), meshes[item.id].faces)
        box = view.box(solid.points)
        amodal[item.id] = _cover(item.id, box, solid.trace(view, box), ids, far)
    for raw_id, mesh, pose in _stuff(scene):
        box = (0, 0, camera.width, camera.height)
        solid = _Solid(_to_camera(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], camera), mesh.faces)
        _cover(raw_id, box, solid.trace(view, box), ids, far)
    return RayView(*split_ids(ids), view.depth(far), amodal)


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

    def trace(self, view: PixelRays, box: Box) -> Iterator[Band]:
        """The box's rows from top to bottom, band by band: distances along the rays, inf where the solid is missed.

        Nothing comes where no ray can meet it.
        """
        x0, y0, x1, y1 = box
        faces = self.faces[view.in_reach(self.points, self.faces)] if x0 < x1 and y0 < y1 else self.faces[:0]
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
            rays, blind = view.directions((x0, top, x1, min(top + rows, y1)))
            far = tracer.run(origins[: len(rays)], rays, query="DISTANCE")
            met = (far < MISSED) & ~blind
            yield top, np.where(met, far, np.inf).astype(np.float32).reshape(-1, x1 - x0)


def _cover(
    id_: int, box: Box, alone: Iterable[Band], ids: npt.NDArray[np.uint16], far: npt.NDArray[np.float32]
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
            nearer = inside < far[place]
            ids[place][nearer], far[place][nearer] = id_, inside[nearer]
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
