"""The threaded shank that bolts and screws share: chamfered tip, thread, run-out, neck, fillet under the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..mesh import Mesh
from .fastener_tables import MM, PITCH, SIZES, Size
from .ring_walk import RingWalk, angles, rings, round_corners
from .thread import Cone, MetricThread, RunOut, thread_grid

__all__ = ["Shank", "check_length", "metric", "screw_length_rand", "size_rand", "threaded", "walk_shank"]

#: Triangles that a thread may use; long fine threads get fewer columns for it.
THREAD_TRIANGLES = 10_000
#: ISO 888 nominal lengths, mm.
LENGTHS = np.array([6, 8, 10, 12, 16, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 80])


class Shank(NamedTuple):
    """Below the bearing plane z = 0: `length`, its threaded part, the fillet's radius, where it meets the head (mm)."""

    size: Size
    length: float
    threaded: float
    fillet: float
    bearing_radius: float


def metric(size: Size) -> MetricThread:
    """The coarse thread of a size, millimetres."""
    return MetricThread(float(size[1:]), PITCH[size])


def walk_shank(shank: Shank) -> RingWalk:
    """A walk from the tip's pole at z = −length to the circle of `bearing_radius` at z = 0, millimetres.

    A shank threaded to the head ends 1 P below it on the rolling diameter (ISO 4017 allows 3 P without full thread);
    otherwise the shank above the thread has the nominal diameter (ISO 4014).
    """
    thread = metric(shank.size)
    p = thread.pitch
    full = shank.threaded > shank.length - 3 * p
    top = -0.8 * p - shank.fillet if full else shank.threaded - shank.length
    plain = (thread.pitch_diameter if full else thread.diameter) / 2
    run_out = RunOut(plain, top - (1.6 if full else 2.0) * p, top)
    tip = thread.root_diameter / 2 - 0.45 * p
    start = tip + 0.3 * p
    at = angles(_columns((shank.length + top) / p))
    point = round_corners(
        np.array([(0, -shank.length), (tip, -shank.length), (start, -shank.length + 0.3 * p)]), (0, 0.25 * p, 0)
    )
    grid, shift = thread_grid(
        thread.external(), p, -shank.length + 0.3 * p, top + 0.2 * p, Cone(start, 1.0), run_out, at
    )
    corner = np.array([(plain, top + 0.2 * p), (plain, 0), (shank.bearing_radius, 0)])
    neck = round_corners(corner, (0, shank.fillet, 0), support=0.2)
    walk = RingWalk().to(np.array([[0, 0, -shank.length]], dtype=np.float64))
    walk.to(*rings(point[1:-1], at)).tube(grid, shift)
    return walk.to(*rings(neck[1:-1], at))


def threaded(made: Mesh, size: Size) -> Mesh:
    """The screw with its region "thread", from the keypoint shank_end to thread_start."""
    (x, y, low), (*_, high) = made.keypoints["shank_end"], made.keypoints["thread_start"]
    half = 0.51 * float(size[1:]) * MM
    return replace(made, regions={"thread": ((x - half, y - half, low), (x + half, y + half, high))})


def check_length(size: Size, length_m: float, least: float, advice: str) -> None:
    """Raise ValueError unless the length lies between `least` (mm) and the standards' longest, 10 diameters."""
    if not least * MM <= length_m <= _longest(size):
        raise ValueError(
            f"the length of such an {size} screw lies in {least * MM:.4f} … {_longest(size):.4f} m, "
            f"got {length_m:.4f}: {advice}"
        )


def _longest(size: Size) -> float:
    """Ten diameters, metres."""
    return 10 * float(size[1:]) * MM


def size_rand(rng: np.random.Generator, given: Mapping[str, object], least: Callable[[Size], float]) -> Size:
    """The given size where there is one in the tables, else any that comes in the given length.

    `least` gives the shortest length of a size, mm. Where no size is as long, or as short, the nearest is the answer.
    """
    drawn = SIZES[rng.integers(len(SIZES))]
    named = next((size for size in SIZES if size == given.get("size")), None)
    length = given.get("length_m")
    if named or not isinstance(length, int | float):
        return named or drawn
    fitting = [size for size in SIZES if least(size) * MM <= length <= _longest(size)]
    if not fitting:
        return SIZES[-1] if length > _longest(SIZES[-1]) else SIZES[0]
    return drawn if drawn in fitting else fitting[rng.integers(len(fitting))]


def screw_length_rand(rng: np.random.Generator, size: Size, least: float = 0.0) -> float:
    """A length of the ISO 888 series (metres) of 2 to 5 diameters, as a box of screws holds; `least` in mm."""
    least = max(least, 2 * float(size[1:]))
    most = max(1.6 * least, 5 * float(size[1:]))
    return float(rng.choice(LENGTHS[(least <= LENGTHS) & (most >= LENGTHS)])) * MM


def _columns(turns: float) -> int:
    """Angles around the thread: as many as the triangle budget allows, between 28 and 60."""
    return int(np.clip(THREAD_TRIANGLES / (10 * turns) // 4 * 4, 28, 60))
