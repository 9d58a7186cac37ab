"""Softboxes: a rectangle of light that looks at the middle of the scene."""

from __future__ import annotations

import math

import numpy as np

from .black_body import black_body
from .rules import ImageDraws
from .scene import AreaLight, matrix

__all__ = ["softbox", "softbox_rand"]


def softbox(
    power_w: float, size: tuple[float, float], orbit: tuple[float, float, float], temperature_k: float
) -> AreaLight:
    """A softbox at `orbit` (distance metres, azimuth, elevation radians) that faces the origin, upright."""
    distance, azimuth, elevation = orbit
    z = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    x = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([x, np.cross(z, x), z], axis=1), distance * z
    return AreaLight(world_T_light=matrix(pose), size=size, power_w=power_w, color=black_body(temperature_k))


def softbox_rand(draw: ImageDraws, path: str) -> AreaLight:
    """The softbox at a path of the recipe, with its image-level parameters drawn."""
    orbit = (
        draw(f"{path}.distance"),
        math.radians(draw(f"{path}.azimuth_deg")),
        math.radians(draw(f"{path}.elevation_deg")),
    )
    size = draw(f"{path}.size.0"), draw(f"{path}.size.1")
    return softbox(draw(f"{path}.power"), size, orbit, draw(f"{path}.temperature_k"))
