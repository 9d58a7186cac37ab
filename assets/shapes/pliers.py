"""Combination pliers, ISO 5746: two jaws, a riveted joint, and two dipped handles.

They hang head up, the peg in the crotch between the handles below the joint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, circle, fillet, from_manifold, loft, merge_parts, moved, to_manifold
from .fastener_tables import MM
from .hanging import DENSITY, balance, slab

__all__ = ["PliersParams", "pliers", "pliers_rand"]

PARTS = ("steel", "grip")
AROUND = 24
#: kg/m³ of a handle: half of it is the steel inside.
CORE = (DENSITY["steel"] + DENSITY["plastic"]) / 2
#: Middle line of a handle below the joint (x, y), half width and half thickness, in lengths of the pliers.
HANDLE = (
    (0.045, -0.085, 0.026, 0.024), (0.058, -0.13, 0.028, 0.026), (0.082, -0.2, 0.033, 0.031),
    (0.1, -0.3, 0.036, 0.034), (0.106, -0.4, 0.036, 0.034), (0.1, -0.5, 0.034, 0.032), (0.092, -0.57, 0.034, 0.032),
    (0.09, -0.61, 0.038, 0.034), (0.09, -0.63, 0.034, 0.03), (0.09, -0.638, 0.02, 0.018),
)  # fmt: skip


class PliersParams(Params):
    """Combination pliers; all dimensions are in proportion to their length."""

    length_m: Annotated[float, Field(ge=0.14, le=0.25, description="overall length; ISO 5746 has 160, 180, 200 mm")] = (
        0.18
    )


def pliers(p: PliersParams) -> Mesh:
    """Jaws towards +y, closed. Keypoints: jaw tip, joint, ends of both handles, and those of `hanging`."""
    scale = p.length_m / 0.888
    crotch, radius = np.array([0.0, -0.108]), 0.026
    body = to_manifold(slab(circle(0.088, 64), 0.056, 0.008))
    for sign in (1, -1):
        body = body + to_manifold(_half(_jaw(), 0.05, sign)) + to_manifold(_half(_neck(), 0.046, sign))
    below = np.array([(-radius, -0.3), (radius, -0.3), (radius, crotch[1]), (-radius, crotch[1])])
    body = body - to_manifold(_prism(circle(radius, 48, (0.0, -0.108)))) - to_manifold(_prism(below))
    steel = from_manifold(body)[:2]
    rivet = moved(slab(circle(0.04, 48), 0.074, 0.005), (0, 0, 0))
    grips = [_handle(1), _handle(-1)]
    pieces = [(steel, 0), (rivet, 0), *((grip, 1) for grip in grips)]
    vertices, faces, part = merge_parts([(*solid, k) for solid, k in pieces])
    points = {
        "tip": (0, 0.25, 0),
        "joint": (0, 0, 0),
        "handle_left": (-0.09, -0.638, 0),
        "handle_right": (0.09, -0.638, 0),
        "hang": (*crotch, 0),
        "hang_rim": (0, crotch[1] + radius, 0),
        "balance": balance([(solid, DENSITY["steel"] if k == 0 else CORE) for solid, k in pieces]),
    }
    keypoints = {name: np.asarray(point, dtype=np.float64) * scale for name, point in points.items()}
    return centred(vertices * scale, faces, face_part=part, part_names=PARTS, keypoints=keypoints)


def pliers_rand(rng: np.random.Generator, given: Mapping[str, object]) -> PliersParams:
    """One of the standard's lengths."""
    return PliersParams.model_validate({"length_m": float(rng.choice([160, 180, 200])) * MM, **given})


def _jaw() -> Points:
    """The right jaw: flat at the tip, then the oval that grips pipes, then the cutter; a slit is between the two."""
    slit = 0.003
    rows = [(slit, 0.02, 0), (0.075, 0.02, 0), (0.086, 0.06, 0.03), (0.068, 0.15, 0.07), (0.034, 0.25, 0.006)]
    inner = [(slit, 0.25, 0), (slit, 0.17, 0), (0.018, 0.148, 0.008), (0.018, 0.122, 0.008), (slit, 0.1, 0)]
    return fillet([*rows, *inner], support=0)


def _neck() -> Points:
    """The right side of the joint, down into the handle."""
    return fillet([(0.01, -0.02, 0), (0.03, -0.15, 0), (0.085, -0.15, 0), (0.085, -0.02, 0.02)], support=0)


def _half(outline: Points, thickness: float, sign: int) -> Solid:
    shape = outline if sign > 0 else outline[::-1] * [-1.0, 1.0]
    return slab(shape, thickness, 0.004)


def _prism(outline: Points) -> Solid:
    return loft([np.column_stack([outline, np.full(len(outline), z)]) for z in (-0.1, 0.1)])


def _handle(sign: int) -> Solid:
    """A dipped handle: ellipses across a bent middle line."""
    t = np.arange(AROUND) * 2 * np.pi / AROUND
    rows = np.array(HANDLE)
    middle = rows[:, :2] * [sign, 1.0]
    ahead = np.gradient(middle, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1)[:, None]
    rings = []
    for (x, y), (dx, dy), (_, _, wide, thick) in zip(middle, ahead, rows, strict=True):
        across = np.array([-dy, dx, 0.0])
        rings.append([x, y, 0] + wide * np.cos(t)[:, None] * across + thick * np.sin(t)[:, None] * [0.0, 0.0, 1.0])
    return loft(np.array(rings))
