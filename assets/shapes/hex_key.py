"""Hexagon keys, ISO 2936: a bent hexagonal bar with a short and a long arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, loft
from .fastener_tables import MM
from .hanging import balance

__all__ = ["HexKeyParams", "hex_key", "hex_key_rand"]

#: ISO 2936: width across flats → short arm, long arm, long arm of the long series, millimetres.
ARMS: dict[int, tuple[float, float, float]] = {
    4: (25, 70, 140),
    5: (28, 80, 160),
    6: (32, 90, 180),
    8: (36, 100, 200),
    10: (40, 112, 224),
}
BEND = 12


class HexKeyParams(Params):
    """A hexagon key; its arms follow from its width."""

    across_mm: Annotated[Literal[4, 5, 6, 8, 10], Field(description="width across flats")] = 6
    series: Annotated[Literal["normal", "long"], Field(description="length of the long arm")] = "normal"


def hex_key(p: HexKeyParams) -> Mesh:
    """The long arm towards +x, the short one towards +y; it hangs in its bend.

    Keypoints: tips of both arms, corner (outside of the bend), and those of `hanging`.
    """
    s = float(p.across_mm)
    short, normal, long = ARMS[p.across_mm]
    reach = normal if p.series == "normal" else long
    bend = 1.5 * s  # of the middle line; the inner side of the bend has a radius of one width
    middle = np.array([s / 2 + bend, s / 2 + bend])
    turn = np.linspace(np.pi, 1.5 * np.pi, BEND + 1)
    path = [(s / 2, short, np.pi), *((*(middle + bend * np.array([np.cos(t), np.sin(t)])), t) for t in turn)]
    path.append((reach, s / 2, 1.5 * np.pi))
    vertices, faces = _bar(np.array(path), s)
    inner = bend - s / 2
    points = {
        "tip_long": (reach, s / 2, 0),
        "tip_short": (s / 2, short, 0),
        "corner": (*(middle - (bend + s / 2) * np.sqrt(0.5)), 0),
        "hang": (*middle, 0),
        "hang_rim": (middle[0] - inner, middle[1], 0),
        "hang_end": (middle[0], middle[1] - inner, 0),
        "balance": balance([((vertices, faces), 1.0)]),
    }
    keypoints = {name: np.asarray(point, dtype=np.float64) * MM for name, point in points.items()}
    return centred(vertices * MM, faces, keypoints=keypoints, smooth_angle_deg=25.0)


def hex_key_rand(rng: np.random.Generator, given: Mapping[str, object]) -> HexKeyParams:
    """Any width, and either series."""
    drawn = {"across_mm": int(rng.choice(list(ARMS))), "series": ("normal", "long")[int(rng.random() < 0.5)]}
    return HexKeyParams.model_validate({**drawn, **given})


def _bar(path: Points, s: float) -> Solid:
    """A hexagonal bar with a flat towards the inside of the bend; rows of x, y and the angle that points out of it.

    Edges are broken by a twentieth of the width, as drawn bar has them, and the ends by as much.
    """
    t = np.arange(6) * np.pi / 3 + np.pi / 6
    corner = s / np.sqrt(3) * np.column_stack([np.cos(t), np.sin(t)])
    ahead = np.roll(corner, -1, axis=0) - corner
    section = np.stack([corner + 0.06 * ahead, corner + 0.94 * ahead], axis=1).reshape(-1, 2)
    first, last = path[0].copy(), path[-1].copy()
    first[1] -= 0.08 * s
    last[0] -= 0.08 * s
    rows = [(path[0], 0.9), (first, 1.0), *((row, 1.0) for row in path[1:-1]), (last, 1.0), (path[-1], 0.9)]
    rings = []
    for (x, y, out), scale in rows:
        across = np.array([np.cos(out), np.sin(out), 0.0])
        rings.append([x, y, 0.0] + scale * (section[:, :1] * across + section[:, 1:] * [0.0, 0.0, 1.0]))
    return loft(np.array(rings)[:, ::-1])
