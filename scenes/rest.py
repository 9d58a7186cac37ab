"""How a rigid object comes to rest on a flat surface: which faces of its convex hull carry it, and how likely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from ..assets.cache import Cache
from ..assets.mesh import Mesh
from ..errors import AssetError

__all__ = ["RestPoses", "mass_center", "rest_poses"]

Vec = npt.NDArray[np.float64]
#: Hull triangles whose normals differ by less are one face: rounding makes the triangles of a flat face uneven.
SAME_FACE = np.cos(np.deg2rad(0.02))
#: A mass centre this close to an edge counts as standing on it.
BALANCED_M = 1e-9
#: How far a fall still lifts the mass centre when the object has come to lie, as a share of its largest radius. Chosen
#: so that nuts lie on a flat side almost never, and washers, gears and bearings never stand on edge.
AGITATION = 0.1
#: Lengths (metres) are compared to this many decimals. A symmetric part has equal ones everywhere, and which of two is
#: larger in its last bit depends on the processor, so it must not decide where the part lies.
DECIMALS = 12
CACHE_BYTES = 8 << 20


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
        normal = self.normals[which]
        # A half turn about x first where the face looks up: Rodrigues' formula divides by 1 + cos, which is 0 there.
        turn = np.diag([1.0, -1.0, -1.0]) if normal[2] > 0 else np.eye(3)
        rotation = _onto_down(turn @ normal) @ turn
        return rotation, -float((self.points @ rotation[2]).min())


def _onto_down(normal: Vec) -> Vec:
    """(3, 3) rotation of a unit vector that looks down already (z ≤ 0) onto −z, by Rodrigues' formula."""
    x, y, cos = -normal[1], normal[0], -normal[2]
    k = np.array([[0, 0, y], [0, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + k + k @ k / (1 + cos))


#: Not by `Mesh.sha256`, which rounds: see `Mesh.exact`.
_cache: Cache[bytes, RestPoses] = Cache(CACHE_BYTES, lambda poses: poses.points.nbytes + poses.normals.nbytes)


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


def rest_poses(mesh: Mesh) -> RestPoses:
    """All stable poses; a second call with the same mesh is cheap.

    A face carries the object when the centre of mass lies above it. Its probability is the solid angle that the face
    and the unstable faces that roll onto it subtend at the centre of mass (Goldberg et al. 1999, "Part pose
    statistics"). A pose that a small lift of the mass centre overturns into a lower one does not survive the fall, so
    washers do not stand on edge: its probability goes to the lower poses (Boothroyd & Ho 1977, "Natural resting
    aspects of parts for automatic handling", use the same energy barriers).
    """
    return _cache.get(mesh.exact, lambda: _rest_poses(mesh))


def _rest_poses(mesh: Mesh) -> RestPoses:
    try:
        hull = ConvexHull(mesh.vertices)
    except QhullError as e:
        raise AssetError(f"the mesh is flat or a line, it cannot rest on a surface (size {mesh.extents} m)") from e
    com = np.round(mass_center(mesh, hull), DECIMALS)
    face_of, normals = _merge(hull)
    angle = np.zeros(len(normals))
    np.add.at(angle, face_of, _solid_angles(mesh.vertices[hull.simplices] - com))
    edges = _edges(hull, mesh.vertices, com, face_of, normals)
    rolls = edges.rolls(len(normals))
    for _ in range(len(normals).bit_length()):  # pointer jumping: each face learns where its whole roll ends
        rolls = rolls[rolls]
    stable = rolls == np.arange(len(normals))
    heights = np.full(len(normals), np.inf)
    above = np.einsum("ij,ij->i", normals[face_of], mesh.vertices[hull.simplices[:, 0]] - com)
    heights[face_of] = np.round(above, DECIMALS)
    landed = np.where(stable, np.bincount(rolls, angle, len(normals)), 0.0)
    radius = float(np.linalg.norm(mesh.vertices[hull.vertices] - com, axis=1).max())
    landed = _settle(landed, np.where(stable, heights, np.inf), edges.barriers(heights), radius)
    return RestPoses(*_likeliest_first(normals, landed / landed.sum()), mesh.vertices[hull.vertices])


def _likeliest_first(normals: Vec, share: Vec) -> tuple[Vec, Vec]:
    """The faces that ever carry the object, and their shares: equal ones by their normals, in the same order always."""
    share, direction = np.round(share, 9), np.round(normals, 6) + 0.0
    order = np.lexsort((*direction.T[::-1], -share))[: int((share > 0).sum())]
    return normals[order], share[order] / share[order].sum()


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


@dataclass(frozen=True)
class _Edges:
    """Edges between faces, each twice, seen from either side.

    Attributes:
        face, other: (e,) the face it is seen from, and the one beyond.
        passed: (e,) metres by which the mass centre's foot on `face` lies beyond the edge; negative: inside.
        reach: (e,) metres from the mass centre to the edge's line.
        back: (e,) whether the mass centre's foot on `other` lies on that face's side of the edge.
    """

    face: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    passed: Vec
    reach: Vec
    back: npt.NDArray[np.bool_]

    def rolls(self, count: int) -> npt.NDArray[np.int64]:
        """(count,) the face each face rolls to, over the edge that the mass centre has passed farthest, or itself."""
        order = np.argsort(self.passed, kind="stable")
        rolls, worst = np.arange(count), np.full(count, -np.inf)
        rolls[self.face[order]], worst[self.face[order]] = self.other[order], self.passed[order]  # the largest stays
        return np.where(worst > BALANCED_M, rolls, np.arange(count))

    def barriers(self, heights: Vec) -> list[tuple[float, int, int]]:
        """(height of the mass centre at the worst moment, face, other) of tipping over each edge, lowest first."""
        over_the_top = (self.passed < 0) & self.back
        flat = np.maximum(heights[self.face], heights[self.other])
        top = np.where(over_the_top, self.reach, flat)
        order = np.argsort(top, kind="stable")
        return list(zip(top[order].tolist(), self.face[order].tolist(), self.other[order].tolist(), strict=True))


def _edges(hull: ConvexHull, v: Vec, com: Vec, face_of: npt.NDArray[np.int64], normals: Vec) -> _Edges:
    corners = np.array([[1, 2], [2, 0], [0, 1]])  # the edge opposite to corner k, where neighbour k lies
    face, other = np.repeat(face_of, 3), face_of[hull.neighbors.ravel()]
    a, b = (v[hull.simplices[:, corners[:, k]].ravel()] for k in (0, 1))
    inside = v[hull.simplices.ravel()] - a
    along = (b - a) / np.maximum(np.linalg.norm(b - a, axis=1), 1e-12)[:, None]

    def beyond(normal: Vec, sign: float) -> Vec:
        out = np.cross(normal, along)
        out *= np.where(np.einsum("ij,ij->i", inside, np.cross(normals[face], along)) > 0, -sign, sign)[:, None]
        return np.asarray(np.round(np.einsum("ij,ij->i", com - a, out), DECIMALS))

    passed, back = beyond(normals[face], 1.0), beyond(normals[other], -1.0) < 0
    reach = np.round(np.linalg.norm(np.cross(com - a, along), axis=1), DECIMALS)
    keep = face != other
    return _Edges(face[keep], other[keep], passed[keep], reach[keep], back[keep])


def _settle(landed: Vec, heights: Vec, barriers: list[tuple[float, int, int]], radius: float) -> Vec:
    """Move the probability of poses that a lift by `AGITATION` · radius overturns to the lowest poses within its reach.

    `heights` (n,) is the mass centre's height on each face, infinite on unstable ones. Kruskal's flooding: faces join
    in the order of the barriers between them, and each face is looked up when the flood has reached its own level.
    """
    tie, lift = 1e-3 * radius, AGITATION * radius
    root = list(range(len(landed)))
    lowest: list[list[int]] = [[i] if np.isfinite(heights[i]) else [] for i in root]

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    settled, position = np.zeros(len(landed)), 0
    for face in sorted(np.flatnonzero(landed > 0).tolist(), key=lambda i: float(heights[i])):
        while position < len(barriers) and barriers[position][0] <= heights[face] + lift:
            one, two = find(barriers[position][1]), find(barriers[position][2])
            position += 1
            if one != two:
                both = lowest[one] + lowest[two]
                bottom = min((heights[i] for i in both), default=np.inf)
                root[two], lowest[two] = one, []
                lowest[one] = [i for i in both if heights[i] <= bottom + tie]
        goals = lowest[find(face)]
        goals = goals if heights[goals[0]] < heights[face] - tie else [face]
        settled[goals] += landed[face] / len(goals)
    return settled
