"""Chips and blisters: what a rough or a smooth ball takes out of a part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..defect import Defect
from ..mesh import Mesh
from ..shapes.base import Solid, revolve
from .booleans import subtracted
from .patch_space import from_patch

__all__ = ["blister_damage", "chip_damage"]

Vec = npt.NDArray[np.float64]

#: Rings of a cutter in its cap and above it, and steps around.
CAP, REST, AROUND = 30, 10, 72


def _ball(radius: float, cap: float) -> Solid:
    """A sphere around the origin whose lowest `cap` radians are finer, mm."""
    low = np.linspace(0, cap, CAP, endpoint=False)
    angle = (
        np.concatenate([low, np.linspace(cap, np.pi, REST + 1)]) if cap < np.pi else np.linspace(0, np.pi, CAP + REST)
    )
    profile = radius * np.column_stack([np.sin(angle), -np.cos(angle)])
    profile[[0, -1], 0] = 0.0
    return revolve(profile, AROUND)


def chip_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh without a flake: a shell-shaped hollow with ripples around the place where the blow fell.

    A sphere through the flake's ends sinks as deep as the chip below the patch's origin. Its surface is raised and
    lowered by ripples about one end and by coarse and fine unevenness, and drawn out a little along one direction.
    """
    rng, v = np.random.default_rng(defect.seed), defect.values
    half, depth = v["width_mm"] / 2, v["depth_mm"]
    stretch, tilt, blow = 1 + 0.3 * rng.random(), rng.uniform(-0.35, 0.35, 2), rng.uniform(0, 2 * np.pi)
    ways, phases = rng.standard_normal((9, 3)), rng.uniform(0, 2 * np.pi, 9)
    radius = (half**2 + depth**2) / (2 * depth)
    cap = min(1.25 * float(np.arccos(max(1 - depth / radius, -1.0))), np.pi)
    points, faces = _ball(radius, cap)
    start = half * np.array([np.cos(blow), np.sin(blow)])
    away = np.linalg.norm(points[:, :2] - start, axis=1) / half
    ripple = 0.05 * depth * np.sin(2 * np.pi * 2.6 * away) / (1 + 0.6 * away)
    rough = np.zeros(len(points))
    for way, phase, waves, share in zip(ways, phases, (1.2, 1.6, 2.2, 3, 4, 6, 8, 11, 15), SHARES, strict=True):
        rough += share * np.sin(waves * points @ way / half + phase)
    points = points * (1 + (ripple + depth * rough) / radius)[:, None]
    points[:, 2] += radius - depth
    points[:, :2] += tilt * depth
    points *= (stretch, 1 / stretch, 1)
    return subtracted(mesh, (from_patch(defect, points), faces), defect)


#: Heights of the unevenness of a chip, in depths, from coarse to fine.
SHARES = (0.09, 0.07, 0.06, 0.05, 0.035, 0.025, 0.02, 0.014, 0.01)


def blister_damage(mesh: Mesh, defect: Defect) -> Mesh:
    """The mesh with a bubble that lies so near the surface that it has burst: a round cavity, its mouth narrower."""
    rng, v = np.random.default_rng(defect.seed), defect.values
    long, radius = 1 + 0.25 * rng.random(), v["width_mm"] / 2
    points, faces = _ball(radius, 0.8 * np.pi)
    points = points * (long, 1 / long, 1)
    points[:, 2] -= v["sunk"] * v["width_mm"] - radius
    return subtracted(mesh, (from_patch(defect, points), faces), defect)
