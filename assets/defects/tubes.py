"""Hairs and fibres: thin tubes that lie on a part and follow its surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...errors import AssetError
from ..defect import Defect
from ..material import RGB, Material
from ..materials import SEED_BOUND, material
from ..mesh import Mesh, snap
from ..shapes.base import loft
from .booleans import new_part
from .exposed import luminance
from .patch_space import from_patch, in_patch

__all__ = ["fibre_damage", "fibre_inside", "hair_damage", "hair_inside"]

Vec = npt.NDArray[np.float64]

#: Rings of a tube, and corners of a ring.
RINGS, SIDES = 160, 9
#: Off an edge a tube falls by so much per length: it is stiff.
FALLS = 0.5
#: At least so much of a tube lies on something.
LIES = 0.7
#: Waves of a tube's direction.
WAVES = 5

CLEAN: dict[str, float | RGB] = {"wear": 0.0, "dust": 0.0}
HAIRS: tuple[RGB, ...] = (
    (0.012, 0.008, 0.006),
    (0.055, 0.026, 0.012),
    (0.33, 0.20, 0.09),
    (0.55, 0.53, 0.50),
    (0.16, 0.05, 0.02),
)
LINTS: tuple[RGB, ...] = (
    (0.80, 0.80, 0.78),
    (0.02, 0.04, 0.16),
    (0.45, 0.02, 0.03),
    (0.02, 0.02, 0.02),
    (0.05, 0.25, 0.35),
    (0.42, 0.36, 0.24),
)


def hair_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with a hair on it: one long bend, an S over it, both ends a little up."""
    return _laid(mesh, defect, bend=0.9, fade=1.6)


def fibre_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with a textile fibre on it: crimped all along, as it was when it was spun."""
    return _laid(mesh, defect, bend=1.5, fade=0.55)


def hair_inside(rng: np.random.Generator, below: Material, severity: float) -> Material:
    """A hair: of a colour that is not that of what it lies on."""
    given: dict[str, float | RGB] = {"colour": _unlike(rng, below, HAIRS), "roughness": 0.32, "texture": 0.0}
    return material("plastic", given | CLEAN, int(rng.integers(SEED_BOUND)))


def fibre_inside(rng: np.random.Generator, below: Material, severity: float) -> Material:
    """Lint: dull."""
    given: dict[str, float | RGB] = {"colour": _unlike(rng, below, LINTS), "roughness": 0.8, "bloom": 0.0}
    return material("rubber", given | CLEAN, int(rng.integers(SEED_BOUND)))


def _unlike(rng: np.random.Generator, below: Material, colours: tuple[RGB, ...]) -> RGB:
    """One of the colours, not one as light as the surface."""
    own = below.values.get("colour")
    light = luminance(own) if isinstance(own, tuple) else 0.4
    order = [colours[int(k)] for k in rng.permutation(len(colours))]
    return next(c for c in order if abs(luminance(c) - light) > 0.1)


def _laid(mesh: Mesh, defect: Defect, bend: float, fade: float) -> Mesh:
    """The mesh and a tube as a body of its own, on its first surface below the patch."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    path = v["length_mm"] * _path(rng, bend, fade)
    phases, lifts = rng.uniform(0, 2 * np.pi, 3), rng.random(2)
    radius, t = v["width_mm"] / 2, np.linspace(0, 1, RINGS)
    ground = _ground(mesh, defect, path)
    if np.isfinite(ground).mean() < LIES:
        raise AssetError(f"{defect.kind} {defect.id} would hang in the air: make it shorter, or put it elsewhere")
    waves = sum(np.sin(2 * np.pi * k * t + p) for k, p in zip((1.3, 2.9, 4.6), phases, strict=True)) / 3
    ends = lifts[0] * np.clip(1 - t / 0.12, 0, 1) ** 2 + lifts[1] * np.clip((t - 0.88) / 0.12, 0, 1) ** 2
    raised = 0.9 * radius + radius * (1.2 * np.clip(waves, 0, 1) + 4 * ends)
    middle = np.column_stack([path, _draped(ground, path) + raised])
    thin = np.sqrt(np.clip(np.minimum(t, 1 - t) / 0.01, 0.02, 1))
    points, faces = loft(_rings(middle, radius * thin))
    names, part = new_part(mesh, defect)
    n, old = len(faces), len(mesh.faces)
    before = np.zeros(old, np.uint16) if mesh.face_defect is None else mesh.face_defect
    uv = None if mesh.uv is None else np.concatenate([mesh.uv, np.zeros((n, 3, 2), np.float32)])
    return replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, snap(from_patch(defect, points))]),
        faces=np.concatenate([mesh.faces, faces + len(mesh.vertices)]).astype(np.int32),
        face_part=np.concatenate([mesh.face_part, np.full(n, part, np.uint8)]),
        part_names=names,
        uv=uv,
        face_defect=np.concatenate([before, np.full(n, defect.id, np.uint16)]),
    )


def _path(rng: np.random.Generator, bend: float, fade: float) -> Vec:
    """(`RINGS`, 2) a curve of length 1 around the origin; its direction is a sum of waves, the k-th 1 / k^fade high."""
    t = np.linspace(0, 1, RINGS)
    turn = np.zeros(RINGS)
    for k in range(1, WAVES + 1):
        turn += bend * rng.uniform(0.5, 1) * np.sin(np.pi * k * t * 1.35 + rng.uniform(0, 2 * np.pi)) / k**fade
    turn -= turn.mean()
    step = np.column_stack([np.cos(turn), np.sin(turn)])[:-1] / (RINGS - 1)
    line = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])
    return np.asarray(line - line.mean(axis=0))


def _ground(mesh: Mesh, defect: Defect, path: Vec) -> Vec:
    """(n,) height of the mesh's highest surface at points (n, 2) of the patch, mm; −inf where there is none near."""
    length = defect.values["length_mm"]
    at = in_patch(defect, mesh.vertices)
    corners = at[mesh.faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    near = (low[:, :2] <= path.max(axis=0)).all(axis=1) & (high[:, :2] >= path.min(axis=0)).all(axis=1)
    near &= (low[:, 2] <= length / 2) & (high[:, 2] >= -length / 2)
    a, b, c = corners[near].transpose(1, 0, 2)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    up = area > 1e-12
    a, b, c, area = a[up], b[up], c[up], area[up]
    x, y = path[:, 0][:, None], path[:, 1][:, None]
    u = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    w = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    inside = (u >= -1e-9) & (w >= -1e-9) & (u + w <= 1 + 1e-9)
    z = a[:, 2] + u * (b[:, 2] - a[:, 2]) + w * (c[:, 2] - a[:, 2])
    z = np.where(inside & (np.abs(z) <= length / 2), z, -np.inf)
    return np.asarray(np.round(z.max(axis=1, initial=-np.inf), 9))


def _draped(ground: Vec, path: Vec) -> Vec:
    """The least height above the ground along a path that nowhere falls or rises faster than `FALLS`."""
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(step)])
    apart = FALLS * np.abs(along[:, None] - along)
    return np.asarray((ground - apart).max(axis=1))


def _rings(middle: Vec, radius: Vec) -> Vec:
    """(n, `SIDES`, 3) circles around the points of a line, square to it."""
    along = np.gradient(middle, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross((0.0, 0.0, 1.0), along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(along, side)
    angle = np.arange(SIDES) * (2 * np.pi / SIDES)
    ring = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * up[:, None]
    return np.asarray(middle[:, None] + radius[:, None, None] * ring)
