"""Screwdrivers with a fluted plastic handle that has a hole to hang from, and a slotted or cross-recess blade.

Blades follow ISO 2380 (slotted: thickness × width) and ISO 8764 (Phillips: point number); handles are typical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, circle, from_manifold, loft, merge_parts, moved, to_manifold
from .fastener_tables import MM
from .hanging import DENSITY, balance

__all__ = ["ScrewdriverParams", "screwdriver", "screwdriver_rand"]

Tip = Literal["0.8x4", "1x5.5", "1.2x6.5", "1.6x8", "PH1", "PH2", "PH3"]
PARTS = ("handle", "blade")
AROUND = 48


class Blade(NamedTuple):
    """Millimetres: shank diameter and length, handle length and diameter, tip thickness (0: Phillips) and width."""

    d: float
    length: float
    grip: float
    grip_d: float
    thick: float
    width: float


BLADES: dict[str, Blade] = {
    "0.8x4": Blade(4, 100, 85, 24, 0.8, 4),
    "1x5.5": Blade(5.5, 125, 98, 29, 1.0, 5.5),
    "1.2x6.5": Blade(6.5, 150, 105, 33, 1.2, 6.5),
    "1.6x8": Blade(8, 175, 112, 36, 1.6, 8),
    "PH1": Blade(4.5, 80, 85, 24, 0, 0),
    "PH2": Blade(6, 100, 98, 29, 0, 0),
    "PH3": Blade(8, 150, 112, 36, 0, 0),
}
#: The handle's outline: position along it from its end, radius in radii, depth of its six flutes in radii.
GRIP = (
    (0.0, 0.45, 0.0), (0.008, 0.62, 0.0), (0.03, 0.78, 0.0), (0.07, 0.87, 0.0), (0.16, 0.9, 0.0), (0.22, 0.94, 0.0),
    (0.27, 0.98, 0.06), (0.34, 1.0, 0.13), (0.5, 1.0, 0.14), (0.64, 0.98, 0.13), (0.72, 0.88, 0.06), (0.77, 0.76, 0.0),
    (0.82, 0.66, 0.0), (0.87, 0.64, 0.0), (0.91, 0.7, 0.0), (0.95, 0.8, 0.0), (0.98, 0.8, 0.0), (0.995, 0.72, 0.0),
    (1.0, 0.6, 0.0),
)  # fmt: skip
#: The hole: its middle along the handle and its diameter, in handle lengths and diameters.
HOLE_AT, HOLE = 0.1, 0.3


class ScrewdriverParams(Params):
    """A screwdriver; all its dimensions follow from the tip."""

    tip: Annotated[Tip, Field(description="thickness × width of a slotted blade, mm, or Phillips point")] = "1x5.5"
    stretch: Annotated[float, Field(ge=0.5, le=1.1, description="length of the blade, in usual lengths")] = 1.0


def screwdriver(p: ScrewdriverParams) -> Mesh:
    """Along x, the tip at +x. Keypoints: end, neck, tip, and those of `hanging`: it hangs by the hole in its handle."""
    b = BLADES[p.tip]
    hole = max(HOLE * b.grip_d, 7.5)
    at = max(HOLE_AT * b.grip, hole * 0.5 + 4.0)
    grip = to_manifold(_along_x(_grip(b))) - to_manifold(_drill(hole / 2, at, b.grip_d))
    handle = from_manifold(grip)[:2]
    blade = moved(_along_x(_blade(b, p.stretch)), (b.grip, 0, 0))
    vertices, faces, part = merge_parts([(*handle, 0), (*blade, 1)])
    points = {
        "end": (0, 0, 0),
        "neck": (b.grip, 0, 0),
        "tip": (b.grip + p.stretch * b.length, 0, 0),
        "hang": (at, 0, 0),
        "hang_rim": (at - hole / 2, 0, 0),
        "balance": balance([(handle, DENSITY["plastic"]), (blade, DENSITY["steel"])]),
    }
    keypoints = {name: np.asarray(point, dtype=np.float64) * MM for name, point in points.items()}
    return centred(vertices * MM, faces, face_part=part, part_names=PARTS, keypoints=keypoints)


def screwdriver_rand(rng: np.random.Generator, given: Mapping[str, object]) -> ScrewdriverParams:
    """Any tip, and a blade of four fifths of the usual length up to that length."""
    drawn = {"tip": str(rng.choice(list(BLADES))), "stretch": float(rng.uniform(0.8, 1.02))}
    return ScrewdriverParams.model_validate({**drawn, **given})


def _grip(b: Blade) -> Solid:
    """The handle along z: six flutes that run out at both ends."""
    t = np.arange(AROUND) * 2 * np.pi / AROUND
    lobes = 0.5 - 0.5 * np.cos(6 * t)
    rings = []
    for along, radius, flute in GRIP:
        r = b.grip_d / 2 * (radius - flute * lobes**1.5)
        rings.append(np.column_stack([r * np.cos(t), r * np.sin(t), np.full(AROUND, along * b.grip)]))
    return loft(np.array(rings))


def _drill(radius: float, at: float, width: float) -> Solid:
    return loft([_at(circle(radius, AROUND, (at, 0.0)), z) for z in (-width, width)])


def _blade(b: Blade, stretch: float) -> Solid:
    """The shank from inside the handle to its tip, along z, the origin at the handle's front."""
    length, r = stretch * b.length, b.d / 2
    round_ = circle(r, AROUND)
    rings = [_at(round_, -0.3 * b.grip), _at(round_, 0.0)]
    if b.thick:
        flare = 2.2 * b.width
        rings += [_at(round_, length - 2.2 * flare), _at(round_, length - flare)]
        for share in (0.15, 0.35, 0.6, 0.8, 0.97, 1.0):
            half = np.array([b.width / 2, b.thick / 2]) * (1.0 if share < 1 else 0.97)
            flat = half * round_ / np.abs(round_).max(axis=1, keepdims=True)  # the circle, drawn out to a rectangle
            mix = min(1.0, share / 0.8) ** 0.7
            rings.append(_at((1 - mix) * round_ + mix * flat, length - flare * (1 - share)))
        return loft(np.array(rings))
    t = np.arange(AROUND) * 2 * np.pi / AROUND
    groove = np.maximum(np.cos(4 * t), 0.0) ** 0.7  # between the four wings
    taper = 2.0 * r
    rings.append(_at(round_, length - taper))
    for share, depth in ((0.05, 0.03), (0.3, 0.25), (0.6, 0.42), (0.9, 0.5), (1.0, 0.5)):
        radius = r * (1 - 0.68 * share) * (0.9 if share == 1 else 1.0) * (1 - depth * groove)
        ring = np.column_stack([radius * np.cos(t), radius * np.sin(t)])
        rings.append(_at(ring, length - taper * (1 - share)))
    return loft(np.array(rings))


def _at(ring: Points, z: float) -> Points:
    return np.column_stack([ring, np.full(len(ring), z)])


def _along_x(solid: Solid) -> Solid:
    """What was along z, along x."""
    return solid[0][:, [2, 0, 1]], solid[1]
