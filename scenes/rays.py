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

from ..assets.cutouts import Gaps
from ..assets.mesh import Mesh
from .bodies import bodies
from .cameras import image
from .ids import OBJECTS, split_ids
from .pixel_rays import Box, PixelRays, Points, pixel_rays
from .scene import Camera, Scene
from .sight import Sight
from .tracing import Tracer

__all__ = ["AmodalMask", "RayView", "Solid", "cast", "solids"]

#: First row, and from there on (rows, w) distances, in lengths of the rays' directions, and faces where they are asked.
Band = tuple[int, npt.NDArray[np.float32], npt.NDArray[np.int32] | None]

#: Rays traced at once, in whole rows: 30 MB. A box may hold nine times the image, and what a band gives is kept only
#: where it lies in the image.
BAND_RAYS = 1 << 20
#: A key point may lie so much below the surface and still be on it: in smallest extents of its object (facets and
#: rounded edges), and in distances (single precision).
ON_SURFACE = (0.05, 1e-5)


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
        in_sight: object id → (K,) which of its mesh's key points lie in the image with no surface before them, the
            object's own included, by more than `ON_SURFACE`. A point inside the material is out of sight. Parts that
            are looked through hide nothing.
        triangle: (h, w) int32 face of the seen mesh, −1 where nothing is; None when it was not asked for.
    """

    ids: npt.NDArray[np.uint16]
    stuff: npt.NDArray[np.uint8]
    depth_m: npt.NDArray[np.float32]
    amodal: Mapping[int, AmodalMask]
    in_sight: Mapping[int, npt.NDArray[np.bool_]]
    triangle: npt.NDArray[np.int32] | None = None


def cast(scene: Scene, meshes: Mapping[int, Mesh], triangles: bool = False) -> RayView:
    """Cast a ray through every pixel centre; `meshes` gives each object's mesh by id (unscaled, object frame).

    Each object is traced alone, which its amodal mask needs anyway, and the nearest hit of all is what is seen.
    """
    camera = scene.camera
    view, points = pixel_rays(camera), _key_points(scene, meshes)
    seen = _Seen.nothing(camera, triangles)
    amodal: dict[int, AmodalMask] = {}
    for raw_id, solid in solids(scene, meshes):
        box = view.box(solid.points) if raw_id <= OBJECTS else (0, 0, camera.width, camera.height)
        mask = _cover(raw_id, box, solid.trace(view, box, triangles), seen)
        solid.hide(points.sight)
        if raw_id <= OBJECTS:
            amodal[raw_id] = mask
    ids, stuff = split_ids(seen.ids)
    return RayView(ids, stuff, view.depth(seen.far), amodal, points.in_sight(), seen.triangle)


def solids(scene: Scene, meshes: Mapping[int, Mesh]) -> Iterator[tuple[int, Solid]]:
    """Raw id and geometry in the camera frame of all `bodies`."""
    for body in bodies(scene, meshes):
        world = body.mesh.vertices * body.scale @ body.pose[:3, :3].T + body.pose[:3, 3]
        yield body.raw_id, Solid(_to_camera(world, scene.camera), body.mesh.faces, body.met, body.gaps)


@dataclass(frozen=True)
class _Seen:
    """The image in the making: (h, w) raw ids, distances, and faces where they are asked for."""

    ids: npt.NDArray[np.uint16]
    far: npt.NDArray[np.float32]
    triangle: npt.NDArray[np.int32] | None

    @classmethod
    def nothing(cls, camera: Camera, triangles: bool) -> _Seen:
        shape = (camera.height, camera.width)
        faces = np.full(shape, -1, np.int32) if triangles else None
        return cls(np.zeros(shape, np.uint16), np.full(shape, np.inf, np.float32), faces)


@dataclass(frozen=True)
class _KeyPoints:
    """The key points that lie in the image: what is before them, and whose they are."""

    sight: Sight
    inside: Mapping[int, npt.NDArray[np.bool_]]
    tolerance_m: npt.NDArray[np.float64]

    def in_sight(self) -> dict[int, npt.NDArray[np.bool_]]:
        clear = iter(self.sight.clear(self.tolerance_m))
        return {id_: np.array([i and bool(next(clear)) for i in inside], bool) for id_, inside in self.inside.items()}


def _key_points(scene: Scene, meshes: Mapping[int, Mesh]) -> _KeyPoints:
    camera, inside = scene.camera, {}
    found, tolerance = [np.zeros((0, 3), np.float32)], [np.zeros(0)]
    for item in scene.objects:
        mesh = meshes[item.id]
        own = np.array(list(mesh.keypoints.values()), dtype=np.float64).reshape(-1, 3) * item.scale
        points = _to_camera(own @ item.pose[:3, :3].T + item.pose[:3, 3], camera)
        at = image(camera, points.astype(np.float64))
        inside[item.id] = ((at >= 0) & (at < [camera.width, camera.height])).all(axis=1)
        points = points[inside[item.id]]
        within = ON_SURFACE[0] * mesh.extents.min() * item.scale
        found.append(points)
        tolerance.append(within + ON_SURFACE[1] * np.linalg.norm(points, axis=1))
    return _KeyPoints(Sight(np.concatenate(found)), inside, np.concatenate(tolerance))


@dataclass(frozen=True)
class Solid:
    """A mesh in the camera frame: (V, 3) points in metres, (F, 3) faces, (F,) which of them rays do not pass, holes."""

    points: Points
    faces: npt.NDArray[np.int32]
    met: npt.NDArray[np.bool_]
    gaps: Gaps | None = None

    def hide(self, sight: Sight) -> None:
        """Enter it as something that may hide points."""
        sight.look(self.points, self.faces[self.met], self.gaps and self.gaps.of(self.met))

    def trace(self, view: PixelRays, box: Box, triangles: bool) -> Iterator[Band]:
        """The box's rows from top to bottom, band by band: distances along the rays, inf where the solid is missed.

        Nothing comes where no ray can meet it.
        """
        x0, y0, x1, y1 = box
        if x0 >= x1 or y0 >= y1:
            return
        reached = np.flatnonzero(view.in_reach(self.points, self.faces) & self.met)
        faces = self.faces[reached]
        if len(faces) == 0:
            return
        tracer = Tracer(self.points, faces, self.gaps and self.gaps.of(reached))
        rows = max(1, BAND_RAYS // (x1 - x0))
        origins = np.zeros((min(rows, y1 - y0) * (x1 - x0), 3), np.float32)
        for top in range(y0, y1, rows):
            rays, blind = view.directions((x0, top, x1, min(top + rows, y1)))
            if triangles:
                far, hit = tracer.first_faces(rays, origins)
                face = reached[hit].astype(np.int32).reshape(-1, x1 - x0)
            else:
                far, face = tracer.first(rays, origins), None
            yield top, np.where(blind, np.float32(np.inf), far).reshape(-1, x1 - x0), face


def _cover(id_: int, box: Box, alone: Iterable[Band], seen: _Seen) -> AmodalMask:
    """Enter an object, traced alone over a box, into the image where it is nearest; give its amodal mask."""
    (h, w), (x0, y0, x1, y1) = seen.ids.shape, box
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
    mask, total = np.zeros((max(bottom - top, 0), max(right - left, 0)), bool), 0
    for row, band, faces in alone:
        total += int(np.isfinite(band).sum())
        first, last = max(row, top), min(row + len(band), bottom)
        if first < last and left < right:
            cut, place = np.s_[first - row : last - row, left - x0 : right - x0], np.s_[first:last, left:right]
            inside = band[cut]
            nearer = inside < seen.far[place]
            seen.ids[place][nearer], seen.far[place][nearer] = id_, inside[nearer]
            if faces is not None and seen.triangle is not None:
                seen.triangle[place][nearer] = faces[cut][nearer]
            mask[first - top : last - top] = np.isfinite(inside)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return AmodalMask(0, 0, np.zeros((0, 0), bool), total)
    crop = mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return AmodalMask(left + int(cols[0]), top + int(rows[0]), np.ascontiguousarray(crop), total)


def _to_camera(world: npt.NDArray[np.float64], camera: Camera) -> Points:
    e = camera.extrinsics
    return np.asarray(world @ e[:3, :3].T + e[:3, 3], dtype=np.float32)
