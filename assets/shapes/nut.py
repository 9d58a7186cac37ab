"""Hexagon nuts, ISO 4032 style 1, M3 to M12: corners chamfered on both sides, countersunk internal thread."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, centred
from .fastener_tables import MM, NUT, SIZES, Size
from .ring_walk import RingWalk, angles, hexagon, rings, round_corners
from .shank import metric
from .thread import Cone, thread_grid

__all__ = ["NutParams", "nut", "nut_rand"]

#: Radius of the hexagon's corners, in widths across flats.
CORNER = 0.06


class NutParams(Params):
    """A hexagon nut; all dimensions follow from ISO 4032."""

    size: Size = Field("M8", description="ISO metric thread size, coarse pitch")
    washer_face: bool = Field(False, description="a raised washer face instead of the chamfer on the lower side")


def nut(p: NutParams) -> Mesh:
    """The nut, thread along z, metres. Keypoints: centres of both faces, two opposite corners, one flat."""
    table, thread = NUT[p.size], metric(p.size)
    at, radius = hexagon(table.s, CORNER * table.s)
    outline = _outline(radius, table.s, table.m, table.dw, table.da, p.washer_face)
    bore = angles(48)
    mouth = Cone(table.da / 2, -np.tan(np.pi / 3)), Cone(table.da / 2, np.tan(np.pi / 3))  # 120° countersink
    grid, shift = thread_grid(thread.internal(), thread.pitch, 0.0, table.m, *mouth, bore)
    vertices, faces = RingWalk().to(*rings(outline, at)).tube(grid, shift, down=True).close().arrays()
    corner = radius.max()
    keypoints = {
        "top_center": (0, 0, table.m),
        "bottom_center": (0, 0, 0),
        "corner_0": (corner, 0, table.m / 2),
        "corner_3": (-corner, 0, table.m / 2),
        "flat_1": (0, table.s / 2, table.m / 2),
    }
    return centred(vertices * MM, faces, keypoints={k: np.array(v) * MM for k, v in keypoints.items()})


def nut_rand(rng: np.random.Generator, given: Mapping[str, object]) -> NutParams:
    """Draw what `given` leaves open: any size, a washer face on 1 of 4."""
    drawn = {"size": SIZES[rng.integers(len(SIZES))], "washer_face": bool(rng.random() < 0.25)}
    return NutParams.model_validate({**drawn, **given})


def _outline(
    radius: np.ndarray[tuple[int], np.dtype[np.float64]], s: float, m: float, dw: float, da: float, washer_face: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(N, M, 2) profiles from the countersink's lower edge around the outside to its upper edge, millimetres."""
    crown, drop, face = 0.475 * s, np.tan(np.pi / 6), 0.03 * s
    rim = da / 2 + 0.01 * s
    path = np.zeros((len(radius), 8 if washer_face else 6, 2))
    path[:, 0] = rim, 0
    if washer_face:
        path[:, 1], path[:, 2] = (dw / 2, 0), (dw / 2, face)
        path[:, 3] = np.stack([radius, np.full_like(radius, face)], axis=1)
        radii = [0, 0.01 * s, 0, 0.012 * s, 0.012 * s, 0.03 * s, 0]
    else:
        path[:, 1] = crown, 0
        path[:, 2] = np.stack([radius, (radius - crown) * drop], axis=1)
        radii = [0, 0.03 * s, 0.012 * s, 0.012 * s, 0.03 * s, 0]
    end = len(radii)
    path = path[:, :end]
    path[:, end - 3] = np.stack([radius, m - (radius - crown) * drop], axis=1)
    path[:, end - 2] = crown, m
    path[:, end - 1] = rim, m
    return round_corners(path, radii)
