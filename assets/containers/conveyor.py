"""Small belt conveyors: a belt over two drums, a frame of aluminium sections, guide rails on posts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from ..shapes.base import Params, Solid, arc, loft, number
from .boards import Board, boards_mesh
from .interior import Interior, Level, box_piece

__all__ = ["PARTS", "ConveyorParams", "conveyor", "conveyor_interior", "conveyor_rand"]

PARTS = ("belt", "frame", "rail")
#: The belt's thickness, and the gap between its edge and the frame, metres.
BELT_M, GAP_M = 0.0025, 0.004


class ConveyorParams(Params):
    """Lengths in metres. The belt runs along x; `rail_m` is how far the guide rails stand above it, 0 for none."""

    length_m: Annotated[float, Field(ge=0.3, le=6)]
    width_m: Annotated[float, Field(ge=0.05, le=1.2, description="of the belt")]
    drum_m: Annotated[float, Field(ge=0.02, le=0.2, description="radius of the drums, half of the belt's height")] = (
        0.03
    )
    frame_m: Annotated[float, Field(ge=0.01, le=0.1, description="width of the sections on both sides")] = 0.03
    rail_m: Annotated[float, Field(ge=0, le=0.2)] = 0.03


def conveyor(p: ConveyorParams) -> Mesh:
    """A conveyor whose belt's top is z = 0; the origin is its middle."""
    return boards_mesh(_boards(p), PARTS, [(_belt(p), 0)])


def _belt(p: ConveyorParams) -> Solid:
    """The closed loop as a solid stadium: what is inside it nobody sees."""
    half, r = p.length_m / 2 - p.drum_m, p.drum_m
    steps = np.linspace(-half, half, 9)
    top = np.column_stack([steps[::-1], np.zeros(9)])
    bottom = np.column_stack([steps, np.full(9, -2 * r)])
    left, right = arc((-half, -r), r, 90.0, 270.0, 24)[1:-1], arc((half, -r), r, -90.0, 90.0, 24)[1:-1]
    outline = np.concatenate([top, left, bottom, right])
    y = p.width_m / 2
    rings = [
        np.column_stack([outline[:, 0], np.full(len(outline), at), outline[:, 1]]) for at in (y, y - 1e-3, 1e-3 - y, -y)
    ]
    return loft(np.asarray(rings))


def _boards(p: ConveyorParams) -> list[Board]:
    x, y, r = p.length_m / 2, p.width_m / 2, p.drum_m
    boards: list[Board] = []
    for side in (-1.0, 1.0):
        near, far = side * (y + GAP_M), side * (y + GAP_M + p.frame_m)
        low, high = min(near, far), max(near, far)
        boards.append(Board((-x + 0.6 * r, low, -2 * r), (x - 0.6 * r, high, 0.004), 0.002, 1))
        groove = side * (y + GAP_M + p.frame_m - 0.001)
        a, b = min(groove, groove + side * 0.004), max(groove, groove + side * 0.004)
        boards.append(Board((-x + 0.7 * r, a, -1.2 * r), (x - 0.7 * r, b, -0.8 * r), 0.0008, 2))
        if p.rail_m > 0:
            boards += _rail(p, side)
    for end in (-1.0, 1.0):
        at = end * (x - 3 * r)
        boards.append(Board((at - 0.02, -y - GAP_M, -2 * r - 0.03), (at + 0.02, y + GAP_M, -2 * r - 0.002), 0.002, 1))
    return boards


def _rail(p: ConveyorParams, side: float) -> list[Board]:
    """A flat rail above the belt's edge, held by posts that stand on the frame."""
    x, y, thick = p.length_m / 2, p.width_m / 2, 0.006
    a, b = side * (y - 0.002), side * (y - 0.002 + thick)
    rail = Board((-x + p.drum_m, min(a, b), 0.35 * p.rail_m), (x - p.drum_m, max(a, b), p.rail_m), 0.002, 2)
    posts = []
    count = max(2, round(p.length_m / 0.35))
    for at in (np.arange(count) + 0.5) / count * (p.length_m - 2 * p.drum_m) - (x - p.drum_m):
        c, d = side * (y - 0.002 + thick), side * (y + GAP_M + 0.5 * p.frame_m + 0.006)
        posts.append(
            Board((at - 0.006, min(c, d), 0.55 * p.rail_m), (at + 0.006, max(c, d), 0.55 * p.rail_m + 0.01), 0.001, 1)
        )
        e, f = side * (y + GAP_M + 0.5 * p.frame_m - 0.006), side * (y + GAP_M + 0.5 * p.frame_m + 0.006)
        posts.append(Board((at - 0.006, min(e, f), 0.003), (at + 0.006, max(e, f), 0.55 * p.rail_m + 0.01), 0.001, 1))
    return [rail, *posts]


def conveyor_interior(p: ConveyorParams) -> Interior:
    """The belt between its rails, or between its edges; it carries along +x."""
    x = p.length_m / 2 - 2 * p.drum_m
    y = p.width_m / 2 - (0.002 if p.rail_m > 0 else 0.0)
    belt = box_piece((-p.length_m / 2, -y - 0.05, -2 * p.drum_m), (p.length_m / 2, y + 0.05, 0.0))
    rails = [b.piece() for b in _boards(p) if b.part == 2 and b.high[2] > 0]
    level = Level(0.0, (-x, -y), (x, y))
    height = max(p.rail_m, 0.02)
    return Interior(
        2 * p.drum_m + 0.03, (-x, -y, 0.0), (x, y, height), (belt, *rails), levels=(level,), travel=(1.0, 0.0, 0.0)
    )


def conveyor_rand(rng: np.random.Generator, given: Mapping[str, object]) -> ConveyorParams:
    """A conveyor of 20 to 50 cm width, longer than a camera sees."""
    width, drum, rail = rng.uniform([0.2, 0.02, 0.02], [0.5, 0.04, 0.05]).tolist()
    width = number(given, "width_m", width)
    return ConveyorParams.model_validate(
        {"length_m": max(1.6, 4 * width), "width_m": width, "drum_m": drum, "rail_m": rail, **given}
    )
