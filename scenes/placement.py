"""Placing objects on a surface so that their real meshes keep a distance from each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import fcl
import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from ..assets.mesh import Mesh
from ..errors import PlacementError
from .rest import rest_poses
from .scene import matrix

__all__ = ["Area", "Item", "Placer", "resting"]

Vec = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Where object centres may lie: `size` (x, y) metres around the origin, and the rules that hold there.

    `walls` (x, y), where given, is the size of the rectangle around the origin that no part of an object may leave.
    """

    size: tuple[float, float]
    density: str = "uniform"
    gap: float = 0.0005
    attempts: int = 500
    walls: tuple[float, float] | None = None


@dataclass(frozen=True)
class Item:
    """An object to place: its mesh, its scale, what it is called, and how it lies ("stable" or "upright").

    `tops` are key points of faces, one of which must look up when the object lies (see `top.uppermost`).
    """

    mesh: Mesh
    scale: float
    name: str
    pose: str = "stable"
    tops: tuple[str, ...] = ()


class Placer:
    """Places items one after the other; what is placed stays where it is."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self._placed: list[_Placed] = []

    def place(self, rng: np.random.Generator, item: Item) -> npt.NDArray[np.float64]:
        """(4, 4) world_T_object of a resting pose that keeps `area.gap` metres from everything placed before.

        Raises:
            PlacementError: no free spot was found within `area.attempts` tries.
        """
        solid = _Solid(item.mesh, item.scale)
        for attempt in range(self.area.attempts):
            # Where the middle is full, the last object would look there in vain: later attempts look everywhere.
            density = self.area.density if 2 * attempt < self.area.attempts else "uniform"
            pose = self._propose(rng, item, density)
            candidate = _Placed(solid, pose)
            if not self._within(candidate):
                continue
            if all(candidate.distance(other, self.area.gap) >= self.area.gap for other in self._placed):
                self._placed.append(candidate)
                return pose
        w, d = self.area.size
        raise PlacementError(
            f"objects must keep {self.area.gap * 1000:g} mm from each other; placed {len(self._placed)}, then found no "
            f"room for {item.name} in {self.area.attempts} attempts on {w:g} × {d:g} m: widen placement.area, lower "
            "the count, or raise placement.attempts"
        )

    def _within(self, candidate: _Placed) -> bool:
        """True when the outline keeps the gap from the walls."""
        if self.area.walls is None:
            return True
        x0, y0, x1, y1 = candidate.outline.bounds
        w, d = (side / 2 - self.area.gap for side in self.area.walls)
        return bool(-w <= x0 and -d <= y0 and x1 <= w and y1 <= d)

    def _propose(self, rng: np.random.Generator, item: Item, density: str) -> Vec:
        pose = resting(rng, item)
        yaw = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(yaw), np.sin(yaw)
        pose[:3, :3] = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ pose[:3, :3]
        pose[:2, 3] = self._spot(rng, density)
        return np.asarray(matrix(pose))

    def _spot(self, rng: np.random.Generator, density: str) -> Vec:
        # The mean of two uniforms is densest in the middle and has nothing outside.
        draws = rng.uniform(-0.5, 0.5, (1 if density == "uniform" else 2, 2))
        return np.asarray(draws.mean(axis=0) * self.area.size)


def resting(rng: np.random.Generator, item: Item) -> Vec:
    """(4, 4) pose on the plane z = 0 above the origin, without a turn about the vertical: as modelled, or one in which
    it stays when dropped, as likely as that is.
    """
    pose = np.eye(4)
    height = -float(item.mesh.vertices[:, 2].min())
    if item.pose == "stable":
        rests = rest_poses(item.mesh)
        pose[:3, :3], height = rests.pose(int(rng.choice(len(rests.normals), p=rests.probabilities)))
    pose[2, 3] = height * item.scale
    return pose


class _Solid:
    """A mesh at its size, in its own frame: what all attempts to place it share."""

    def __init__(self, mesh: Mesh, scale: float) -> None:
        self.points, self.faces = mesh.vertices * scale, mesh.faces

    @cached_property
    def corners(self) -> Vec:
        """(m, 3) corners of the convex hull, metres: the outline of any pose is made of them."""
        try:
            return np.asarray(self.points[ConvexHull(self.points).vertices])
        except QhullError:  # a flat mesh has no hull in space
            return self.points

    @cached_property
    def anchors(self) -> Vec:
        """(k, 3) one vertex of each connected part: where no triangles cut, a part is inside or outside as a whole."""
        one, two = self.faces[:, :2].ravel(), self.faces[:, 1:].ravel()
        edges = coo_array((np.ones(len(one), np.int8), (one, two)), shape=(len(self.points),) * 2)
        _, part = connected_components(edges, directed=False)
        return np.asarray(self.points[np.unique(part, return_index=True)[1]])

    @cached_property
    def tree(self) -> fcl.BVHModel:
        """The triangles in a bounding-volume tree; only objects with neighbours need it."""
        model = fcl.BVHModel()
        model.beginModel(len(self.points), len(self.faces))
        model.addSubModel(self.points, self.faces)
        model.endModel()
        return model


class _Placed:
    """A solid in world coordinates, compared first by its outline on the surface, then by its triangles."""

    def __init__(self, solid: _Solid, pose: Vec) -> None:
        self.solid, self.pose, self.faces = solid, pose, solid.faces
        flat = solid.corners @ pose[:2, :3].T + pose[:2, 3]
        self.outline = shapely.Polygon(flat[ConvexHull(flat).vertices])

    @cached_property
    def points(self) -> Vec:
        """(V, 3) vertices, metres, world frame."""
        return self._to_world(self.solid.points)

    @cached_property
    def anchors(self) -> Vec:
        """(k, 3) one vertex of each connected part, metres, world frame."""
        return self._to_world(self.solid.anchors)

    def _to_world(self, points: Vec) -> Vec:
        return np.asarray(points @ self.pose[:3, :3].T + self.pose[:3, 3])

    @cached_property
    def body(self) -> fcl.CollisionObject:
        """The tree at its pose."""
        return fcl.CollisionObject(self.solid.tree, fcl.Transform(self.pose[:3, :3], self.pose[:3, 3]))

    def distance(self, other: _Placed, enough: float) -> float:
        """Smallest distance between the surfaces, metres; 0 where they cut; a value ≥ `enough` may be a bound."""
        apart = float(self.outline.distance(other.outline))
        if apart >= enough:
            return apart
        if fcl.collide(self.body, other.body, fcl.CollisionRequest(), fcl.CollisionResult()):
            return 0.0
        if self.encloses(other.anchors) or other.encloses(self.anchors):
            return 0.0
        return float(fcl.distance(self.body, other.body, fcl.DistanceRequest(), fcl.DistanceResult()))

    def encloses(self, points: Vec) -> bool:
        """True when one of the (n, 3) points lies inside."""
        near = (points > self.points.min(axis=0)) & (points < self.points.max(axis=0))
        return any(self._surrounds(point) for point in points[near.all(axis=1)])

    def _surrounds(self, point: Vec) -> bool:
        """True when a vertical ray from the point leaves through an odd number of triangles (the parity rule)."""
        a, b, c = (self.points[self.faces[:, k]] - point for k in range(3))
        u, v, w = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((b, c), (c, a), (a, b)))
        area = u + v + w
        hit = (area != 0) & (((u > 0) & (v > 0) & (w > 0)) | ((u < 0) & (v < 0) & (w < 0)))
        above = (u * a[:, 2] + v * b[:, 2] + w * c[:, 2])[hit] / area[hit] > 0
        return bool(np.count_nonzero(above) % 2)
