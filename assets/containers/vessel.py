"""Open vessels with a rounded rectangular outline: trays, bins, boxes: a profile swept around, closed by a floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..shapes.base import Faces, Points, arc, loft
from .interior import box_piece

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


def wall_pieces(low: Points, high: Points, top_m: float, thick_m: float = 0.05) -> tuple[Points, ...]:
    """The floor and the walls as convex pieces: a slab behind every straight piece of the inner outline.

    Args:
        low, high: (N, 2) counter-clockwise inner outline at z = 0 and at z = `top_m`, metres, point by point.
        thick_m: how far the pieces reach down and outwards: a wall that is too thin could be shot through.
    """
    reach = np.maximum(np.abs(low).max(axis=0), np.abs(high).max(axis=0)) + thick_m
    pieces = [box_piece((-reach[0], -reach[1], -thick_m), (reach[0], reach[1], 0.0))]
    for k in range(len(low)):
        a, b, c, d = low[k], low[(k + 1) % len(low)], high[k], high[(k + 1) % len(high)]
        along = d - c if np.linalg.norm(d - c) > 1e-9 else b - a
        if np.linalg.norm(along) < 1e-9:
            continue  # a sharp corner has points but no length
        out = thick_m * np.array([along[1], -along[0]]) / np.linalg.norm(along)
        rows = [(p, z) for p, z in ((a, 0.0), (b, 0.0), (c, top_m), (d, top_m))]
        pieces.append(np.array([[*(p + shift), z] for p, z in rows for shift in (np.zeros(2), out)]))
    return tuple(np.asarray(piece, dtype=np.float64) for piece in pieces)
