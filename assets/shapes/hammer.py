"""Engineer's hammers, DIN 1041: a forged head with a square face and a wedge peen on an ash handle with a hole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, circle, from_manifold, loft, merge_parts, moved, to_manifold
from .fastener_tables import MM
from .hanging import DENSITY, balance

__all__ = ["HammerParams", "hammer", "hammer_rand"]

PARTS = ("handle", "head")
#: DIN 1041: mass in grams → head length, width of the face, handle length, millimetres.
HEADS: dict[int, tuple[float, float, float]] = {200: (95, 19, 280), 300: (105, 23, 300), 500: (118, 27, 320)}
AROUND = 48
#: The handle's outline from its end: share of its length, half width and half thickness in widths of the head's face.
OUTLINE = (
    (0.0, 0.42, 0.34), (0.006, 0.52, 0.42), (0.02, 0.58, 0.46), (0.06, 0.62, 0.48), (0.15, 0.62, 0.47),
    (0.3, 0.56, 0.42), (0.5, 0.46, 0.36), (0.7, 0.4, 0.32), (0.85, 0.42, 0.32), (0.96, 0.46, 0.3), (1.0, 0.44, 0.29),
)  # fmt: skip
#: The head's outline from face to peen: share of its length, half size along the handle and across it, in half widths.
HEAD = (
    (0.0, 0.82, 0.82), (0.02, 0.95, 0.95), (0.05, 1.0, 1.0), (0.2, 1.0, 1.0), (0.3, 0.92, 0.9), (0.42, 1.02, 1.0),
    (0.58, 1.02, 1.0), (0.68, 0.92, 0.82), (0.85, 0.92, 0.5), (0.97, 0.92, 0.2), (1.0, 0.86, 0.1),
)  # fmt: skip


class HammerParams(Params):
    """A hammer; its dimensions follow from the mass of its head."""

    mass_g: Annotated[Literal[200, 300, 500], Field(description="nominal mass of the head, grams")] = 300
    hole_m: Annotated[float, Field(ge=0.006, le=0.012, description="diameter of the hole to hang from")] = 0.008


def hammer(p: HammerParams) -> Mesh:
    """Handle along x, head at +x, its face towards −y. Keypoints: end, face, peen, and those of `hanging`."""
    head_length, face, length = HEADS[p.mass_g]
    hole, at = p.hole_m / MM, 16.0
    bored = to_manifold(_handle(length, face)) - to_manifold(_prism(circle(hole / 2, AROUND, (at, 0.0)), face))
    handle = from_manifold(bored)[:2]
    middle = length - 0.55 * face
    head = moved(_head(head_length, face / 2), (middle, -0.5 * head_length, 0))
    vertices, faces, part = merge_parts([(*handle, 0), (*head, 1)])
    points = {
        "end": (0, 0, 0),
        "face": (middle, -0.5 * head_length, 0),
        "peen": (middle, 0.5 * head_length, 0),
        "hang": (at, 0, 0),
        "hang_rim": (at - hole / 2, 0, 0),
        "balance": balance([(handle, DENSITY["wood"]), (head, DENSITY["steel"])]),
    }
    keypoints = {name: np.asarray(point, dtype=np.float64) * MM for name, point in points.items()}
    return centred(vertices * MM, faces, face_part=part, part_names=PARTS, keypoints=keypoints)


def hammer_rand(rng: np.random.Generator, given: Mapping[str, object]) -> HammerParams:
    """Any mass, a hole of 7 to 9 mm."""
    drawn = {"mass_g": int(rng.choice(list(HEADS))), "hole_m": float(rng.uniform(0.007, 0.009))}
    return HammerParams.model_validate({**drawn, **given})


def _handle(length: float, face: float) -> Solid:
    t = np.arange(AROUND) * 2 * np.pi / AROUND
    rings = []
    for along, wide, thick in OUTLINE:
        x = np.full(AROUND, along * length)
        rings.append(np.column_stack([x, wide * face * np.cos(t), thick * face * np.sin(t)]))
    return loft(np.array(rings))


def _head(length: float, half: float) -> Solid:
    """Along y; sections are squares with rounded corners, the middle ones swollen around the eye."""
    t = np.arange(AROUND) * 2 * np.pi / AROUND + np.pi / AROUND
    rings = []
    for share, along, across in HEAD:
        # A superellipse: of the exponent 2 it would be an ellipse.
        c, s = np.cos(t), np.sin(t)
        round_ = (np.abs(c) ** 9 + np.abs(s) ** 9) ** (-1 / 9)
        x, z = along * half * round_ * c, across * half * round_ * s
        rings.append(np.column_stack([x, np.full(AROUND, share * length), z]))
    return loft(np.array(rings)[:, ::-1])


def _prism(outline: Points, height: float) -> Solid:
    return loft([np.column_stack([outline, np.full(len(outline), z)]) for z in (-height, height)])
