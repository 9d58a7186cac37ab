"""Metals and what covers them: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import PAINTS

__all__ = ["METALS"]

METALS: dict[str, Family] = {
    "brushed_steel": Family(
        {
            "roughness": roughness(0.20, 0.40),
            "brush": Range(0.2, 1.0, 0.6, "depth of the brush lines, which run along the object's x axis"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "cast_steel": Family(
        {
            "roughness": roughness(0.45, 0.65),
            "grain": Range(0.3, 1.0, 0.6, "depth of the as-cast skin: 1 is coarse sand"),
            "rust": Range(0.0, 1.0, 0.2, "share of the skin that has turned to rust"),
            "wear": wear(0.5),
            "dust": dust(),
        }
    ),
    "zinc": Family(
        {
            "roughness": roughness(0.24, 0.42),
            "yellow": Range(0.0, 1.0, 0.15, "passivation: 0 is clear to bluish, 1 is yellow chromate"),
            "blotch": Range(0.2, 1.0, 0.5, "unevenness of the passivation"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "brass": Family(
        {
            "roughness": roughness(0.14, 0.34),
            "tarnish": Range(0.0, 1.0, 0.35, "brown oxide in blotches and corners"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "black_oxide": Family(
        {
            "roughness": roughness(0.28, 0.46),
            "oil": Range(0.0, 1.0, 0.5, "film of preserving oil: 0 is dry and dull, 1 is wet"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "painted_metal": Family(
        {
            "colour": Palette(PAINTS, "paint"),
            "roughness": roughness(0.15, 0.45),
            "orange_peel": Range(0.1, 1.0, 0.5, "waviness of the sprayed film"),
            "chips": Range(0.0, 1.0, 0.35, "paint knocked off, down to primer and metal"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
}
