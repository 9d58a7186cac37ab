"""An L-bracket made as in a workshop: a blank is cut, holes and slots are punched, edges broken, then it is bent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, Points, Solid, arc, centred, circle, fillet, number
from .completed import completed, within
from .plate import rounded_extrude

__all__ = ["BracketParams", "bracket", "bracket_rand"]

BEND_SEGMENTS = 8


class BracketParams(Params):
    """An angle bracket of sheet metal; leg a lies flat, leg b stands up. Lengths are outside lengths.

    Leg a has round holes in a grid of `rows` along and `columns` across; leg b has the same grid, as slots when
    `slot_m` is over 0.
    """

    leg_a_m: Annotated[float, Field(gt=0, le=0.5, description="outside length of the flat leg")] = 0.05
    leg_b_m: Annotated[float, Field(gt=0, le=0.5, description="outside height of the standing leg")] = 0.05
    width_m: Annotated[float, Field(gt=0, le=0.5)] = 0.035
    thickness_m: Annotated[float, Field(ge=0.0005, le=0.012, description="sheet thickness")] = 0.0025
    bend_m: Annotated[float, Field(gt=0, description="inside radius of the bend")] = 0.003
    corner_m: Annotated[float, Field(gt=0, description="radius of the blank's corners")] = 0.004
    hole_m: Annotated[float, Field(gt=0, description="diameter of holes, width of slots")] = 0.0055
    slot_m: Annotated[float, Field(ge=0, description="length by which a slot exceeds a round hole")] = 0.0
    rows: Annotated[int, Field(ge=1, le=4)] = 2
    columns: Annotated[int, Field(ge=1, le=3)] = 1

    @property
    def edge_m(self) -> float:
        """Radius of the broken edges: an eighth of the thickness, 0.4 mm at most."""
        return min(self.thickness_m / 8, 0.0004)

    @model_validator(mode="after")
    def _blank_fits(self) -> BracketParams:
        margin = 0.2 * self.hole_m
        if 2 * self.corner_m >= 0.98 * min(self.width_m, self.flat_a, self.flat_b):
            raise ValueError(
                f"corner_m {self.corner_m} does not fit the legs: lower it, or lengthen width_m or the legs"
            )
        if self.corner_m < 3 * self.edge_m:
            raise ValueError(f"corner_m {self.corner_m} must be at least {3 * self.edge_m:.5f} (3 edge radii)")
        if self.width_m / self.columns < self.hole_m + 2 * margin:
            raise ValueError(f"{self.columns} columns of {self.hole_m} m holes do not fit width_m {self.width_m}")
        for name, flat, extra in (("leg_a_m", self.flat_a, 0.0), ("leg_b_m", self.flat_b, self.slot_m)):
            if flat / self.rows < self.hole_m + extra + 2 * margin:
                raise ValueError(f"{self.rows} rows of holes do not fit the {flat:.4f} m flat part of {name}")
        return self

    @property
    def flat_a(self) -> float:
        """Length of leg a up to the bend, metres."""
        return self.leg_a_m - self.thickness_m - self.bend_m

    @property
    def flat_b(self) -> float:
        """Length of leg b from the bend, metres."""
        return self.leg_b_m - self.thickness_m - self.bend_m

    @property
    def bend_length(self) -> float:
        """Length of blank that goes into the bend: a quarter circle of the middle fibre (K factor 1/2), metres."""
        return (self.bend_m + self.thickness_m / 2) * np.pi / 2


def bracket(p: BracketParams) -> Mesh:
    """The bracket: leg a along −x in the plane of z, leg b up.

    Keypoints: bend (outside of the bend, mid-width), corner_a_0/1 and corner_b_0/1 (where a leg's outside corners would
    be if they were sharp), hole_a and hole_b (centre of each leg's first hole, mid-sheet).
    """
    end = p.bend_length + p.flat_b
    half, r = p.width_m / 2, p.corner_m
    outer = fillet([(-p.flat_a, -half, r), (end, -half, r), (end, half, r), (-p.flat_a, half, r)], 6)
    grid_a, grid_b = _grid(p, -p.flat_a, 0.0), _grid(p, p.bend_length, end)
    holes = [circle(p.hole_m / 2, 28, at)[::-1] for at in grid_a]
    holes += [_slot(p.hole_m, p.slot_m, at)[::-1] for at in grid_b]
    blank = rounded_extrude(outer, holes, p.thickness_m, p.edge_m, 2)
    v, f = _split(
        blank, [-p.bend_m / 3, *np.linspace(0, p.bend_length, BEND_SEGMENTS + 1), end - p.flat_b + p.bend_m / 3]
    )
    marks = {
        "bend": (p.bend_length / 2, 0.0, 0.0),
        "corner_a_0": (-p.flat_a, -half, 0.0),
        "corner_a_1": (-p.flat_a, half, 0.0),
        "corner_b_0": (end, -half, 0.0),
        "corner_b_1": (end, half, 0.0),
        "hole_a": (*grid_a[0], p.thickness_m / 2),
        "hole_b": (*grid_b[0], p.thickness_m / 2),
    }
    points = {name: _bend(np.array([at]), p)[0] for name, at in marks.items()}
    return centred(_bend(v, p), f, keypoints=points, smooth_angle_deg=35)


def _grid(p: BracketParams, start: float, end: float) -> list[tuple[float, float]]:
    """Centres of one leg's holes on the blank, row by row from `start` to `end`."""
    x = start + (end - start) * (np.arange(p.rows) + 0.5) / p.rows
    y = p.width_m * ((np.arange(p.columns) + 0.5) / p.columns - 0.5)
    return [(float(a), float(b)) for a in x for b in y]


def _slot(width: float, extra: float, at: tuple[float, float]) -> Points:
    """A slot along x, counter-clockwise; a circle when `extra` is 0."""
    if extra == 0:
        return circle(width / 2, 28, at)
    x, y = at
    right = arc((x + extra / 2, y), width / 2, -90, 90, 14)
    return np.concatenate([right, arc((x - extra / 2, y), width / 2, 90, 270, 14)])


def _bend(v: Points, p: BracketParams) -> Points:
    """Bends the blank upwards around the y-parallel axis through x = 0, z = thickness + bend radius."""
    axis = p.thickness_m + p.bend_m
    angle = np.clip(v[:, 0] / p.bend_length, 0.0, 1.0) * (np.pi / 2)
    radius = axis - v[:, 2]
    x = radius * np.sin(angle) + np.minimum(v[:, 0], 0.0)
    z = axis - radius * np.cos(angle) + np.maximum(v[:, 0] - p.bend_length, 0.0)
    return np.column_stack([x, v[:, 1], z])


def _split(solid: Solid, xs: list[float]) -> Solid:
    """The same surface with every triangle cut along the planes x = c, so that bending moves vertices only."""
    for c in xs:
        solid = _split_once(solid, c)
    return solid


def _split_once(solid: Solid, c: float) -> Solid:
    v, f = solid
    side = np.where(np.abs(v[:, 0] - c) < 1e-9, 0, np.sign(v[:, 0] - c)).astype(int)[f]
    cut = (side.min(axis=1) < 0) & (side.max(axis=1) > 0)
    if not cut.any():
        return solid
    # Turn each cut triangle so that its lone or on-plane corner comes first: a | b, c, or a on the plane with b | c.
    s, t = side[cut], f[cut].astype(np.int64)
    on_plane = (s == 0).any(axis=1)
    lone = np.where(on_plane, (s == 0).argmax(axis=1), (s == -np.sign(s.sum(axis=1))[:, None]).argmax(axis=1))
    t = np.take_along_axis(t, (lone[:, None] + np.arange(3)) % 3, axis=1)
    one, two = t[on_plane], t[~on_plane]
    edges = np.sort(np.concatenate([one[:, [1, 2]], two[:, [0, 1]], two[:, [0, 2]]]), axis=1)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    a, b = v[unique[:, 0]], v[unique[:, 1]]
    fresh = a + (b - a) * ((c - a[:, 0]) / (b[:, 0] - a[:, 0]))[:, None]
    mid, ab, ac = np.split(index.reshape(-1) + len(v), [len(one), len(one) + len(two)])
    stack = [
        f[~cut],
        np.column_stack([one[:, 0], one[:, 1], mid]),
        np.column_stack([one[:, 0], mid, one[:, 2]]),
        np.column_stack([two[:, 0], ab, ac]),
        np.column_stack([ab, two[:, 1], ac]),
        np.column_stack([two[:, 1], two[:, 2], ac]),
    ]
    return np.concatenate([v, fresh]), np.concatenate(stack).astype(np.int32)


def bracket_rand(rng: np.random.Generator, given: Mapping[str, object]) -> BracketParams:
    """A bracket for M4 to M8 screws: its hole is the medium clearance hole of ISO 273, the rest follows it."""
    hole = float(rng.choice([0.0045, 0.0055, 0.0066, 0.009]))  # M4, M5, M6, M8
    leg_a, leg_b, width, thickness, corner = rng.uniform([7.5, 7.5, 4.0, 0.3, 0.5], [10, 11, 6.5, 0.5, 1.0]) * hole
    slotted = bool(rng.random() < 0.4)
    drawn: dict[str, object] = {
        "hole_m": hole,
        "leg_a_m": leg_a,
        "leg_b_m": leg_b,
        "width_m": width,
        "thickness_m": thickness,
        "bend_m": thickness * rng.uniform(0.8, 1.6),
        "corner_m": corner,
        "slot_m": hole * rng.uniform(0.4, 0.9) if slotted else 0.0,
        "rows": int(rng.integers(1, 3)),
        "columns": int(rng.integers(1, 3)) if width > 5 * hole else 1,
    }
    return completed(BracketParams, given, drawn, _fitted(rng, given, drawn))


def _fitted(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, object]
) -> Iterator[dict[str, float]]:
    """Brackets that go with what is given: with the usual number of holes if they can be, else with fewer."""
    rows, columns = (dict.fromkeys([int(number(usual, name, 1)), 1]) for name in ("rows", "columns"))
    for r, c in product(rows, columns):
        yield _around_holes(rng, given, usual, int(number(given, "rows", r)), int(number(given, "columns", c)))


