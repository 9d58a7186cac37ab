"""Broken surfaces: the family's values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, roughness
from .palettes import GREYS

__all__ = ["BROKEN"]

BROKEN: dict[str, Family] = {
    "fractured": Family(
        {
            "colour": Palette(GREYS, "substance"),
            "roughness": roughness(0.02, 1.0),
            "metallic": Range(0.0, 1.0, 0.0, "how much the substance is metal"),
            "grain_mm": Range(0.02, 5.0, 0.3, "width of a grain", usual=(0.1, 0.6)),
            "relief": Range(0.0, 1.0, 0.5, "height of the grains: 0 broke as smooth as glass, 1 is coarse cast iron"),
        }
    ),
}
