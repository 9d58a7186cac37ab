"""Bottle closures: the crown cork with its 21 flutes, and the ribbed screw cap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .base import Points, Solid, fillet, loft

__all__ = ["crown_cork", "screw_cap"]

CROWN_FLUTES = 21  # DIN 6099


def crown_cork(mouth_z: float) -> Solid:
    """A pressed-on crown cork (DIN 6099: 32.1 mm over the flutes, 6 mm high) for a mouth of 26.6 mm, metres."""
    base, top = mouth_z - 0.0055, mouth_z + 0.0005
    outline = fillet(
        [
            (0.0002, mouth_z + 0.0001, 0),
            (0.0135, mouth_z + 0.0001, 0),
            (0.0149, base, 0),
            (0.0153, base, 0),
            (0.0140, top, 0.0022),
            (0.0002, top, 0),
        ],
        5,
    )
    steps = _cut_long(outline, 0.0011)
    depth = np.clip((top - 0.0018 - steps[:, 1]) / (top - 0.0018 - base), 0.0, 1.0)
    return _fluted(steps, 0.00075 * depth**1.3, CROWN_FLUTES, 7)


def screw_cap(radius: float, bore: float, base_z: float, top_z: float, ribs: int) -> Solid:
    """A moulded cap with grip ribs above a smooth tamper band; `bore` clears the thread, metres."""
    band = base_z + 0.22 * (top_z - base_z)
    ceiling = top_z - 0.0013
    outline = fillet(
        [
            (0.0002, ceiling, 0),
            (bore, ceiling, 0),
            (bore, base_z, 0),
            (radius, base_z, 0.0003),
            (radius, band - 0.0003, 0),
            (radius - 0.0005, band, 0),
            (radius, band + 0.0003, 0),
            (radius * 0.985, top_z, 0.0012),
            (0.0002, top_z, 0),
        ],
        3,
    )
    outside = (outline[:, 0] > bore + 0.0004) & (outline[:, 1] > band + 0.0002) & (outline[:, 1] < top_z - 0.0006)
    return _fluted(outline, np.where(outside, 0.00022, 0.0), ribs, 4)


def _cut_long(outline: Points, step: float) -> Points:
    """An open outline with its sides cut into pieces of at most `step`, the axis-near first and last kept."""
    out = [outline[:1]]
    for a, b in pairwise(outline):
        n = max(1, int(np.ceil(abs(b[1] - a[1]) / step)))
        out.append(a + (b - a) * (np.arange(1, n + 1) / n)[:, None])
    return np.concatenate(out)


def _fluted(outline: Points, amplitude: Points, flutes: int, per_flute: int) -> Solid:
    """The outline (r, z), from the ceiling's middle out, down, up the outside and in, turned as a wave."""
    count = flutes * per_flute
    u = np.arange(count) * (2 * np.pi / count)
    radius = outline[:, :1] + amplitude[:, None] * np.cos(flutes * u)
    height = np.broadcast_to(outline[:, 1:], radius.shape)
    return loft(np.stack([radius * np.cos(u), radius * np.sin(u), height], axis=-1))
