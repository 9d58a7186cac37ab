"""Stacking bins of injection-moulded plastic, as parts are stored and picked from in factories.

Outer sizes are those of the Euro container system (DIN EN 13199-1: they tile a pallet of 800 × 1200 mm), heights
those sold; walls of 2–3 mm lean by 1–3° so that the mould lets go, and end in a flange with ribs below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh, snap
from ..shapes.base import Params, Solid, merge_parts, number
from .interior import Interior, Level, box_piece
from .vessel import Station, hollow, rounded_rectangle, wall_pieces

__all__ = ["PARTS", "BinParams", "bin_interior", "bin_mesh", "bin_rand"]

PARTS = ("body",)
#: Outer length and width, metres.
FOOTPRINTS = ((0.3, 0.2), (0.4, 0.3), (0.6, 0.4))
HEIGHTS = (0.075, 0.12, 0.17, 0.22)
FLOOR_M, FLANGE_M, FLANGE_HEIGHT_M, RIB_M = 0.004, 0.011, 0.014, 0.0022


class BinParams(Params):
    """Lengths in metres; `x_m`, `y_m` and `height_m` are the outer ones, over the flange."""

    x_m: Annotated[float, Field(ge=0.1, le=1.2)]
    y_m: Annotated[float, Field(ge=0.1, le=0.8)]
    height_m: Annotated[float, Field(ge=0.05, le=0.5)]
    wall_m: Annotated[float, Field(ge=0.0015, le=0.006)] = 0.0025
    draft_deg: Annotated[float, Field(ge=0.5, le=6)] = 2.0
    corner_m: Annotated[float, Field(ge=0.005, le=0.06, description="inner radius of the vertical edges")] = 0.018

    @model_validator(mode="after")
    def _fits(self) -> BinParams:
        if min(self.floor_size) < 2.2 * self.corner_m:
            raise ValueError(
                f"nothing is left of the floor, {self.floor_size} m: raise x_m and y_m, or lower draft_deg"
            )
        return self

    @property
    def depth_m(self) -> float:
        """From the rim down to the floor."""
        return self.height_m - FLOOR_M

    @property
    def lean_m(self) -> float:
        """How much farther out the wall stands at the rim than at the floor."""
        return float(self.depth_m * np.tan(np.deg2rad(self.draft_deg)))

    @property
    def floor_size(self) -> tuple[float, float]:
        """Inner x and y at the floor."""
        less = 2 * (self.lean_m + self.wall_m + FLANGE_M)
        return self.x_m - less, self.y_m - less


def bin_mesh(p: BinParams) -> Mesh:
    """A bin whose floor's top is z = 0: walls with a stacking foot, a flange around the rim, ribs below the flange."""
    (x, y), d, wall = p.floor_size, p.depth_m, p.wall_m
    slope = p.lean_m / d
    r, under = 0.0012, d - FLANGE_HEIGHT_M
    round_ = np.deg2rad(np.linspace(0.0, 90.0, 4))
    edge = p.lean_m + wall + FLANGE_M
    profile = [
        # The stacking foot is narrower by more than half of the wall, which stays closed above it.
        Station(-0.001, -FLOOR_M),
        Station(0.0, -FLOOR_M),
        Station(0.4 * wall, -FLOOR_M + 0.001),
        Station(0.4 * wall + 0.006 * slope, 0.006),
        Station(wall + 0.007 * slope, 0.007),
        Station(wall + 0.009 * slope, 0.009),
        Station(wall + under * slope - 0.001 * slope, under - 0.001),
        Station(wall + under * slope + 0.001, under),
        Station(edge - 0.5 * r, under),
        Station(edge, under + 0.5 * r),
        *(Station(float(edge - r + r * np.cos(t)), float(d - r + r * np.sin(t))) for t in round_),
        *(Station(float(p.lean_m + r - r * np.sin(t)), float(d - r + r * np.cos(t))) for t in round_),
        Station(0.006 * slope, 0.006),
        Station(0.0, 0.0),
        Station(-0.006, 0.0),
    ]
    vertices, faces, part = hollow(x, y, p.corner_m, profile, floor_part=0)
    shell = (vertices, faces, 0)
    v, f, part = merge_parts([shell, *((*rib, 0) for rib in _ribs(p, under, slope))])
    return Mesh(snap(v), f, part, PARTS)


def _ribs(p: BinParams, under: float, slope: float) -> list[Solid]:
    """Thin upright fins on the outside, from the flange a third of the way down, every 5 cm or so."""
    ribs: list[Solid] = []
    low = 0.62 * under
    for axis, (along, across) in enumerate(((p.floor_size[0], p.floor_size[1]), (p.floor_size[1], p.floor_size[0]))):
        count = max(2, round(along / 0.055))
        for at in (np.arange(count) + 0.5) / count * (along - 2 * p.corner_m) - (along / 2 - p.corner_m):
            for side in (-1.0, 1.0):
                inner = across / 2 + p.wall_m - 0.0005
                a, b = (side * (inner + low * slope), side * (inner + low * slope + 0.004))
                c, d = (side * (inner + under * slope), side * (inner + under * slope + FLANGE_M - 0.001))
                ribs.append(_fin(axis, float(at), (a, b, c, d), (low, under + 0.002)))
    return ribs


def _fin(axis: int, at: float, across: tuple[float, float, float, float], z: tuple[float, float]) -> Solid:
    """A slab `RIB_M` thick: inner and outer coordinate at its lower and at its upper end."""
    a, b, c, d = across
    corners = box_piece((at - RIB_M / 2, 0.0, 0.0), (at + RIB_M / 2, 1.0, 1.0))
    far, up = corners[:, 1] > 0.5, corners[:, 2] > 0.5
    corners[:, 1] = np.where(up, np.where(far, d, c), np.where(far, b, a))
    corners[:, 2] = np.where(up, z[1], z[0])
    if axis == 1:
        corners = corners[:, [1, 0, 2]]
    faces = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6],
                      [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32)  # fmt: skip
    # A mirrored slab, or one whose axes are exchanged, is inside out.
    if (b < a) != (axis == 1):
        faces = faces[:, ::-1]
    return corners, faces


def bin_interior(p: BinParams) -> Interior:
    """Floor and walls; things must stay between the walls."""
    (x, y), lean = p.floor_size, p.lean_m
    rim = rounded_rectangle(x + 2 * lean, y + 2 * lean, p.corner_m + lean)
    pieces = wall_pieces(rounded_rectangle(x, y, p.corner_m), rim, p.depth_m)
    low, high = (-x / 2 - lean, -y / 2 - lean, 0.0), (x / 2 + lean, y / 2 + lean, p.depth_m)
    return Interior(FLOOR_M, low, high, pieces, levels=(Level(0.0, (-x / 2, -y / 2), (x / 2, y / 2)),))


def bin_rand(rng: np.random.Generator, given: Mapping[str, object]) -> BinParams:
    """A bin of the sizes sold."""
    x, y = FOOTPRINTS[int(rng.integers(len(FOOTPRINTS)))]
    height = HEIGHTS[int(rng.integers(len(HEIGHTS)))]
    wall, draft, corner = rng.uniform([0.002, 1.0, 0.012], [0.003, 3.0, 0.025]).tolist()
    x = number(given, "x_m", x)
    drawn = {"x_m": x, "y_m": min(y, x), "height_m": height, "wall_m": wall, "draft_deg": draft, "corner_m": corner}
    return BinParams.model_validate({**drawn, **given})
