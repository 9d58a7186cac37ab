"""Pegboards: perforated panels that stand upright, with pegs that things hang from.

Rasters: hardboard has round 1/4 inch holes one inch apart; steel panels (as Bott's Perfo) have 10 mm square holes 38 mm
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh, snap
from ..shapes.base import Faces, Params, Points, Solid, circle, loft, merge_parts, moved
from ..shapes.primitives import rounded_box
from .interior import Hook, Interior, box_piece

__all__ = ["PARTS", "PegboardParams", "pegboard", "pegboard_interior", "pegboard_rand"]

PARTS = ("board", "frame", "hook")
Style = Literal["hardboard", "steel"]


class Raster(NamedTuple):
    """Metres: distance of the holes, half of a hole's width, thickness of the panel, points of a hole's outline."""

    pitch: float
    half: float
    thick: float
    points: int


RASTERS: dict[str, Raster] = {
    "hardboard": Raster(0.0254, 0.0032, 0.0064, 16),
    "steel": Raster(0.038, 0.005, 0.0015, 4),
}
#: Width and depth of the bars around the panel, how far they stand out in front, and the rounding of their edges.
BAR, DEPTH, FRONT, ROUND = 0.02, 0.03, 0.004, 0.0012
#: A peg's foot: width, height, thickness; the peg leaves it so far above its lower end.
FOOT, FOOT_LOW = (0.016, 0.034, 0.0025), 0.011
#: The peg's turned-up end is so high, metres, and the wire has so many sides.
TIP, SIDES = 0.012, 24


class PegboardParams(Params):
    """A panel with `columns` × `rows` holes in a frame; its pegs are spread evenly over the holes."""

    style: Annotated[Style, Field(description="hardboard: round holes every inch; steel: square ones every 38 mm")] = (
        "hardboard"
    )
    columns: Annotated[int, Field(ge=4, le=80, description="holes in a row")]
    rows: Annotated[int, Field(ge=4, le=60, description="rows of holes")]
    hook_columns: Annotated[int, Field(ge=1, le=40, description="pegs in a row")]
    hook_rows: Annotated[int, Field(ge=1, le=10, description="rows of pegs")]
    reach_m: Annotated[float, Field(ge=0.02, le=0.2, description="free length of a peg up to its turned-up end")] = 0.05
    wire_m: Annotated[float, Field(ge=0.002, le=0.008, description="diameter of a peg")] = 0.005

    @model_validator(mode="after")
    def _fits(self) -> PegboardParams:
        for holes, hooks, name in ((self.columns, self.hook_columns, "columns"), (self.rows, self.hook_rows, "rows")):
            if 2 * hooks > holes:
                raise ValueError(f"{hooks} pegs need {2 * hooks} {name} of holes, got {holes}: lower hook_{name}")
        return self

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the panel within its frame, metres."""
        pitch = RASTERS[self.style].pitch
        return self.columns * pitch, self.rows * pitch

    @property
    def pegs(self) -> list[tuple[float, float]]:
        """(x, z) of the axis of each peg: the middle of a hole.

        Every second row is shifted by half a step, so that long things hang between the pegs below them.
        """
        pitch, (width, _) = RASTERS[self.style].pitch, self.size
        step = self.rows // self.hook_rows
        found = []
        for row in range(self.hook_rows):
            shift = 0.5 if self.hook_rows == 1 else (0.25, 0.75)[row % 2]
            columns = [int((k + shift) * self.columns / self.hook_columns) for k in range(self.hook_columns)]
            z = BAR + (self.rows - 2 - row * step + 0.5) * pitch
            found += [(-width / 2 + (c + 0.5) * pitch, z) for c in columns]
        return found


def pegboard(p: PegboardParams) -> Mesh:
    """The panel's front is the plane y = 0, its lower edge stands on z = 0; parts `board`, `frame`, `hook`."""
    pieces = [(*moved(_panel(p), (0.0, 0.0, BAR)), 0), *((*bar, 1) for bar in _frame(p))]
    hook = _hook(p)
    for x, z in p.pegs:
        pieces += [(*moved(solid, (x, 0.0, z)), 2) for solid in hook]
    vertices, faces, part = merge_parts(pieces)
    return Mesh(snap(vertices), faces, part, PARTS)


def pegboard_interior(p: PegboardParams) -> Interior:
    """The pegs. Things keep in front of the panel; nothing can be poured in."""
    (width, height), thick = p.size, RASTERS[p.style].thick
    pegs = tuple(
        Hook((x, -FOOT[2], z + p.wire_m / 2), (0.0, -1.0, 0.0), p.wire_m / 2, p.reach_m - p.wire_m) for x, z in p.pegs
    )
    low, high = (-width / 2, -p.reach_m - FOOT[2], 0.0), (width / 2, 0.0, height + 2 * BAR)
    panel = box_piece((-width / 2 - BAR, 0.0, 0.0), (width / 2 + BAR, max(thick, DEPTH - FRONT), height + 2 * BAR))
    return Interior(0.0, low, high, (panel,), hooks=pegs)


def pegboard_rand(rng: np.random.Generator, given: Mapping[str, object]) -> PegboardParams:
    """A panel of about 75 to 95 cm by 56 to 70 cm with two rows of four to five pegs."""
    style = given.get("style", ("hardboard", "steel")[int(rng.random() < 0.4)])
    pitch = RASTERS.get(str(style), RASTERS["hardboard"]).pitch
    width, height, reach, wire = rng.uniform([0.75, 0.56, 0.045, 0.004], [0.95, 0.7, 0.06, 0.0055]).tolist()
    drawn = {
        "style": style, "columns": round(width / pitch), "rows": round(height / pitch),
        "hook_columns": int(rng.integers(4, 6)), "hook_rows": 2, "reach_m": reach, "wire_m": wire,
    }  # fmt: skip
    return PegboardParams.model_validate({**drawn, **given})


