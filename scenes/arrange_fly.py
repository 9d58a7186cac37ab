"""Things in the air between the camera and what it looks at: nothing carries them, and they touch nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ..errors import PlacementError
from .placement import Item
from .scene import matrix

__all__ = ["Sky", "fly"]

Vec = npt.NDArray[np.float64]

#: A thing keeps this distance from the camera, metres, beside its own radius.
NEAR_M = 0.02


class Sky:
    """Where things may fly: on the way from `area` (x, y metres around the origin on z = 0) to the `eye` (3,).

    `way` are the shares of that way that they keep to; `attempts` is how often a place is looked for. `boxes` are the
    (low, high) corners of boxes around all that is already there.
    """

    def __init__(
        self, area: tuple[float, float], eye: Vec, way: tuple[float, float], attempts: int,
        boxes: Sequence[tuple[Vec, Vec]],
    ) -> None:  # fmt: skip
        self.area, self.eye, self.way, self.attempts = area, eye, way, attempts
        self.low = np.array([low for low, _ in boxes]).reshape(-1, 3)
        self.high = np.array([high for _, high in boxes]).reshape(-1, 3)


def fly(rngs: Sequence[np.random.Generator], items: Sequence[Item], sky: Sky, gap_m: float) -> list[Vec]:
    """(4, 4) poses, turned at random: their spheres keep `gap_m` from each other, from the ground and all boxes.

    Raises:
        PlacementError: no free spot was found.
    """
    poses: list[Vec] = []
    spheres: list[tuple[Vec, float]] = []
    for rng, item in zip(rngs, items, strict=True):
        middle = item.mesh.vertices.min(axis=0) / 2 + item.mesh.vertices.max(axis=0) / 2
        radius = float(np.linalg.norm(item.mesh.vertices - middle, axis=1).max()) * item.scale
        turn = Rotation.from_quat(rng.normal(size=4)).as_matrix()
        at = _spot(rng, radius, sky, spheres, gap_m)
        if at is None:
            raise PlacementError(
                f"{len(poses)} things fly, then {item.name} ({2e3 * radius:.0f} mm) found no free place in the air in "
                f"{sky.attempts} attempts: lower the count, widen placement.area or placement.air, or raise "
                "camera.distance"
            )
        spheres.append((at, radius))
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn, at - turn @ middle * item.scale
        poses.append(np.asarray(matrix(pose)))
    return poses


def _spot(
    rng: np.random.Generator, radius: float, sky: Sky, spheres: Sequence[tuple[Vec, float]], gap_m: float
) -> Vec | None:
    for _ in range(sky.attempts):
        foot = np.array([*(rng.uniform(-0.5, 0.5, 2) * sky.area), 0.0])
        at = foot + rng.uniform(*sky.way) * (sky.eye - foot)
        if at[2] < radius + gap_m or np.linalg.norm(at - sky.eye) < radius + NEAR_M:
            continue
        beside = np.maximum(np.maximum(sky.low - at, at - sky.high), 0.0)  # from the sphere's middle to each box
        if (np.linalg.norm(beside, axis=1) < radius + gap_m).any():
            continue
        if all(np.linalg.norm(at - other) >= radius + r + gap_m for other, r in spheres):
            return np.asarray(at)
    return None
