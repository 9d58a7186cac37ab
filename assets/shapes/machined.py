"""What machined parts share: chamfered outlines and blocks, holes and pockets as cutters, socket screws in place.

Edges are broken by chamfers of 45°, as a turning or milling tool leaves them: sharper than the smooth angle, so flat
faces shade flat whatever triangles a boolean leaves on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..mesh import Feature
from .base import Points, Solid, arc, loft, revolve
from .fastener_tables import MM, SOCKET_HEAD, Size
from .ring_walk import RingWalk, angles, hexagon, rings, round_corners

__all__ = [
    "block",
    "cap_screw",
    "chamfered",
    "clearance",
    "counterbore",
    "head_depth",
    "pocket",
    "rounded_rectangle",
    "screw_feature",
    "screw_hole",
]

#: Cutters stand out of what they cut by so much (metres), so that no two faces of a boolean coincide.
LIFT = 0.0002
#: A screw's head lies above its seat by so much, metres: two bodies that touch would share a face.
SEAT_GAP = 0.00002


def counterbore(size: Size) -> float:
    """Diameter of the recess for a head: its own diameter and 12 %, at least 1 mm more (DIN 974-1 series 1); metres."""
    dk = SOCKET_HEAD[size].dk
    return max(1.12 * dk, dk + 1.0) * MM


def clearance(size: Size) -> float:
    """Diameter of the hole for the shank, 10 % above the thread's (ISO 273 medium); metres."""
    return 1.1 * float(size[1:]) * MM


def chamfered(corners: npt.ArrayLike) -> Points:
    """A closed outline with its corners cut off: (N, 3) rows of x, y and how far from the corner the cut begins."""
    c = np.asarray(corners, dtype=np.float64)
    out = []
    for before, at, after in zip(np.roll(c, 1, axis=0), c, np.roll(c, -1, axis=0), strict=True):
        back, ahead = before[:2] - at[:2], after[:2] - at[:2]
        ends = [at[:2] + at[2] * side / np.linalg.norm(side) for side in (back, ahead)]
        out += ends if at[2] > 0 else [at[:2]]
    return np.stack(out)


def rounded_rectangle(x: float, y: float, radius: float, segments: int = 8) -> Points:
    """(4 · (segments + 1), 2) outline around the origin, counter-clockwise; `radius` above 0 and under half a side."""
    ends = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * (x / 2 - radius, y / 2 - radius)
    quarters = [
        arc((float(cx), float(cy)), radius, 90.0 * k, 90.0 * (k + 1), segments) for k, (cx, cy) in enumerate(ends)
    ]
    return np.concatenate(quarters)


def block(
    size: tuple[float, float, float],
    radius: float,
    chamfer: float,
    field: tuple[float, float, float] | None = None,
) -> Solid:
    """A block on z = 0 with rounded upright edges, its top and bottom edges chamfered; metres.

    `field` is a step on top of it, as (x, y, height): smaller than the block, and rounded as much.
    """
    x, y, z = size
    levels = [(-chamfer, 0.0), (0.0, chamfer), (0.0, z - chamfer), (-chamfer, z)]
    lower = _stack(x, y, radius, levels)
    if field is None:
        return loft(lower)
    fx, fy, rise = field
    upper = _stack(fx, fy, min(radius, 0.2 * min(fx, fy)), [(0.0, z), (0.0, z + rise - chamfer), (-chamfer, z + rise)])
    return loft(np.concatenate([lower, upper]))


def pocket(x: float, y: float, radius: float, depth: float, chamfer: float) -> Solid:
    """What an end mill takes out below z = 0: an x × y pocket with a chamfered mouth."""
    levels = [(0.0, -depth), (0.0, -chamfer), (chamfer + LIFT, LIFT)]
    return loft(_stack(x, y, radius, levels))


def _stack(x: float, y: float, radius: float, levels: Sequence[tuple[float, float]]) -> Points:
    """Rings of a rounded rectangle: (how far it grows to each side, height) of each."""
    outlines = [(rounded_rectangle(x + 2 * g, y + 2 * g, radius + g), z) for g, z in levels]
    return np.stack([np.column_stack([o, np.full(len(o), z)]) for o, z in outlines])


def screw_hole(size: Size, depth: float, sunk: bool, chamfer: float, segments: int = 32) -> Solid:
    """What drill and counterbore take out below z = 0 of a plate `depth` thick: right through, mouths chamfered."""
    hole, seat = clearance(size) / 2, head_depth(size) if sunk else 0.0
    profile = [(0, -depth - LIFT), (hole + chamfer + LIFT, -depth - LIFT), (hole, -depth + chamfer)]
    if sunk:
        wide = counterbore(size) / 2
        profile += [(hole, -seat), (wide, -seat), (wide, -chamfer), (wide + chamfer + LIFT, LIFT)]
    else:
        profile += [(hole, -chamfer), (hole + chamfer + LIFT, LIFT)]
    return revolve([*profile, (0, LIFT)], segments)


def head_depth(size: Size) -> float:
    """Depth of a counterbore: the head's height and 0.4 mm (DIN 974-1); metres."""
    return (float(size[1:]) + 0.4) * MM


def cap_screw(size: Size, length: float) -> Solid:
    """A socket head cap screw (ISO 4762) with its head on z = 0, metres; what a hole hides is left plain.

    `length` is what stands below, to the end of the shank. See `socket_screw` for one that is seen from all sides.
    """
    head, d, k = SOCKET_HEAD[size], float(size[1:]), float(size[1:])
    at = angles(36)
    foot = SEAT_GAP / MM
    walk = RingWalk().to(np.array([[0.0, 0.0, -length / MM]]))
    side = [(d / 2, -length / MM), (d / 2, foot), (0.465 * head.dk, foot), (head.dk / 2, foot + 0.035 * head.dk)]
    walk.to(*rings(side, at))
    rim = np.array([(head.dk / 2, 0.5 * k), (head.dk / 2, k), (0.3 * head.dk, k)])
    walk.to(*rings(round_corners(rim, (0, 0.06 * head.dk, 0))[1:-1], at))
    corner, radius = hexagon(head.s, 0.03 * head.s)
    mouth, floor, drill = 1.04 * radius.max(), k - head.t, 0.42 * head.s
    walk.to(*rings([(mouth, k)], at))
    bevel = np.stack([radius, k - (mouth - radius)], axis=1)[:, None]
    walk.to(*rings(bevel, corner), *rings(np.stack([radius, np.full_like(radius, floor)], axis=1)[:, None], corner))
    walk.to(*rings([(drill, floor)], at)).to(np.array([[0, 0, floor - drill * np.tan(np.pi / 6)]]))
    vertices, faces = walk.arrays()
    return vertices * MM, faces


def screw_feature(size: Size, seat: tuple[float, float, float], length: float) -> Feature:
    """The feature of a `cap_screw` whose head lies on `seat` (metres, the mesh's frame), so that it can be missing."""
    frame = np.eye(4)
    frame[:3, 3] = seat
    across = 1.05 * SOCKET_HEAD[size].dk * MM
    reach = max(float(size[1:]) * MM, length) + 0.0005
    return Feature("screw", "remove", frame, (across, across), reach)
