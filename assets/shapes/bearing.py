"""Single-row deep groove ball bearings, boundary dimensions of ISO 15: open with a riveted cage, or shielded (ZZ)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Solid, arc, centred, fillet, loft, merge_parts, moved, revolve
from .fastener_tables import MM
from .ring_walk import ring, round_corners

__all__ = ["DESIGNATIONS", "BearingParams", "bearing", "bearing_rand"]

Designation = Literal[
    "623", "624", "625", "626", "607", "608", "6000", "6001", "6002", "6003", "6004", "6005", "6200", "6201", "6202",
    "6203", "6204",
]  # fmt: skip


class Boundary(NamedTuple):
    """ISO 15: bore `d`, outside `D`, width `B`, least chamfer `r`, millimetres."""

    d: float
    D: float
    B: float
    r: float


DESIGNATIONS: dict[Designation, Boundary] = {
    "623": Boundary(3, 10, 4, 0.15),
    "624": Boundary(4, 13, 5, 0.2),
    "625": Boundary(5, 16, 5, 0.3),
    "626": Boundary(6, 19, 6, 0.3),
    "607": Boundary(7, 19, 6, 0.3),
    "608": Boundary(8, 22, 7, 0.3),
    "6000": Boundary(10, 26, 8, 0.3),
    "6001": Boundary(12, 28, 8, 0.3),
    "6002": Boundary(15, 32, 9, 0.3),
    "6003": Boundary(17, 35, 10, 0.3),
    "6004": Boundary(20, 42, 12, 0.6),
    "6005": Boundary(25, 47, 12, 0.6),
    "6200": Boundary(10, 30, 9, 0.6),
    "6201": Boundary(12, 32, 10, 0.6),
    "6202": Boundary(15, 35, 11, 0.6),
    "6203": Boundary(17, 40, 12, 0.6),
    "6204": Boundary(20, 47, 14, 1.0),
}

#: Ball diameter as a share of the section D − d; makers' catalogues give 0.28 … 0.30.
BALL_SHARE = 0.29
#: Filling angle of a Conrad bearing: more balls cannot be put in between eccentric rings.
FILLING = np.deg2rad(195)
#: Groove radius in ball diameters.
CONFORMITY = 0.52
SEGMENTS = 64


class BearingParams(Params):
    """A deep groove ball bearing."""

    designation: Designation = Field("608", description="ISO 15 / DIN 625 designation")
    closure: Literal["open", "shielded"] = Field("open", description="open: balls and cage show; shielded: ZZ plates")


class _Inner(NamedTuple):
    """What ISO leaves to the maker, millimetres: ball diameter and count, pitch circle radius, shoulder radii."""

    ball: float
    balls: int
    pitch: float
    inner: float
    outer: float


def bearing(p: BearingParams) -> Mesh:
    """The bearing, axis along z, metres; parts "rings" with "balls" and "cage" (open) or "shield".

    Keypoints: centre, both ends of the bore, two rim points, and two opposite points of the inner ring's face.
    """
    size = DESIGNATIONS[p.designation]
    inside = _inside(size)
    rings = [(_inner_ring(size, inside), 0), (_outer_ring(size, inside), 0)]
    if p.closure == "open":
        names: tuple[str, ...] = ("rings", "balls", "cage")
        parts = [*rings, *((ball, 1) for ball in _balls(inside)), *((piece, 2) for piece in _cage(inside))]
    else:
        names = ("rings", "shield")
        parts = [*rings, *((shield, 1) for shield in _shields(size, inside))]
    vertices, faces, face_part = merge_parts([(v * MM, f, part) for (v, f), part in parts])
    face = (size.d / 2 + inside.inner) / 2
    keypoints = {
        "center": (0, 0, 0),
        "bore_top": (0, 0, size.B / 2),
        "bore_bottom": (0, 0, -size.B / 2),
        "rim_0": (size.D / 2, 0, 0),
        "rim_1": (-size.D / 2, 0, 0),
        "inner_face_0": (face, 0, size.B / 2),
        "inner_face_1": (-face, 0, size.B / 2),
    }
    return centred(
        vertices,
        faces,
        face_part=face_part,
        part_names=names,
        keypoints={k: np.array(v) * MM for k, v in keypoints.items()},
    )


def bearing_rand(rng: np.random.Generator, given: Mapping[str, object]) -> BearingParams:
    """Draw what `given` leaves open: any designation, open and shielded alike."""
    drawn = {
        "designation": list(DESIGNATIONS)[rng.integers(len(DESIGNATIONS))],
        "closure": "open" if rng.random() < 0.5 else "shielded",
    }
    return BearingParams.model_validate({**drawn, **given})


def _inside(size: Boundary) -> _Inner:
    ball, pitch = BALL_SHARE * (size.D - size.d), (size.d + size.D) / 4
    count = int(1 + FILLING / (2 * np.arcsin(ball / (2 * pitch))))
    return _Inner(ball, count, pitch, pitch - 0.3 * ball, pitch + 0.3 * ball)


def _inner_ring(size: Boundary, inside: _Inner) -> Solid:
    """Bore with chamfers, flat faces, shoulders with the raceway between them."""
    b, r = size.B / 2, 1.3 * size.r  # the standard gives the least chamfer
    return _grooved(inside, inside.inner, -1.0, [(size.d / 2, b, r), (size.d / 2, -b, r)], b)


def _outer_ring(size: Boundary, inside: _Inner) -> Solid:
    b, r = size.B / 2, 1.3 * size.r  # the standard gives the least chamfer
    return _grooved(inside, inside.outer, 1.0, [(size.D / 2, -b, r), (size.D / 2, b, r)], b)


def _grooved(inside: _Inner, shoulder: float, side: float, back: list[tuple[float, float, float]], b: float) -> Solid:
    """One ring: `side` is 1 where the raceway opens towards the axis; `back` are the two corners opposite to it."""
    groove = CONFORMITY * inside.ball
    centre = inside.pitch - side * (groove - inside.ball / 2)
    angle = float(np.rad2deg(np.arccos((shoulder - centre) * side / groove)))
    edge = 0.04 * inside.ball
    towards = 0.0 if side > 0 else 180.0
    race = arc((centre, 0.0), groove, towards + angle, towards - angle, 9)
    corners = [(shoulder, side * b, edge), *((r, z, 0.0) for r, z in race), (shoulder, -side * b, edge), *back]
    return revolve(fillet(corners, segments=3), SEGMENTS)


def _balls(inside: _Inner) -> list[Solid]:
    """The balls, evenly spaced, the first on +x."""
    half = arc((0.0, 0.0), inside.ball / 2, -90, 90, 12)
    half[[0, -1], 0] = 0.0
    ball = revolve(half, 24)
    spots = 2 * np.pi * np.arange(inside.balls) / inside.balls
    return [moved(ball, (inside.pitch * np.cos(a), inside.pitch * np.sin(a), 0.0)) for a in spots]


def _cage(inside: _Inner) -> list[Solid]:
    """Two stamped ribbons that embrace the balls, mirror images, and the rivets that join them between the balls."""
    sheet = 0.06 * inside.ball
    upper = _ribbon(inside, sheet)
    lower = upper[0] * (1, 1, -1), upper[1][:, ::-1]
    reach, dome = 0.09 * inside.ball, 0.05 * inside.ball
    head = arc((0.0, sheet + dome - reach), reach, 25, 90, 4)
    head[-1, 0] = 0.0
    rivet = revolve(np.concatenate([head[::-1] * (1, -1), head]), 16)
    spots = 2 * np.pi * (np.arange(inside.balls) + 0.5) / inside.balls
    rivets = [moved(rivet, (inside.pitch * np.cos(a), inside.pitch * np.sin(a), 0.0)) for a in spots]
    return [upper, lower, *rivets]


def _ribbon(inside: _Inner, sheet: float) -> Solid:
    """The upper half of the cage: flat between the balls, bent around each with a little play."""
    pocket = 0.52 * inside.ball + sheet / 2
    low = 0.52 * sheet  # the halves do not quite touch: no coincident faces
    start = np.arcsin((low + 0.12 * inside.ball) / pocket)
    over = arc((0.0, 0.0), pocket, 180 - float(np.rad2deg(start)), 90, 7)
    half_step = np.pi * inside.pitch / inside.balls
    foot = np.array([(-half_step, low), (over[0, 0] - 0.04 * inside.ball, low)])
    rounded = round_corners(np.concatenate([foot, over]), [0, 0.1 * inside.ball, *np.zeros(len(over))], support=0.1)
    line = np.concatenate([rounded[:-1], (rounded * (-1, 1))[:0:-1]])  # one pocket, without the start of the next
    along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    along[0] = 1.0, 0.0
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    turns = 2 * np.pi * np.arange(inside.balls)[:, None] / inside.balls
    corners = []
    for radial, side in ((-0.2, 0.5), (0.2, 0.5), (0.2, -0.5), (-0.2, -0.5)):
        sheet_line = line + normal * sheet * side
        angle = (sheet_line[:, 0] / inside.pitch + turns).ravel()
        corners.append(ring(inside.pitch + radial * inside.ball, np.tile(sheet_line[:, 1], inside.balls), angle))
    return loft(np.stack(corners, axis=1), closed=True)


def _shields(size: Boundary, inside: _Inner) -> list[Solid]:
    """Two pressed plates: seated in the outer ring with a rolled bead, a step down, a lip towards the inner ring."""
    gap = inside.outer - inside.inner
    out, inner, sheet = inside.outer + 0.01 * gap, inside.inner + 0.05 * gap, 0.09 * gap
    top = size.B / 2 - 0.05 * gap
    step, lip = top - 0.07 * gap, top - 0.17 * gap
    upper = np.array(
        [(out, top), (out - 0.15 * gap, top), (out - 0.22 * gap, step), (inner + 0.1 * gap, step), (inner, lip)]
    )
    rounding = np.array([0, 0.06, 0.06, 0.1, 0.02])[:, None] * gap
    lower = upper - (0, sheet)
    outline = np.concatenate([np.hstack([lower, rounding])[::-1], np.hstack([upper, rounding])])
    plate = revolve(fillet(outline, segments=2), SEGMENTS)
    return [plate, (plate[0] * (1, 1, -1), plate[1][:, ::-1])]
