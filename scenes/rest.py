"""How a rigid object comes to rest on a flat surface: which faces of its convex hull carry it, and how likely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from ..assets.mesh import Mesh
from ..errors import AssetError

__all__ = ["RestPoses", "mass_center", "rest_poses"]

Vec = npt.NDArray[np.float64]
#: Hull triangles whose normals differ by less are one face: rounding makes the triangles of a flat face uneven.
SAME_FACE = np.cos(np.deg2rad(0.02))
#: A mass centre this close to an edge counts as standing on it.
BALANCED_M = 1e-9


@dataclass(frozen=True)
class RestPoses:
    """The stable poses of a mesh, likeliest first.

    Attributes:
        normals: (n, 3) outward normals, object frame, of the hull faces it can stand on.
        probabilities: (n,) how likely a dropped object ends on each; they sum to 1.
        points: (m, 3) the hull's corners, metres, object frame.
    """

    normals: Vec
    probabilities: Vec
    points: Vec

    def pose(self, which: int) -> tuple[Vec, float]:
        """(3, 3) rotation that turns the face down, and the height in metres of the origin above the surface then."""
        normal, down = self.normals[which], np.array([0.0, 0.0, -1.0])
        cos = float(normal @ down)
        if cos < -1 + 1e-12:
            rotation = np.diag([1.0, -1.0, -1.0])
        else:
            x, y, z = np.cross(normal, down)
            k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            rotation = np.eye(3) + k + k @ k / (1 + cos)  # Rodrigues' formula for one unit vector onto another
        return rotation, -float((self.points @ rotation[2]).min())


def mass_center(mesh: Mesh, hull: ConvexHull) -> Vec:
    """(3,) centre of mass at uniform density, metres; of the convex hull when the mesh encloses no sensible volume.

    Signed tetrahedra against the origin (the divergence theorem). The area vectors of a closed surface add up to zero;
    one that is inside out has a negative volume.
    """
    tri = mesh.vertices[mesh.faces]
    areas = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    closed = np.linalg.norm(areas.sum(axis=0)) < 1e-6 * np.linalg.norm(areas, axis=1).sum()
    volumes = np.einsum("ij,ij->i", tri[:, 0], np.cross(tri[:, 1], tri[:, 2])) / 6
    center = (volumes[:, None] * tri.sum(axis=1) / 4).sum(axis=0)
    total = float(volumes.sum())
    if closed and 1e-6 * hull.volume < total <= 1.000001 * hull.volume:
        candidate = center / total
        if np.all(hull.equations[:, :3] @ candidate + hull.equations[:, 3] <= 1e-9):
            return np.asarray(candidate)
    points = mesh.vertices[hull.simplices]
    middle = mesh.vertices[hull.vertices].mean(axis=0)
    v = np.abs(np.einsum("ij,ij->i", points[:, 0] - middle, np.cross(points[:, 1] - middle, points[:, 2] - middle)))
    return np.asarray((v[:, None] * (points.sum(axis=1) + middle) / 4).sum(axis=0) / v.sum())


def rest_poses(mesh: Mesh, sha256: str) -> RestPoses:
    """All stable poses; `sha256` is the mesh's and keys a cache.

    A face carries the object when the centre of mass lies above it. Its probability is the solid angle that the face
    and the unstable faces that roll onto it subtend at the centre of mass (Boothroyd & Ho 1977, "Natural resting
    aspects of parts for automatic handling"; rolling follows Goldberg et al. 1999, "Part pose statistics").
    """
    return _cached(_Keyed(sha256, mesh))


class _Keyed:
    """A mesh hashed by its content's name, for the cache."""

    def __init__(self, key: str, mesh: Mesh) -> None:
        self.key, self.mesh = key, mesh

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.key == self.key


@lru_cache(maxsize=512)
def _cached(keyed: _Keyed) -> RestPoses:
    mesh = keyed.mesh
    try:
        hull = ConvexHull(mesh.vertices)
    except QhullError as e:
        raise AssetError(f"the mesh is flat or a line, it cannot rest on a surface (size {mesh.extents} m)") from e
    com = mass_center(mesh, hull)
    face_of, normals = _merge(hull)
    angle = np.zeros(len(normals))
    np.add.at(angle, face_of, _solid_angles(mesh.vertices[hull.simplices] - com))
    rolls = _rolls_to(hull, mesh.vertices, com, face_of, normals)
    for _ in range(len(normals).bit_length()):  # pointer jumping: each face learns where its whole roll ends
        rolls = rolls[rolls]
    landed = np.where(rolls == np.arange(len(normals)), np.bincount(rolls, angle, len(normals)), 0.0)
    order = np.argsort(-landed, kind="stable")[: int((landed > 0).sum())]
    return RestPoses(normals[order], landed[order] / landed[order].sum(), mesh.vertices[hull.vertices])


def _merge(hull: ConvexHull) -> tuple[npt.NDArray[np.int64], Vec]:
    """Coplanar neighbours as one face: (triangles,) face index, and (faces, 3) outward normals."""
    normals = hull.equations[:, :3]
    one, two = np.repeat(np.arange(len(normals)), 3), hull.neighbors.ravel()
    same = np.einsum("ij,ij->i", normals[one], normals[two]) > SAME_FACE
    graph = coo_array((np.ones(int(same.sum())), (one[same], two[same])), shape=(len(normals), len(normals)))
    count, face_of = connected_components(graph, directed=False)
    first = np.full(count, len(normals))
    np.minimum.at(first, face_of, np.arange(len(normals)))
    return face_of.astype(np.int64), normals[first]


def _solid_angles(tri: Vec) -> Vec:
    """(n,) solid angles at the origin of (n, 3, 3) triangles (Van Oosterom & Strackee 1983)."""
    a, b, c = tri[:, 0], tri[:, 1], tri[:, 2]
    la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
    top = np.abs(np.einsum("ij,ij->i", a, np.cross(b, c)))
    dot = np.einsum("ij,ij->i", a, b) * lc + np.einsum("ij,ij->i", b, c) * la + np.einsum("ij,ij->i", c, a) * lb
    return np.asarray(2 * np.arctan2(top, la * lb * lc + dot))


def _rolls_to(
    hull: ConvexHull, v: Vec, com: Vec, face_of: npt.NDArray[np.int64], normals: Vec
) -> npt.NDArray[np.int64]:
    """For each face, the face that the object rolls to: over the edge that its mass centre has passed the farthest."""
    corners = np.array([[1, 2], [2, 0], [0, 1]])  # the edge opposite to corner k, where neighbour k lies
    face, other = np.repeat(face_of, 3), face_of[hull.neighbors.ravel()]
    a, b = (v[hull.simplices[:, corners[:, k]].ravel()] for k in (0, 1))
    side = np.cross(normals[face], b - a)
    length = np.linalg.norm(side, axis=1)
    inward = np.einsum("ij,ij->i", v[hull.simplices.ravel()] - a, side) > 0
    side *= (np.where(inward, -1.0, 1.0) / np.maximum(length, 1e-12))[:, None]  # points out of the face
    passed = np.where(face == other, -np.inf, np.einsum("ij,ij->i", com - a, side))
    order = np.argsort(passed, kind="stable")
    rolls, worst = np.arange(len(normals)), np.full(len(normals), -np.inf)
    rolls[face[order]], worst[face[order]] = other[order], passed[order]  # the largest comes last and stays
    return np.where(worst > BALANCED_M, rolls, np.arange(len(normals)))
