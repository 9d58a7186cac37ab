"""Where on an object a defect may lie: points that the camera sees, or points all over the surface, in random order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from ..assets.edges import Creases, creases
from ..assets.mesh import Mesh
from .cameras import rays
from .rays import RayView
from .scene import Camera, Scene, SceneObject

__all__ = ["FACING", "Exposure", "Ground", "Spot"]

Vec = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: A face that the camera sees more obliquely (cosine with the ray) shows nothing of what lies on it.
FACING = 0.35
#: An edge's own region reaches so far from it, and a face begins so far from the edges, in shares of the second
#: largest extent.
NEAR_EDGE, OFF_EDGE = 0.03, 0.06
#: Edges of both senses that are so long together, in radii of the place, make it rough: a single one is 2 long.
ROUGH = 3.0
#: Points looked at together, and points of a surface that are drawn at most.
BATCH, POINTS = 2048, 8192
#: A tooth is seen when one of so many points of the object is one of it.
MANY = 20000


@dataclass(frozen=True)
class Spot:
    """A place on a mesh.

    Attributes:
        point: (3,) metres, unscaled mesh.
        normal: (3,) unit, out of the material; across an edge the mean of both sides.
        faces: the triangle it lies on, or the two beside its edge.
        rough: whether the surface around goes up and down, as on a thread (`Ground.levelled`).
    """

    point: Vec
    normal: Vec
    faces: tuple[int, ...]
    rough: bool = False


class Exposure:
    """What the camera of a scene sees of its objects."""

    def __init__(self, scene: Scene, view: RayView) -> None:
        self.camera: Camera = scene.camera
        self._view = view

    def pixels(self, item: SceneObject) -> tuple[Vec, npt.NDArray[np.int64]]:
        """(n, 2) centres of the pixels that show an object, and (n,) the faces that they show."""
        triangle = self._view.triangle
        assert triangle is not None
        rows, columns = np.nonzero((self._view.ids == item.id) & (triangle >= 0))
        return np.stack([columns + 0.5, rows + 0.5], axis=1), triangle[rows, columns].astype(np.int64)

    def shuffled(self, rng: np.random.Generator, item: SceneObject) -> tuple[Vec, npt.NDArray[np.int64]]:
        """The same in random order.

        Each pixel of the image has its own lot, so one that two processors see differently moves no other.
        """
        lots = rng.random(self._view.ids.shape)
        pixels, faces = self.pixels(item)
        order = np.argsort(lots[tuple(pixels.astype(np.int64).T[::-1])])
        return pixels[order], faces[order]

    def shows(self, item: SceneObject) -> bool:
        """Whether anything of an object is in the picture."""
        return bool((self._view.ids == item.id).any())


class Ground:
    """The surface of one object."""

    def __init__(self, item: SceneObject, mesh: Mesh) -> None:
        self.item, self.mesh = item, mesh
        a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
        n = np.cross(b - a, c - a)
        length = np.linalg.norm(n, axis=1)
        self.area = np.round(length / 2, 15)
        self.normals = n / np.maximum(length, 1e-300)[:, None]
        hidden = {*item.see_through, *item.cut_out}
        self._parts = {p: k for k, p in enumerate(mesh.part_names) if p not in hidden}

    @property
    def size_m(self) -> float:
        """The second largest extent of the unscaled mesh."""
        return float(np.sort(self.mesh.extents)[1])

    @cached_property
    def creases(self) -> Creases:
        """Its edges."""
        return creases(self.mesh)

    @cached_property
    def _edges(self) -> cKDTree | None:
        """All edges, to keep away from."""
        return cKDTree(self.creases.points) if len(self.creases.points) else None

    @cached_property
    def _rims(self) -> tuple[npt.NDArray[np.intp], cKDTree] | None:
        """The edges that stick out."""
        which = np.flatnonzero(self.creases.convex)
        return (which, cKDTree(self.creases.points[which])) if len(which) else None

    def part(self, face: int) -> str:
        """The part of the mesh to which a face belongs."""
        return self.mesh.part_names[int(self.mesh.face_part[face])]

    def on(self, parts: Collection[str]) -> Bools:
        """(F,) the faces of these parts on which labels can show anything."""
        return np.isin(self.mesh.face_part, [k for p, k in self._parts.items() if p in parts])

    def offers(self, region: str) -> bool:
        """Whether there is such a region at all."""
        if region == "edge":
            return self._rims is not None
        return region in ("all", "face") or region in self.mesh.regions

    def levelled(self, spot: Spot, radius_m: float) -> Spot:
        """The spot with the mean normal of the surface around it, where that is rough.

        On a thread or a knurl a sheet lies on the crests, not on the flank that its middle is on. There edges that
        stick out and edges that do not run side by side; a part's outer edge and the corner at a step are only one of
        them.
        """
        c = self.creases
        if len(spot.faces) > 1 or self._edges is None:
            return spot
        near = np.array(sorted(self._edges.query_ball_point(spot.point, radius_m)), np.intp)
        lengths = [2 * float(c.half_m[near[c.convex[near] == out]].sum()) for out in (True, False)]
        if round(min(lengths) / radius_m, 6) < ROUGH:
            return spot
        around = np.linalg.norm(self._middles - spot.point, axis=1) <= radius_m
        around &= self.normals @ spot.normal > -0.6  # not the far side of a thin wall
        weights = self.area[around] / max(self.area[around].sum(), 1e-300)
        mean = np.round(weights @ self.normals[around], 6)
        return replace(spot, normal=mean / np.linalg.norm(mean), rough=True) if mean.any() else spot

    @cached_property
    def _middles(self) -> Vec:
        """(F, 3) of the triangles."""
        return np.asarray(self.mesh.vertices[self.mesh.faces].mean(axis=1))

    def faces(self, exposure: Exposure, point: Vec, normal: Vec) -> bool:
        """Whether a normal at a point, (3,) metres, unscaled mesh, looks at the camera as far as defects need it."""
        toward = self._eye(exposure) - point
        return bool(np.round(normal @ toward / np.linalg.norm(toward), 9) > FACING)

    def _eye(self, exposure: Exposure) -> Vec:
        """(3,) the camera's centre, metres, unscaled mesh."""
        return np.asarray(np.linalg.inv(exposure.camera.extrinsics @ self.item.pose)[:3, 3] / self.item.scale)

    def seen_points(self, exposure: Exposure) -> Vec:
        """(n, 3) what the camera sees of it, points of pixels at even distances, metres, unscaled mesh."""
        pixels, faces = exposure.pixels(self.item)
        step = 1 + len(pixels) // MANY
        return self._met(exposure, pixels[::step], faces[::step])[0]

    def _met(self, exposure: Exposure, pixels: Vec, faces: npt.NDArray[np.int64]) -> tuple[Vec, Vec]:
        """Where rays through pixels meet faces, (n, 3), and the cosines there, below 0 where seen from outside.

        In double precision, since such points are stored.
        """
        eye, to_camera = self._eye(exposure), exposure.camera.extrinsics[:3, :3] @ self.item.pose[:3, :3]
        way = rays(exposure.camera, pixels) @ to_camera
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        n, on = self.normals[faces], self.mesh.vertices[self.mesh.faces[faces, 0]]
        slope = np.einsum("ij,ij->i", n, way)
        far = np.einsum("ij,ij->i", n, on - eye) / np.where(slope == 0, 1, slope)
        return eye + far[:, None] * way, np.round(slope, 9)

    def seen(self, rng: np.random.Generator, exposure: Exposure, allowed: Bools, region: str) -> Iterator[Spot]:
        """Places in a region that the camera sees and that face it, as likely as they are large in the picture."""
        pixels, faces = exposure.shuffled(rng, self.item)
        for k in range(0, len(pixels), BATCH):
            which = faces[k : k + BATCH]
            points, slope = self._met(exposure, pixels[k : k + BATCH], which)
            good = allowed[which] & (slope < -FACING)
            for spot in self._within(region, points[good], which[good]):
                if self.faces(exposure, spot.point, spot.normal):
                    yield spot

    def anywhere(self, rng: np.random.Generator, allowed: Bools, region: str) -> Iterator[Spot]:
        """Places in a region, as likely as they are large on the surface."""
        share = np.where(allowed, self.area, 0.0).cumsum()
        if share[-1] <= 0:
            return
        for _ in range(0, POINTS, BATCH):
            u = rng.random((BATCH, 3))
            faces = np.searchsorted(share, u[:, 0] * share[-1], side="right").clip(0, len(share) - 1)
            a, b, c = self.mesh.vertices[self.mesh.faces[faces]].transpose(1, 0, 2)
            s, t = np.sqrt(u[:, 1:2]), u[:, 2:3]  # uniform in a triangle (Osada et al. 2002, §4.2)
            yield from self._within(region, (1 - s) * a + s * (1 - t) * b + s * t * c, faces.astype(np.int64))

    def _within(self, region: str, points: Vec, faces: npt.NDArray[np.int64]) -> Iterator[Spot]:
        if region == "edge":
            yield from self._beside_edges(points)
            return
        inside = np.ones(len(points), bool)
        if region == "face" and self._edges is not None and len(points):
            inside = np.round(self._edges.query(points)[0], 9) > OFF_EDGE * self.size_m
        elif region != "all" and region != "face":
            low, high = np.asarray(self.mesh.regions[region])
            inside = ((points >= low) & (points <= high)).all(axis=1)
        for point, face in zip(points[inside], faces[inside], strict=True):
            yield Spot(np.round(point, 9), self.normals[face], (int(face),))

    def _beside_edges(self, points: Vec) -> Iterator[Spot]:
        """The feet, on edges that stick out, of the points that lie beside one."""
        if self._rims is None or len(points) == 0:
            return
        which, tree = self._rims
        far, near = (np.asarray(a) for a in tree.query(points))
        reach = NEAR_EDGE * self.size_m + self.creases.half_m[which[near]]
        for point, k in zip(points[far <= reach], which[near[far <= reach]], strict=True):
            c = self.creases
            along = float(np.clip((point - c.points[k]) @ c.ways[k], -c.half_m[k], c.half_m[k]))
            foot = c.points[k] + along * c.ways[k]
            if np.linalg.norm(point - foot) <= NEAR_EDGE * self.size_m:
                yield Spot(np.round(foot, 9), c.normals[k], (int(c.faces[k, 0]), int(c.faces[k, 1])))