def _around_holes(
    rng: np.random.Generator, given: Mapping[str, object], usual: Mapping[str, object], rows: int, columns: int
) -> dict[str, float]:
    """A bracket with so many holes: the hole follows what is given, and sets the scale of what is open.

    Each length lies between the limits that are left when those after it take as little as they can.
    """

    def drawn(name: str, low: float, high: float) -> float:
        return number(given, name, within(rng, scale * number(usual, name, low), low, high))

    legs, width = [number(given, name, 0.5) for name in ("leg_a_m", "leg_b_m")], number(given, "width_m", 0.5)
    thick, bend = number(given, "thickness_m", 0.0005), number(given, "bend_m", 0.0)
    slots, flat = [0.0, number(given, "slot_m", 0.0)], [leg - thick - bend for leg in legs]
    most = min(width / columns, *(f / rows - slot for f, slot in zip(flat, slots, strict=True))) / 1.4
    usual_hole = number(usual, "hole_m", most)
    hole = number(given, "hole_m", within(rng, min(usual_hole, *(leg / 8 for leg in legs), width / 5), 0.0, most))
    scale = hole / usual_hole
    corner = drawn("corner_m", 3 * min(thick / 8, 0.0004), 0.48 * min(width, *flat))
    needs = [max(rows * (1.4 * hole + slot), 2.05 * corner) for slot in slots]
    room = min(leg - need for leg, need in zip(legs, needs, strict=True))
    thick = drawn("thickness_m", 0.0005, min(0.012 if corner >= 0.0012 else 8 / 3 * corner, room - bend))
    bend = drawn("bend_m", 0.0, room - thick)
    slots[1] = drawn("slot_m", 0.0, (legs[1] - thick - bend) / rows - 1.4 * hole)
    needs = [max(rows * (1.4 * hole + slot), 2.05 * corner) for slot in slots]
    return {
        "leg_a_m": drawn("leg_a_m", thick + bend + needs[0], 0.5),
        "leg_b_m": drawn("leg_b_m", thick + bend + needs[1], 0.5),
        "width_m": drawn("width_m", max(1.4 * columns * hole, 2.05 * corner), 0.5),
        "thickness_m": thick,
        "bend_m": bend,
        "corner_m": corner,
        "hole_m": hole,
        "slot_m": slots[1],
        "rows": rows,
        "columns": columns,
    }
