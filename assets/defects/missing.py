"""What a part should have and has not: a tooth broken off, a pip never drilled, a screw never put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...errors import AssetError
from ..defect import Defect
from ..mesh import Mesh
from ..shapes.base import Solid
from .booleans import subtracted
from .layers import Layers
from .patch_space import from_patch, in_patch
from .raster import grid, mask_of

__all__ = ["hole_layers", "pip_damage", "screw_damage", "tooth_damage"]

Vec = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: What is so near the plane of a feature lies in it, mm.
FLUSH_MM = 1e-3
#: A feature's frame is wider than the feature by this factor (`shapes.machined.screw_feature`).
ROOM = 1.05
#: Walls around a screw's head up to this far out, in head radii, were hidden by it.
BESIDE = 1.25
#: Waves of a break along the tooth's thickness, and their heights, from coarse to fine; together of deviation 1.
WAVES = ((1.0, 0.8), (1.7, 0.7), (2.9, 0.6), (5.1, 0.5), (8.3, 0.35), (13.0, 0.25))
#: Deviation of a break from flat, and how low it goes at least, in heights of the stub.
ROUGH, LOWEST = 0.28, 0.1
#: Points of a break along each side.
BREAK = 33


def tooth_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh without what stands above the plane of a "cut" feature, and a rough break there.

    `remains` of the feature's reach is left; the break leans, as a tooth's does that was bent off. More severe: less
    remains.
    """
    rng, (w, h) = np.random.default_rng(defect.seed), defect.size_mm
    lean, phases, ways = rng.uniform(-1, 1, 2), rng.uniform(0, 2 * np.pi, 6), rng.standard_normal((6, 2))
    thick = min(w, h)
    side = np.linspace(-0.5, 0.5, BREAK)
    x, y = np.meshgrid(side * w, side * h)
    rough = sum(
        share * np.sin(2 * np.pi * waves * (a * x + b * y) / (1.5 * thick) + phase)
        for (waves, share), (a, b), phase in zip(WAVES, ways, phases, strict=True)
    )
    left = defect.values["remains"] * defect.reach_mm
    level = left * (1 + 0.7 * (lean[0] * x / w + lean[1] * y / h) + ROUGH * np.asarray(rough))
    below = np.maximum(level, LOWEST * left)
    return subtracted(mesh, _slab(defect, x, y, below), defect)


def _slab(defect: Defect, x: Vec, y: Vec, below: Vec) -> Solid:
    """All above a height field up to the feature's reach and a little more, closed."""
    n = len(x)
    top = np.full_like(below, 1.2 * defect.reach_mm)
    points = np.concatenate([np.stack([x, y, z], axis=2).reshape(-1, 3) for z in (below, top)])
    at = np.arange(n * n).reshape(n, n)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]
    low = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, c, b), (a, d, c))])
    rim = np.concatenate([at[0, :-1], at[:-1, -1], at[-1, :0:-1], at[:0:-1, 0]])
    ahead = np.roll(rim, -1)
    up = n * n
    sides = np.concatenate([np.stack([rim, ahead, ahead + up], 1), np.stack([rim, ahead + up, rim + up], 1)])
    faces = np.concatenate([low, low[:, ::-1] + up, sides])
    return from_patch(defect, points), faces.astype(np.int32)


