"""Combination spanners: an open jaw turned by 15° and a twelve-point ring of the same width, as in DIN 3113 form A.

Across flats are those of ISO 272; a spanner is about ten of them and 35 mm long, its jaw 2.1 and its ring 1.6 of them
wide, as makers' catalogues list them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..mesh import Mesh
from .base import Params, Points, Solid, centred, circle, fillet, from_manifold, loft, moved, to_manifold
from .fastener_tables import MM
from .hanging import balance, slab

__all__ = ["SpannerParams", "spanner", "spanner_rand"]

SIZES = (8, 10, 13, 16, 17, 18, 19, 22, 24)
JAW_TURN = np.deg2rad(15.0)


class SpannerParams(Params):
    """A combination spanner; all other dimensions follow from the width across flats."""

    across_mm: Annotated[Literal[8, 10, 13, 16, 17, 18, 19, 22, 24], Field(description="width across flats")] = 13
    stretch: Annotated[float, Field(ge=0.8, le=1.2, description="length, in usual lengths")] = 1.0


def spanner(p: SpannerParams) -> Mesh:
    """Shaft along x, ring at +x. Keypoints: jaw, ring, and those of `hanging`: it hangs by its ring."""
    s = p.across_mm * MM
    jaw, ring = 1.05 * s, 0.8 * s
    length = p.stretch * (10 * s + 0.035)
    at = length - jaw - ring
    edge = 0.06 * s
    wide, narrow = 0.42 * s, 0.34 * s
    shaft = np.array([(-0.02 * s, -wide), (at, -narrow), (at, narrow), (-0.02 * s, wide)])
    body = (
        to_manifold(slab(circle(jaw, 96), 0.42 * s, edge))
        + to_manifold(slab(shaft, 0.3 * s, 0.09 * s))
        + to_manifold(_moved_x(slab(circle(ring, 96), 0.6 * s, edge), at))
    )
    body = body - to_manifold(_jaw(s)) - to_manifold(_moved_x(_prism(_twelve_points(s), 1.2 * s), at))
    body = body - to_manifold(_panel(s, at)) - to_manifold(_mirrored(_panel(s, at)))
    vertices, faces, _ = from_manifold(body)
    # Twelve points have a corner on the x axis; the peg lies in it.
    corner = 0.505 * s / np.cos(np.pi / 6)
    points: dict[str, npt.ArrayLike] = {
        "jaw": (0, 0, 0),
        "ring": (at, 0, 0),
        "hang": (at, 0, 0),
        "hang_rim": (at + corner, 0, 0),
        "balance": balance([((vertices, faces), 1.0)]),
    }
    return centred(vertices, faces, keypoints=points)


def spanner_rand(rng: np.random.Generator, given: Mapping[str, object]) -> SpannerParams:
    """Any width, and a length within a tenth of the usual one."""
    drawn = {"across_mm": int(rng.choice(SIZES)), "stretch": float(rng.uniform(0.92, 1.1))}
    return SpannerParams.model_validate({**drawn, **given})


def _jaw(s: float) -> Solid:
    """What the open jaw leaves free: two flats, a rounded bottom, and a mouth that is cut off straight."""
    half, back = 0.505 * s, -0.55 * s
    corners = [(2 * s, half, 0), (-0.3 * s, half, 0), (back, 0.22 * s, 0.12 * s), (back, -0.22 * s, 0.12 * s)]
    outline = fillet([*corners, (-0.3 * s, -half, 0), (2 * s, -half, 0)])
    c, n = np.cos(np.pi + JAW_TURN), np.sin(np.pi + JAW_TURN)
    return _prism(outline @ np.array([[c, n], [-n, c]]), 1.2 * s)


def _panel(s: float, at: float) -> Solid:
    """The recess along the shaft that carries the maker's name, above the middle plane."""
    low, high = 1.25 * s, at - 1.1 * s
    r = 0.17 * s
    outline = fillet([(low, -r, 0.9 * r), (high, -r, 0.9 * r), (high, r, 0.9 * r), (low, r, 0.9 * r)])
    return moved(_prism(outline, 0.1 * s), (0.0, 0.0, 0.17 * s))


def _twelve_points(s: float) -> Points:
    """(24, 2) outline of two hexagons, one turned by 30°, 1 % wider than the nut; corners at multiples of 30°."""
    outer = 0.505 * s / np.cos(np.pi / 6)
    inner = 0.505 * s / np.cos(np.pi / 12)
    t = np.arange(24) * np.pi / 12
    r = np.where(np.arange(24) % 2 == 0, outer, inner)
    return np.column_stack([r * np.cos(t), r * np.sin(t)])


def _prism(outline: Points, height: float) -> Solid:
    return loft([np.column_stack([outline, np.full(len(outline), z)]) for z in (-height / 2, height / 2)])


def _moved_x(solid: Solid, x: float) -> Solid:
    return solid[0] + [x, 0.0, 0.0], solid[1]


def _mirrored(solid: Solid) -> Solid:
    return solid[0] * [1.0, 1.0, -1.0], solid[1][:, ::-1]
