"""Open trays with low walls: dice trays, parts trays, drawers' inserts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh, snap
from ..shapes.base import Params, number
from .interior import Interior, Level
from .vessel import Station, hollow, rounded_rectangle, wall_pieces

__all__ = ["PARTS", "TrayParams", "tray", "tray_interior", "tray_rand"]

PARTS = ("wall", "floor", "lining")


class TrayParams(Params):
    """Lengths in metres; `x_m` and `y_m` are the floor's, `draft_deg` how far the walls lean outwards.

    The outside's paper or lacquer goes over the rim and `band_m` down inside; what is below is the lining.
    """

    x_m: Annotated[float, Field(ge=0.03, le=2)]
    y_m: Annotated[float, Field(ge=0.03, le=2)]
    height_m: Annotated[float, Field(ge=0.005, le=0.5)]
    wall_m: Annotated[float, Field(ge=0.001, le=0.05)]
    floor_m: Annotated[float, Field(ge=0.001, le=0.05)]
    corner_m: Annotated[float, Field(ge=0, le=0.2)]
    draft_deg: Annotated[float, Field(ge=0, le=30)]
    band_m: Annotated[float, Field(gt=0, description="how far the outside's material reaches down inside")] = 0.005

    @model_validator(mode="after")
    def _fits(self) -> TrayParams:
        if self.corner_m > min(self.x_m, self.y_m) / 2:
            raise ValueError(f"corner_m may be half of the shorter side at most, got {self.corner_m:g}: lower it")
        if not min(0.4 * self.wall_m, 0.002) < self.band_m < self.height_m:
            raise ValueError(f"band_m must lie between the rim's rounding and height_m, got {self.band_m:g}")
        return self

    @property
    def lean_m(self) -> float:
        """How much farther out the wall stands at the rim than at the floor."""
        return float(self.height_m * np.tan(np.deg2rad(self.draft_deg)))


def tray(p: TrayParams) -> Mesh:
    """A tray whose floor's top is z = 0, its rim rounded; parts `wall`, `floor` and `lining`."""
    r = min(0.4 * p.wall_m, 0.002)
    h, lean, wall = p.height_m, p.lean_m, p.wall_m
    base, round_ = wall + 0.0, np.deg2rad(np.linspace(0.0, 90.0, 4))
    outer = [(lean + wall - r + r * np.cos(t), h - r + r * np.sin(t)) for t in round_]
    inner = [(lean + r - r * np.sin(t), h - r + r * np.cos(t)) for t in round_]
    profile = [
        Station(base - r, -p.floor_m),
        Station(base, -p.floor_m + r),
        Station(base + 2 * r * (lean / h), -p.floor_m + 3 * r),
        *(Station(float(o), float(z)) for o, z in outer),
        *(Station(float(o), float(z)) for o, z in inner),
        Station(lean * (1 - p.band_m / h), h - p.band_m, 2),
        Station(0.0, 0.0, 1),
        Station(-r, 0.0, 1),
    ]
    vertices, faces, part = hollow(p.x_m, p.y_m, p.corner_m, profile, floor_part=1)
    return Mesh(snap(vertices), faces, part, PARTS)


def tray_interior(p: TrayParams) -> Interior:
    """Floor and walls; things must stay between the walls."""
    x, y, lean = p.x_m, p.y_m, p.lean_m
    rim = rounded_rectangle(x + 2 * lean, y + 2 * lean, p.corner_m + lean)
    pieces = wall_pieces(rounded_rectangle(x, y, p.corner_m), rim, p.height_m)
    floor = Level(0.0, (-x / 2, -y / 2), (x / 2, y / 2))
    low, high = (-x / 2 - lean, -y / 2 - lean, 0.0), (x / 2 + lean, y / 2 + lean, p.height_m)
    return Interior(p.floor_m, low, high, pieces, levels=(floor,))


def tray_rand(rng: np.random.Generator, given: Mapping[str, object]) -> TrayParams:
    """A tray between the sizes of a dice tray (20 cm) and of a drawer's (40 cm)."""
    x, aspect, height, wall, corner, draft = rng.uniform(
        [0.2, 0.6, 0.02, 0.002, 0.0, 0.0], [0.4, 0.9, 0.06, 0.006, 0.02, 6.0]
    ).tolist()
    x = number(given, "x_m", x)
    drawn = {"x_m": x, "y_m": aspect * x, "height_m": height, "wall_m": wall, "floor_m": wall, "corner_m": corner}
    return TrayParams.model_validate({**drawn, "draft_deg": draft, **given})