def pip_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with a recess filled up to the plane of a "fill" feature, in the part that lies around it.

    The faces of the recess go, and the hole that they leave in the plane is closed by a fan around its middle, which
    needs a rim that is seen whole from there, as that of a pip is.

    Raises AssetError if the recess has no rim in the plane.
    """
    at = in_patch(defect, mesh.vertices)
    half = np.asarray(defect.size_mm) / 2
    near = (np.abs(at[:, :2]) <= half + FLUSH_MM).all(axis=1) & (np.abs(at[:, 2]) <= defect.reach_mm)
    deep = near & (at[:, 2] < -FLUSH_MM)
    gone = near[mesh.faces].all(axis=1) & deep[mesh.faces].any(axis=1)
    edges = mesh.faces[gone][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    count = len(mesh.vertices)
    wide = edges.astype(np.int64)  # a product of two 32-bit numbers overflows from 46,000 vertices on
    keys, back = wide[:, 0] * count + wide[:, 1], wide[:, 1] * count + wide[:, 0]
    rim = edges[~np.isin(keys, back)]
    if len(rim) < 3 or (np.abs(at[rim[:, 0], 2]) > FLUSH_MM).any():
        raise AssetError(f"{defect.kind} {defect.id}: the recess has no rim in the plane of its feature")
    kept = ~gone
    middle = mesh.vertices[rim[:, 0]].mean(axis=0)
    fan = np.column_stack([rim, np.full(len(rim), count)])
    around = kept & np.isin(mesh.faces, rim).sum(axis=1).astype(bool)
    part = np.bincount(mesh.face_part[around]).argmax()
    defects = np.zeros(len(mesh.faces), np.uint16) if mesh.face_defect is None else mesh.face_defect
    uv = None
    if mesh.uv is not None:
        uv = np.concatenate([mesh.uv[kept], np.zeros((len(fan), 3, 2), np.float32)])
    return replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, middle[None]]),
        faces=np.concatenate([mesh.faces[kept], fan]).astype(np.int32),
        face_part=np.concatenate([mesh.face_part[kept], np.full(len(fan), part, np.uint8)]),
        face_defect=np.concatenate([defects[kept], np.full(len(fan), defect.id, np.uint16)]),
        uv=uv,
    )


def screw_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh without the closed body that lies in the box of a "remove" feature; its hole and recess show.

    What lies below the head is the defect by `hole_layers`; the walls beside the head by `face_defect`.

    Raises AssetError if no body lies in the box as a whole.
    """
    at = in_patch(defect, mesh.vertices)
    half = np.array([*(s / 2 for s in defect.size_mm), defect.reach_mm])
    inside = (np.abs(at) <= half + FLUSH_MM).all(axis=1)
    f = mesh.faces
    ends = np.concatenate([f[:, [0, 1]], f[:, [1, 2]]])
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(at),) * 2)
    bodies, body = connected_components(graph, directed=False)
    whole = np.ones(bodies, bool)
    np.logical_and.at(whole, body, inside)
    gone = whole[body[f[:, 0]]]
    if not gone.any() or gone.all():
        raise AssetError(f"{defect.kind} {defect.id}: no body of its own lies in the box of its feature")
    top = float(at[f[gone].ravel(), 2].max())
    beside = ~gone & _walls(at[f], defect, top)
    defects = np.zeros(len(f), np.uint16) if mesh.face_defect is None else mesh.face_defect.copy()
    defects[beside] = defect.id
    kept = ~gone
    used = np.zeros(len(at), bool)
    used[f[kept]] = True
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=(np.cumsum(used) - 1)[f[kept]].astype(np.int32),
        face_part=mesh.face_part[kept],
        face_defect=defects[kept],
        uv=None if mesh.uv is None else mesh.uv[kept],
    )


def _walls(corners: Vec, defect: Defect, top: float) -> Bools:
    """(F,) steep faces around a head: between its seat and its upper side, a little farther out than it."""
    out = np.hypot(corners[..., 0], corners[..., 1]).max(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    steep = np.abs(normal[:, 2]) < 0.3 * np.linalg.norm(normal, axis=1)
    low, high = corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)
    head = min(defect.size_mm) / ROOM / 2
    return np.asarray(steep & (out <= BESIDE * head) & (low >= -FLUSH_MM) & (high <= top + 0.5))


def hole_layers(defect: Defect) -> Layers:
    """Only a mask: the disc that the head covered."""
    x, y = grid(defect.size_mm, min(defect.size_mm) / 200)
    radius = min(defect.size_mm) / ROOM / 2
    soft = 0.02 * radius
    return Layers(mask_of(np.clip((radius - np.hypot(x, y)) / soft + 0.5, 0, 1), 0.5))
