"""Round dishes and bowls: petri dishes, magnetic parts bowls, saucers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from ..mesh import Mesh, snap
from ..shapes.base import Params, arc, circle, number, revolve
from .interior import Interior, Level
from .vessel import wall_pieces

__all__ = ["PARTS", "DishParams", "dish", "dish_interior", "dish_rand"]

PARTS = ("body",)
#: Steps around the axis; the collision pieces have as many, so that they fit the visible wall exactly.
SEGMENTS = 64


class DishParams(Params):
    """Lengths in metres; `diameter_m` is the floor's, `draft_deg` how far the wall leans outwards."""

    diameter_m: Annotated[float, Field(ge=0.03, le=1)]
    height_m: Annotated[float, Field(ge=0.004, le=0.3)]
    wall_m: Annotated[float, Field(ge=0.0006, le=0.02)]
    floor_m: Annotated[float, Field(ge=0.0006, le=0.02)]
    draft_deg: Annotated[float, Field(ge=0, le=60)]

    @property
    def rim_m(self) -> float:
        """Inner radius at the rim."""
        return float(self.diameter_m / 2 + self.height_m * np.tan(np.deg2rad(self.draft_deg)))


def dish(p: DishParams) -> Mesh:
    """A dish whose floor's top is z = 0, its rim rounded."""
    floor, rim, w, h = p.diameter_m / 2, p.rim_m, p.wall_m, p.height_m
    top = arc((rim + w / 2, h), w / 2, 0.0, 180.0, 8)
    slope = (rim - floor) / h
    profile = np.concatenate([
        [(0.0, -p.floor_m), (floor + w - 0.5 * p.floor_m, -p.floor_m), (floor + w, -0.5 * p.floor_m)],
        [(floor + w + 0.02 * h * slope, 0.02 * h)],
        top,
        [(floor + 0.02 * h * slope, 0.02 * h), (floor, 0.0), (0.9 * floor, 0.0), (0.0, 0.0)],
    ])  # fmt: skip
    vertices, faces = revolve(profile, SEGMENTS)
    return Mesh(snap(vertices), faces, np.zeros(len(faces), np.uint8), PARTS)


def dish_interior(p: DishParams) -> Interior:
    """Floor and wall; things must stay within the cylinder of the rim."""
    pieces = wall_pieces(circle(p.diameter_m / 2, SEGMENTS), circle(p.rim_m, SEGMENTS), p.height_m)
    r, f = p.rim_m, p.diameter_m / 2 / np.sqrt(2)
    floor = Level(0.0, (-f, -f), (f, f))
    return Interior(p.floor_m, (-r, -r, 0.0), (r, r, p.height_m), pieces, outline="round", levels=(floor,))


def dish_rand(rng: np.random.Generator, given: Mapping[str, object]) -> DishParams:
    """A dish between a petri dish (9 cm) and a soup plate's size."""
    diameter, aspect, wall, draft = rng.uniform([0.09, 0.15, 0.0012, 3.0], [0.2, 0.35, 0.004, 25.0]).tolist()
    diameter = number(given, "diameter_m", diameter)
    drawn = {"diameter_m": diameter, "height_m": aspect * diameter, "wall_m": wall, "floor_m": wall, "draft_deg": draft}
    return DishParams.model_validate({**drawn, **given})
