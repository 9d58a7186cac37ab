"""Hexagon head screws and bolts, ISO 4017 (threaded to the head) and ISO 4014 (with a plain shank), M3 to M12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, centred
from .fastener_tables import HEX_HEAD, MM, PITCH, Size
from .ring_walk import RingWalk, hexagon, rings, round_corners
from .shank import Shank, check_length, screw_length_rand, size_rand, threaded, walk_shank

__all__ = ["HexBoltParams", "hex_bolt", "hex_bolt_rand"]

#: Radius of the hexagon's corners, in widths across flats; ISO 4017 lets e shrink from 1.155 s to 1.11 s.
CORNER = 0.08


class HexBoltParams(Params):
    """A hexagon head bolt; all other dimensions follow from the standard's tables."""

    size: Size = Field("M8", description="ISO metric thread size, coarse pitch")
    length_m: float = Field(0.03, gt=0, description="length under the head, metres, up to 10 diameters")
    thread: Literal["full", "partial"] = Field("full", description="ISO 4017 thread to the head, or ISO 4014 shank")

    @model_validator(mode="after")
    def _thread_fits(self) -> HexBoltParams:
        advice = "take another size or length" if self.thread == "full" else "take a longer one, or thread: full"
        check_length(self.size, self.length_m, _least(self.size, self.thread), advice)
        return self


def hex_bolt(p: HexBoltParams) -> Mesh:
    """The bolt, head up, metres. Keypoints: head centre, two opposite head corners, neck, first thread, tip."""
    head = HEX_HEAD[p.size]
    length = p.length_m / MM
    cut = length if p.thread == "full" else head.b
    walk = walk_shank(Shank(p.size, length, cut, 1.6 * head.r, head.dw / 2 - 0.03 * head.s))
    vertices, faces = _walk_head(walk, head.s, head.k, head.dw).arrays()
    corner = hexagon(head.s, CORNER * head.s)[1].max()
    keypoints = {
        "head_center": (0, 0, head.k),
        "head_corner_0": (corner, 0, head.k / 2),
        "head_corner_3": (-corner, 0, head.k / 2),
        "neck": (0, 0, 0),
        "thread_start": (0, 0, cut - length),
        "shank_end": (0, 0, -length),
    }
    made = centred(vertices * MM, faces, keypoints={k: np.array(v) * MM for k, v in keypoints.items()})
    return threaded(made, p.size)


def hex_bolt_rand(rng: np.random.Generator, given: Mapping[str, object]) -> HexBoltParams:
    """Draw what `given` leaves open: any size, a preferred length of 2 to 5 diameters, a plain shank in 1 of 4."""
    size = size_rand(rng, given, lambda size: _least(size, given.get("thread")))
    least = _least(size, "partial")
    partial = rng.random() < 0.25
    length = given.get("length_m", screw_length_rand(rng, size, least if given.get("thread") == "partial" else 0.0))
    fits = isinstance(length, int | float) and length >= least * MM
    drawn = {"size": size, "length_m": length, "thread": "partial" if partial and fits else "full"}
    return HexBoltParams.model_validate({**drawn, **given})


def _least(size: Size, thread: object) -> float:
    """Shortest length, millimetres: eight turns of thread, or the thread of ISO 4014 and three pitches of shank."""
    return HEX_HEAD[size].b + 3 * PITCH[size] if thread == "partial" else 8 * PITCH[size]


def _walk_head(walk: RingWalk, s: float, k: float, dw: float) -> RingWalk:
    """From the bearing plane over washer face, flats and the 30° chamfer to the pole on top, millimetres."""
    at, radius = hexagon(s, CORNER * s)
    face = 0.035 * s  # washer face, ISO 4017: 0.15 … 0.6 mm
    crown = 0.475 * s  # the chamfer's circle: 0.95 s, ISO 225
    path = np.zeros((len(at), 6, 2))
    path[:, 0] = dw / 2 - 0.03 * s, 0
    path[:, 1] = dw / 2, 0
    path[:, 2] = dw / 2, face
    path[:, 3] = np.stack([radius, np.full_like(radius, face)], axis=1)
    path[:, 4] = np.stack([radius, k - (radius - crown) * np.tan(np.pi / 6)], axis=1)
    path[:, 5] = crown, k
    top = np.full((len(at), 1, 2), (0.8 * crown, k))
    rounded = round_corners(np.concatenate([path, top], axis=1), (0, 0.01 * s, 0, 0.01 * s, 0.012 * s, 0.03 * s, 0))
    return walk.to(*rings(rounded[:, 1:], at)).to(np.array([[0, 0, k]], dtype=np.float64))
