"""How deep things stick in each other, by their real meshes."""

from __future__ import annotations

from collections.abc import Sequence

import fcl
import numpy as np
import numpy.typing as npt

from ..assets.convex import convex_pieces
from ..assets.mesh import Mesh
from .physics_model import Body

__all__ = ["close_pairs", "deepest", "overlaps", "tree"]

Vec = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]

#: Contact points of a pair that are looked at for the direction in which it parts.
CONTACTS = 64


def deepest(bodies: Sequence[Body], poses: Vec, fixed: Mesh | None, limit_m: float) -> float:
    """The largest interpenetration of any two bodies, or of a body and the `fixed` mesh, metres.

    The depth of a pair is the shortest shift that parts it (the translational penetration depth). What is given is an
    upper bound of it: the first of `limit_m` · ¼, ½, 1 by which a shift along one of the pair's contact normals or of
    some axes leaves the triangles uncut; infinity where none does. 0 says that no two triangles cut.

    Args:
        poses: (n, 4, 4) rigid poses in one frame; `fixed` stands at its origin.
    """
    return max(overlaps(bodies, poses, fixed, limit_m).values(), default=0.0)


def overlaps(bodies: Sequence[Body], poses: Vec, fixed: Mesh | None, limit_m: float) -> dict[tuple[int, int], float]:
    """Pair of positions → depth in metres, of all pairs whose triangles cut; the fixed mesh has position −1.

    A pair without a cut of which one lies wholly inside the other is infinitely deep.
    """
    wall = None if fixed is None else fcl.CollisionObject(tree(fixed.vertices, fixed.faces), fcl.Transform())
    pairs = close_pairs(bodies, poses, wall)
    trees: dict[tuple[bytes, float], fcl.BVHModel] = {}
    objects = {}
    for i in sorted({i for pair in pairs for i in pair if i >= 0}):
        key = (bodies[i].mesh.exact, bodies[i].scale)
        if key not in trees:
            trees[key] = tree(bodies[i].mesh.vertices * bodies[i].scale, bodies[i].mesh.faces)
        objects[i] = fcl.CollisionObject(trees[key], fcl.Transform(poses[i][:3, :3], poses[i][:3, 3]))

    def surface(k: int) -> tuple[Vec, Faces]:
        if k < 0:
            assert fixed is not None
            return fixed.vertices, fixed.faces
        return bodies[k].mesh.vertices @ poses[k][:3, :3].T * bodies[k].scale + poses[k][:3, 3], bodies[k].mesh.faces

    found = {}
    for i, j in pairs:
        depth = _depth(objects[i], wall if j < 0 else objects[j], poses[i], limit_m)
        if not depth and _swallowed(surface(i), surface(j)):
            depth = float("inf")
        if depth > 0:
            found[i, j] = depth
    return found


def close_pairs(bodies: Sequence[Body], poses: Vec, wall: fcl.CollisionObject | None) -> list[tuple[int, int]]:
    """Pairs (i < j) of which convex pieces touch, then (i, −1) of bodies of which a piece touches the wall.

    Pieces enclose their meshes, so the meshes of all other pairs are apart. The trees of real meshes, which cost some
    30 ms each, are built for these few only.
    """
    shapes: dict[tuple[bytes, float], list[fcl.Convex]] = {}
    pieces, owner, low, high = [], [], [], []
    for i, (body, pose) in enumerate(zip(bodies, poses, strict=True)):
        corners = [piece * body.scale for piece in convex_pieces(body.mesh)]
        key = (body.mesh.exact, body.scale)
        if key not in shapes:
            # Without faces FCL looks through all corners for a support point, which is as fast and asks for no hull.
            shapes[key] = [fcl.Convex(piece, 0, np.zeros(0, dtype=np.int64)) for piece in corners]
        for shape, piece in zip(shapes[key], corners, strict=True):
            pieces.append(fcl.CollisionObject(shape, fcl.Transform(pose[:3, :3], pose[:3, 3])))
            owner.append(i)
            points = piece @ pose[:3, :3].T + pose[:3, 3]
            low.append(points.min(axis=0))
            high.append(points.max(axis=0))
    found = set()
    for a, b in _boxes_meet(np.array(low), np.array(high)):
        pair = (owner[a], owner[b])
        if pair[0] < pair[1] and pair not in found and _touch(pieces[a], pieces[b]):
            found.add(pair)
    at_wall = {i for i, piece in zip(owner, pieces, strict=True) if wall is not None and _touch(piece, wall)}
    return [*sorted(found), *((i, -1) for i in sorted(at_wall))]


def _boxes_meet(low: Vec, high: Vec) -> list[tuple[int, int]]:
    """Pairs a < b of axis-parallel boxes, (n, 3) corners each, that have a point in common."""
    meet = np.ones((len(low), len(low)), dtype=bool)
    for axis in range(3):
        meet &= low[:, None, axis] <= high[None, :, axis]
    first, second = np.nonzero(np.triu(meet & meet.T, 1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _touch(one: fcl.CollisionObject, two: fcl.CollisionObject) -> bool:
    return bool(fcl.collide(one, two, fcl.CollisionRequest(), fcl.CollisionResult()))


def _swallowed(one: tuple[Vec, Faces], two: tuple[Vec, Faces]) -> bool:
    """Whether the first corner of one surface lies in the other, by its winding number (Jacobson et al. 2013)."""
    return any(_winding(a[0][0], *b) > 0.5 for a, b in ((one, two), (two, one)))


def _winding(point: Vec, vertices: Vec, faces: Faces) -> float:
    """Share of the sphere of directions in which a surface hides the outside from a point: 1 inside, 0 outside."""
    a, b, c = (vertices[faces[:, k]] - point for k in range(3))
    x, y, z = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    dot = [(u * v).sum(axis=1) for u, v in ((a, b), (b, c), (c, a))]
    solid = np.arctan2((a * np.cross(b, c)).sum(axis=1), x * y * z + dot[0] * z + dot[1] * x + dot[2] * y)
    return float(solid.sum() / (2 * np.pi))


def _depth(one: fcl.CollisionObject, two: fcl.CollisionObject, pose: Vec, limit_m: float) -> float:
    result = fcl.CollisionResult()
    request = fcl.CollisionRequest(num_max_contacts=CONTACTS, enable_contact=True)
    if not fcl.collide(one, two, request, result):
        return 0.0
    normals = np.array([contact.normal for contact in result.contacts])
    ways = _directions(normals)
    for depth in (limit_m / 4, limit_m / 2, limit_m):
        for way in ways:
            one.setTranslation(pose[:3, 3] + depth * way)
            free = not _touch(one, two)
            one.setTranslation(pose[:3, 3])
            if free:
                return depth
    return float("inf")


def _directions(normals: Vec) -> list[Vec]:
    """Unit vectors to try, both ways: the normals' principal axes, then the axes of the frame, then single normals."""
    axes = [*np.linalg.svd(normals, full_matrices=False)[2], *np.eye(3), *normals[:6]]
    return [sign * axis / np.linalg.norm(axis) for axis in axes for sign in (1.0, -1.0) if np.linalg.norm(axis) > 0]


def tree(points: Vec, faces: npt.NDArray[np.int32]) -> fcl.BVHModel:
    """Triangles for collision queries."""
    model = fcl.BVHModel()
    model.beginModel(len(points), len(faces))
    model.addSubModel(points, faces)
    model.endModel()
    return model
