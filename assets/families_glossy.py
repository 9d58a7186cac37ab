"""Polished plastics, as dice, toys and cosmetics are made of, and felt: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import FELTS, GLOSSIES, SWIRLS

__all__ = ["GLOSSY"]

CLEAR = "how far light enters: 0 is opaque, 1 glows like wax, shadows inside it are soft"

GLOSSY: dict[str, Family] = {
    "acrylic": Family(
        {
            "colour": Palette(GLOSSIES, "pigment"),
            "roughness": roughness(0.03, 0.16),
            "clear": Range(0.0, 1.0, 0.2, CLEAR),
            "pearl": Range(0.0, 1.0, 0.0, "mica that shimmers in streaks where the melt flowed"),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
    "marbled": Family(
        {
            "colour": Palette(GLOSSIES, "one pigment"),
            "second": Palette(SWIRLS, "the other pigment"),
            "share": Range(0.15, 0.85, 0.5, "of the second pigment"),
            "swirl_mm": Range(4.0, 16.0, 8.0, "width of a swirl"),
            "blend": Range(0.0, 1.0, 0.5, "0: sharp veins, 1: smoke"),
            "roughness": roughness(0.03, 0.16),
            "clear": Range(0.0, 1.0, 0.2, CLEAR),
            "pearl": Range(0.0, 1.0, 0.3, "mica that shimmers in streaks where the melt flowed"),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
    "speckled": Family(
        {
            "colour": Palette(GLOSSIES, "ground"),
            "second": Palette(SWIRLS, "specks"),
            "third": Palette(SWIRLS, "rarer specks"),
            "speck_mm": Range(0.4, 2.0, 0.9, "width of a speck"),
            "density": Range(0.05, 0.6, 0.3, "share of the surface that is specks"),
            "roughness": roughness(0.03, 0.2),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
    "felt": Family(
        {
            "colour": Palette(FELTS, "wool"),
            "pile_mm": Range(0.2, 1.5, 0.6, "length of the fibres that stand up: 0.2 is pressed felt, 1.5 is velvet"),
            "nap": Range(0.0, 1.0, 0.4, "lighter and darker places where a hand brushed the pile"),
            "wear": wear(0.3),
            "dust": dust(0.15),
        }
    ),
}
