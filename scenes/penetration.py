"""How deep things stick in each other, by their real meshes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import fcl
import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from .physics import Body

__all__ = ["deepest", "overlaps", "tree"]

Vec = npt.NDArray[np.float64]

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
    """Pair of positions → depth in metres, of all pairs whose triangles cut; the fixed mesh has position −1."""
    trees: dict[tuple[bytes, float], fcl.BVHModel] = {}
    for body in bodies:
        if (body.mesh.exact, body.scale) not in trees:
            trees[body.mesh.exact, body.scale] = tree(body.mesh.vertices * body.scale, body.mesh.faces)
    found = {}
    boxes = [_box(body, pose) for body, pose in zip(bodies, poses, strict=True)]
    objects = [
        fcl.CollisionObject(trees[body.mesh.exact, body.scale], fcl.Transform(pose[:3, :3], pose[:3, 3]))
        for body, pose in zip(bodies, poses, strict=True)
    ]
    for i, j in combinations(range(len(bodies)), 2):
        if (boxes[i][0] <= boxes[j][1]).all() and (boxes[j][0] <= boxes[i][1]).all():
            depth = _depth(objects[i], objects[j], poses[i], limit_m)
            if depth > 0:
                found[i, j] = depth
    if fixed is not None:
        wall = fcl.CollisionObject(tree(fixed.vertices, fixed.faces), fcl.Transform())
        for i, item in enumerate(objects):
            depth = _depth(item, wall, poses[i], limit_m)
            if depth > 0:
                found[i, -1] = depth
    return found


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
            free = not fcl.collide(one, two, fcl.CollisionRequest(), fcl.CollisionResult())
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


def _box(body: Body, pose: Vec) -> tuple[Vec, Vec]:
    points = body.mesh.vertices @ pose[:3, :3].T * body.scale + pose[:3, 3]
    return points.min(axis=0), points.max(axis=0)
