"""Where things start to fall: as low as they can be without touching, in the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ..assets.containers.interior import Interior
from ..errors import PlacementError

__all__ = ["deposit"]

Vec = npt.NDArray[np.float64]

#: Free room around each thing's sphere, metres.
GAP_M = 0.001
#: Turns that are tried until a thing fits between the walls; the last one lies along the longer side.
TURNS = 8


def deposit(
    rng: np.random.Generator, points: Sequence[Vec], inside: Interior, area: tuple[float, float] | None = None
) -> Vec:
    """(n, 4, 4) poses above the floor z = 0 of things given by their (k, 3) points, metres.

    Each has a random turn and a random spot between the walls, and lies on the highest of the spheres below it (the
    ballistic deposition of spheres), so that no two touch and the column stays low.

    Raises:
        PlacementError: a thing is wider than the inside.
    """
    low, high = np.array(inside.low[:2]), np.array(inside.high[:2])
    if area is not None:
        middle, half = (low + high) / 2, np.minimum(np.array(area), high - low) / 2
        low, high = middle - half, middle + half
    poses = np.tile(np.eye(4), (len(points), 1, 1))
    spheres = np.zeros((len(points), 4))
    for i, cloud in enumerate(points):
        turn, reach = _turned(rng, cloud, np.array(inside.low[:2]), np.array(inside.high[:2]))
        spot = _spot(rng, reach + GAP_M, low, high, inside)
        radius = float(np.linalg.norm(cloud, axis=1).max()) + GAP_M
        below = spheres[:i]
        apart = np.hypot(below[:, 0] - spot[0], below[:, 1] - spot[1])
        both = below[:, 3] + radius
        near = apart < both
        rises = below[near, 2] + np.sqrt(both[near] ** 2 - apart[near] ** 2)
        spheres[i] = (*spot, float(max([radius, *rises])), radius)
        poses[i, :3, :3], poses[i, :3, 3] = turn, spheres[i, :3]
    return poses


def _spot(rng: np.random.Generator, reach: Vec, low: Vec, high: Vec, inside: Interior) -> Vec:
    """A point above the area at which a thing of half size `reach` is clear of the walls."""
    walls_low, walls_high = np.array(inside.low[:2]) + reach, np.array(inside.high[:2]) - reach
    at = rng.uniform(low, high)
    if inside.outline == "round":
        middle, half = (walls_low + walls_high) / 2, np.maximum((walls_high - walls_low) / 2, 1e-9)
        away = (at - middle) / half
        return np.asarray(middle + half * away / max(1.0, float(np.linalg.norm(away))))
    return np.asarray(np.clip(at, walls_low, walls_high))


def _turned(rng: np.random.Generator, cloud: Vec, low: Vec, high: Vec) -> tuple[Vec, Vec]:
    """(3, 3) a rotation with which the points fit between the walls, and their half size in x and y then."""
    room = (high - low) / 2 - GAP_M
    quaternions = rng.normal(size=(TURNS, 4))
    lying = np.linalg.svd(cloud - cloud.mean(axis=0), full_matrices=False)[2]
    along = lying if room[0] >= room[1] else lying[[1, 0, 2]]
    along = along * [[1.0], [1.0], [np.sign(np.linalg.det(along))]]
    for turn in (*Rotation.from_quat(quaternions).as_matrix(), along):
        reach = np.abs(cloud @ turn[:2].T).max(axis=0)
        if (reach <= room).all():
            return np.asarray(turn), reach
    size = np.round(np.ptp(cloud, axis=0) * 1e3, 1).tolist()
    raise PlacementError(
        f"an object of {' × '.join(map(str, size))} mm does not fit between walls of "
        f"{' × '.join(f'{1e3 * r:.1f}' for r in 2 * room)} mm: take a larger container or smaller objects"
    )
