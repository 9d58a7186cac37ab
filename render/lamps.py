"""Area lamps in place of luminous meshes, which light nothing in a rasteriser. No bpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..scenes.scene import matrix
from ..scenes.scene_lights import AreaLight, Light, PanelLight, RingLight

__all__ = ["lamps"]

#: Lamps that make up a ring, and how far one lies before a panel, which would shade it else.
RING_LAMPS, BEFORE_M = 16, 1e-4


def lamps(light: Light) -> tuple[Light, ...]:
    """Lights that shine as this one does; a ring's and a panel's are rectangles with its area, radiance and tilt."""
    if isinstance(light, RingLight):
        return _ring(light)
    return (_panel(light),) if isinstance(light, PanelLight) else (light,)


def _ring(light: RingLight) -> tuple[AreaLight, ...]:
    place, size = np.asarray(light.world_T_light), (math.tau * light.radius_m / RING_LAMPS, light.width_m)
    found = []
    for a in np.arange(RING_LAMPS) * math.tau / RING_LAMPS:
        out, along = np.array([math.cos(a), math.sin(a), 0.0]), np.array([-math.sin(a), math.cos(a), 0.0])
        back = np.array([0.0, 0.0, math.cos(light.tilt)]) + out * math.sin(light.tilt)
        lamp = np.eye(4)
        lamp[:3] = np.stack([along, np.cross(back, along), back, out * light.radius_m], axis=1)
        power_w = light.power_w / RING_LAMPS
        found.append(_area(light, place @ lamp, size, power_w))
    return tuple(found)


def _panel(light: PanelLight) -> AreaLight:
    before = np.eye(4)
    before[2, 3] = -BEFORE_M
    return _area(light, np.asarray(light.world_T_light) @ before, light.size, light.power_w)


def _area(
    light: RingLight | PanelLight, place: npt.NDArray[np.float64], size: tuple[float, float], power_w: float
) -> AreaLight:
    return AreaLight(
        world_T_light=matrix(place), color=light.color, on_camera=light.on_camera, size=size, power_w=power_w
    )
