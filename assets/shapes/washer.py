"""Plain washers M3 to M12: ISO 7089 (normal) and ISO 7093-1 (large), with the edges that blanking leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from ..mesh import Mesh
from .base import Params, centred, fillet, revolve
from .fastener_tables import LARGE_WASHER, MM, SIZES, WASHER, Size

__all__ = ["WasherParams", "washer", "washer_rand"]

#: Depth over which the torn lower part of a blanked edge leans away, in thicknesses.
LEAN = 0.05


class WasherParams(Params):
    """A plain washer; all dimensions follow from the standard's table."""

    size: Size = Field("M8", description="the screw it belongs to")
    series: Literal["normal", "large"] = Field("normal", description="ISO 7089 or ISO 7093-1")


def washer(p: WasherParams) -> Mesh:
    """The washer, rolled edges up, metres. Keypoints: centres of both openings, two rim points, a hole point.

    The punch rounds the edges where it enters (top); below a cut band at the nominal diameter the steel tears
    and the edge leans back to a sharp burr (bottom).
    """
    d1, d2, h = (WASHER if p.series == "normal" else LARGE_WASHER)[p.size]
    roll, burr, lean = 0.22 * h, 0.05 * h, LEAN * h
    profile = fillet(
        [
            (d1 / 2 + lean, 0, burr),
            (d2 / 2 - lean, 0, burr),
            (d2 / 2, 0.55 * h, 0),
            (d2 / 2, h, roll),
            (d1 / 2, h, roll),
            (d1 / 2, 0.55 * h, 0),
        ]
    )
    vertices, faces = revolve(profile * MM, 72)
    keypoints = {
        "top_center": (0, 0, h),
        "bottom_center": (0, 0, 0),
        "rim_0": (d2 / 2, 0, 0.55 * h),
        "rim_1": (-d2 / 2, 0, 0.55 * h),
        "hole_0": (d1 / 2, 0, 0.55 * h),
    }
    return centred(vertices, faces, keypoints={k: np.array(v) * MM for k, v in keypoints.items()})


def washer_rand(rng: np.random.Generator, given: Mapping[str, object]) -> WasherParams:
    """Draw what `given` leaves open: any size, the large series for 1 of 5."""
    drawn = {"size": SIZES[rng.integers(len(SIZES))], "series": "large" if rng.random() < 0.2 else "normal"}
    return WasherParams.model_validate({**drawn, **given})