def _panel(p: PegboardParams) -> Solid:
    """The perforated sheet from y = 0 to its thickness, z from 0: one closed surface."""
    r, (width, _) = RASTERS[p.style], p.size
    nx, nz = p.columns, p.rows
    x, z = np.meshgrid(np.arange(nx + 1) * r.pitch - width / 2, np.arange(nz + 1) * r.pitch, indexing="ij")
    lattice = np.stack([x.ravel(), z.ravel()], axis=1)
    hole = circle(r.half, r.points) if r.points > 4 else r.half * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    middles = (lattice.reshape(nx + 1, nz + 1, 2)[:-1, :-1] + r.pitch / 2).reshape(-1, 1, 2)
    flat = np.concatenate([lattice, (middles + hole).reshape(-1, 2)])
    ids = np.arange((nx + 1) * (nz + 1)).reshape(nx + 1, nz + 1)
    corners = np.stack([ids[1:, 1:], ids[:-1, 1:], ids[:-1, :-1], ids[1:, :-1]], axis=-1).reshape(-1, 4)
    rims = len(lattice) + np.arange(nx * nz * r.points).reshape(-1, r.points)
    front = _cell_faces(corners, rims)
    n = len(flat)
    around = np.concatenate([ids[:-1, 0], ids[-1, :-1], ids[:0:-1, -1], ids[0, :0:-1]])
    walls = [_strip(around[:, None].T, n), _strip(rims[:, ::-1], n)]
    vertices = np.concatenate([np.insert(flat, 1, depth, axis=1) for depth in (0.0, r.thick)])
    return vertices, np.concatenate([front, front[:, ::-1] + n, *walls]).astype(np.int32)


def _cell_faces(corners: Faces, rims: Faces) -> Faces:
    """Triangles of square cells (k, 4) around holes (k, points), both counter-clockwise in x and z, facing −y.

    A corner fans to its quarter of the hole, a side to the hole's point between two quarters.
    """
    points = rims.shape[1]
    out = []
    for q in range(4):
        corner, following = corners[:, q], corners[:, (q + 1) % 4]
        first = q * points // 4
        if points == 4:  # a square hole has its corners where the cell has
            out += [(corner, following, rims[:, q]), (following, rims[:, (q + 1) % 4], rims[:, q])]
            continue
        fan = [rims[:, (first + k) % points] for k in range(points // 4 + 1)]
        out += [(corner, fan[k + 1], fan[k]) for k in range(points // 4)]
        out.append((corner, following, fan[-1]))
    return np.asarray(np.concatenate([np.stack(t, axis=1) for t in out]), dtype=np.int32)


def _strip(rings: Faces, shift: int) -> Faces:
    """Walls from closed rings (k, n) of front vertices, seen counter-clockwise from the front, to those behind."""
    a, b = rings, np.roll(rings, -1, axis=1)
    quads = [np.stack([a, a + shift, b], axis=-1), np.stack([b, a + shift, b + shift], axis=-1)]
    return np.asarray(np.concatenate([q.reshape(-1, 3) for q in quads]), dtype=np.int32)


def _frame(p: PegboardParams) -> list[Solid]:
    """Four bars around the panel; the upright ones reach from bottom to top."""
    width, height = p.size
    y = DEPTH / 2 - FRONT
    upright = rounded_box((BAR, DEPTH, height + 2 * BAR), ROUND)
    across = rounded_box((width, DEPTH, BAR), ROUND)
    sides = [moved(upright, (s * (width + BAR) / 2, y, height / 2 + BAR)) for s in (-1, 1)]
    return [*sides, *(moved(across, (0.0, y, at)) for at in (BAR / 2, height + 1.5 * BAR))]


def _hook(p: PegboardParams) -> list[Solid]:
    """A foot plate and a peg whose axis is y, its end turned up; the origin is the hole's middle."""
    foot = rounded_box((FOOT[0], FOOT[2], FOOT[1]), FOOT[2] * 0.4)
    return [moved(foot, (0.0, -FOOT[2] / 2, FOOT[1] / 2 - FOOT_LOW)), _peg(p.wire_m, p.reach_m)]


def _peg(wire: float, reach: float) -> Solid:
    bend = 1.5 * wire
    turn = np.linspace(0.0, np.pi / 2, 9)
    path = [(0.002, 0.0, 0.0), (-FOOT[2] - reach + bend - 0.5 * wire, 0.0, 0.0)]
    path += [(path[1][0] - bend * np.sin(t), bend * (1 - np.cos(t)), t) for t in turn[1:]]
    path.append((path[-1][0], max(TIP, bend + wire), np.pi / 2))
    section: Points = circle(wire / 2, SIDES)
    rings = []
    top = path[-1][1]
    for (y, z, t), scale in [*((row, 1.0) for row in path), ((path[-1][0], top + 0.35 * wire, np.pi / 2), 0.7)]:
        # The section spans x and the direction that points up on the straight piece.
        up = np.array([0.0, np.sin(t), np.cos(t)])
        rings.append(np.array([0.0, y, z]) + scale * (section[:, :1] * [1.0, 0.0, 0.0] + section[:, 1:] * up))
    return loft(np.array(rings))
