"""Open vessels with a rounded rectangular outline: trays, bins, boxes: a profile swept around, closed by a floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..shapes.base import Faces, Points, arc, loft

__all__ = ["Station", "hollow", "rounded_rectangle", "wall_pieces"]

#: Steps of a quarter turn at a corner.
CORNER_SEGMENTS = 8


class Station(NamedTuple):
    """One ring of a profile: how far it lies outside the reference outline, its height, and the part that follows."""

    out_m: float
    z_m: float
    part: int = 0


def rounded_rectangle(x_m: float, y_m: float, radius_m: float) -> Points:
    """(N, 2) counter-clockwise outline of a rectangle with rounded corners, of equal N whatever its size.

    A radius of 0 keeps N points, N / 4 at each corner, so that outlines of any radii can be joined by a loft.
    """
    hx, hy = x_m / 2, y_m / 2
    r = min(max(radius_m, 0.0), hx, hy)
    centres = ((hx - r, hy - r), (r - hx, hy - r), (r - hx, r - hy), (hx - r, r - hy))
    return np.concatenate([arc(c, r, 90.0 * k, 90.0 * (k + 1), CORNER_SEGMENTS) for k, c in enumerate(centres)])


def hollow(
    x_m: float, y_m: float, radius_m: float, profile: Sequence[Station], floor_part: int
) -> tuple[Points, Faces, npt.NDArray[np.uint8]]:
    """(vertices, faces, face_part) of a vessel: rings from its underside over the rim down to its floor.

    Args:
        x_m, y_m, radius_m: the reference outline, usually the inner one at the floor.
        profile: stations from the outer bottom edge up, over the rim, and down to the floor's edge; faces between two
            stations belong to the part of the first. Corners grow with `out_m`, so walls stay as thick.
        floor_part: part of the floor that closes the last ring; the underside belongs to the first station's part.
    """
    rings = []
    for out, z, _ in profile:
        ring = rounded_rectangle(x_m + 2 * out, y_m + 2 * out, max(radius_m + out, 0.0))
        rings.append(np.column_stack([ring, np.full(len(ring), z)]))
    vertices, faces = loft(np.asarray(rings))
    n = len(rings[0])
    part = np.repeat(np.array([s.part for s in profile[:-1]], np.uint8), n)
    # `loft` gives the first triangle of all quads, then the second, then both caps.
    face_part = np.concatenate([part, part, np.full(n, profile[0].part, np.uint8), np.full(n, floor_part, np.uint8)])
    return vertices, faces, face_part


def wall_pieces(
    inner_floor: tuple[float, float], inner_top: tuple[float, float], top_m: float, wall_m: float, floor_m: float
) -> tuple[Points, ...]:
    """The floor and four walls as convex pieces: inner (x, y) sizes at z = 0 and at z = `top_m`, metres.

    The pieces reach `wall_m` outwards and `floor_m` down; rounded corners are left out, which no rigid part notices
    that is larger than the rounding.
    """
    (fx, fy), (tx, ty) = (np.array(inner_floor) / 2, np.array(inner_top) / 2)
    ox, oy = max(fx, tx) + wall_m, max(fy, ty) + wall_m
    floor = np.array([[sx * ox, sy * oy, z] for sx in (-1, 1) for sy in (-1, 1) for z in (-floor_m, 0.0)])
    pieces = [floor]
    for sign in (-1, 1):
        along_y = [[sign * x, y, z] for y in (-oy, oy) for x, z in ((fx, 0.0), (tx, top_m), (ox, 0.0), (ox, top_m))]
        along_x = [[x, sign * y, z] for x in (-ox, ox) for y, z in ((fy, 0.0), (ty, top_m), (oy, 0.0), (oy, top_m))]
        pieces += [np.array(along_y), np.array(along_x)]
    return tuple(np.asarray(p, dtype=np.float64) for p in pieces)
