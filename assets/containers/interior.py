"""What a container offers to the things in it: where they may be, what they touch, where they stand or hang."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Hook", "Interior", "Level", "box_piece"]

Points = npt.NDArray[np.float64]
Vec3 = tuple[float, float, float]


@dataclass(frozen=True)
class Level:
    """A level board to stand on: `low` and `high` are the (x, y) corners of its free top at height z, metres.

    `clearance_m` is how high what stands there may be.
    """

    z: float
    low: tuple[float, float]
    high: tuple[float, float]
    clearance_m: float = np.inf


@dataclass(frozen=True)
class Hook:
    """A place to hang something: the lowest point that carries it, and the horizontal unit vector out of the wall.

    A thing hangs with its hole around the peg, whose radius is `radius_m`, at most `reach_m` away from the wall.
    """

    point: Vec3
    out: Vec3
    radius_m: float
    reach_m: float


@dataclass(frozen=True)
class Interior:
    """A container's inside, in its own frame: metres, z up, the origin in the middle of the floor that things lie on.

    Attributes:
        foot_m: how far below the origin the container's lowest point lies: it stands on a table at z = −foot.
        low, high: corners of the box that dropped things must stay in; its floor is z = 0 where there is one.
        outline: "box", or "round" for the elliptic cylinder inscribed in the box.
        pieces: (n, 3) corner sets whose convex hulls are what things touch. They lie on or within the visible surface.
        levels: boards to stand on; a container with a floor has that one.
        hooks: places to hang things.
        travel: unit vector in which a belt carries what lies on it.
    """

    foot_m: float
    low: Vec3
    high: Vec3
    pieces: tuple[Points, ...]
    outline: Literal["box", "round"] = "box"
    levels: tuple[Level, ...] = ()
    hooks: tuple[Hook, ...] = ()
    travel: Vec3 | None = None


def box_piece(low: Vec3, high: Vec3) -> Points:
    """(8, 3) corners of an axis-aligned box."""
    grid = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
    return np.asarray(np.asarray(low) + grid * (np.asarray(high) - np.asarray(low)))
