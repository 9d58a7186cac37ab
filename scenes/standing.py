"""Things that stand on each other: where their flat faces touch, and whether what they carry stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import ConvexHull
from shapely.affinity import affine_transform

from .placement import Item, resting
from .rest import mass_center

__all__ = ["TOUCH_M", "Standing", "balanced_on", "standing"]

Vec = npt.NDArray[np.float64]

#: What stands on a thing keeps this distance from it: a gap that no camera sees, and no triangles that coincide.
TOUCH_M = 1e-5
#: Triangles whose corners all lie this close to the highest or lowest point belong to the flat face there, metres.
FLAT_M = 5e-6
#: The mass centre keeps so far from the edge of what carries it, as a share of the root of its area.
EDGE = 0.1


@dataclass(frozen=True)
class Standing:
    """A thing at rest: `pose` (4, 4), its lowest point at `z`; areas are outlines seen from above, metres.

    Attributes:
        bottom, top: the level flat faces that it stands on and that others can stand on; empty where it has none.
        outline: convex outline of the whole thing.
        height: metres.
        center: (3,) centre of mass.
        mass: volume, m³: all things have the same density.
    """

    pose: Vec
    z: float
    bottom: shapely.Geometry
    top: shapely.Geometry
    outline: shapely.Geometry
    height: float
    center: Vec
    mass: float

    def moved(self, turn: float, to: Vec) -> Standing:
        """Turned about the vertical through its mass centre, which then lies above (x, y), standing at height z."""
        c, s = np.cos(turn), np.sin(turn)
        motion = np.eye(4)
        motion[:2, :2] = [[c, -s], [s, c]]
        motion[:2, 3] = to[:2] - motion[:2, :2] @ self.center[:2]
        motion[2, 3] = to[2] - self.z
        flat = [c, -s, s, c, *motion[:2, 3]]
        bottom, top, outline = (affine_transform(g, flat) for g in (self.bottom, self.top, self.outline))
        center = motion[:3, :3] @ self.center + motion[:3, 3]
        return Standing(motion @ self.pose, float(to[2]), bottom, top, outline, self.height, center, self.mass)


def standing(rng: np.random.Generator, item: Item) -> Standing:
    """The thing on z = 0 above the origin, as it is modelled or as it would lie when dropped (`item.pose`)."""
    pose, points = resting(rng, item), item.mesh.vertices * item.scale
    hull = ConvexHull(item.mesh.vertices)
    world = points @ pose[:3, :3].T + pose[:3, 3]
    low, high = float(world[:, 2].min()), float(world[:, 2].max())
    tri = world[item.mesh.faces]
    bottom, top = (_flat(tri[(np.abs(tri[:, :, 2] - z) < FLAT_M).all(axis=1), :, :2]) for z in (low, high))
    center = pose[:3, :3] @ mass_center(item.mesh, hull) * item.scale + pose[:3, 3]
    enclosed = float(np.einsum("ij,ij->i", tri[:, 0], np.cross(tri[:, 1], tri[:, 2])).sum() / 6)
    whole = float(hull.volume) * item.scale**3
    mass = enclosed if 1e-6 * whole < enclosed <= 1.000001 * whole else whole
    flat = world[hull.vertices, :2]
    outline = shapely.Polygon(flat[ConvexHull(flat).vertices])
    return Standing(pose, low, bottom, top, outline, high - low, center, mass)


def _flat(triangles: Vec) -> shapely.Geometry:
    """Union of (n, 3, 2) triangles."""
    polygons = [p for p in shapely.polygons(triangles) if p.area > 0] if len(triangles) else []
    return shapely.union_all(polygons, grid_size=1e-8)


def balanced_on(carrier: shapely.Geometry, upper: Standing, load: tuple[Standing, ...] = ()) -> bool:
    """Whether a thing stays on a flat area, with what it carries itself.

    It does when the common mass centre lies above the convex hull of where the two faces touch (level faces push only
    upwards, and their forces meet in one point of that hull), here by a margin.
    """
    touch = carrier.intersection(upper.bottom)
    if touch.area <= 0:
        return False
    pieces = (upper, *load)
    mass = sum(p.mass for p in pieces)
    center = sum((p.mass * p.center[:2] for p in pieces), np.zeros(2)) / mass
    hull = touch.convex_hull
    return bool(hull.buffer(-EDGE * np.sqrt(hull.area)).contains(shapely.Point(center)))
