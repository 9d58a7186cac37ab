"""Printed and laid patterns that cover tables and floors, and finishes of shop equipment: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import CERAMICS, GREYS, INKS, PAINTS, PAPERS

__all__ = ["PATTERNED"]

PATTERNED: dict[str, Family] = {
    "checker": Family(
        {
            "colour": Palette(PAPERS, "one colour"),
            "second": Palette(INKS, "the other"),
            "square_mm": Range(5.0, 60.0, 25.0, "side of a square; squares lie along the object's axes"),
            "roughness": roughness(0.25, 0.6),
            "wear": wear(0.3),
            "dust": dust(0.1),
        }
    ),
    "stripes": Family(
        {
            "colour": Palette(PAPERS, "ground"),
            "second": Palette(PAINTS, "stripes, which run along the object's x axis"),
            "pitch_mm": Range(4.0, 60.0, 20.0, "from stripe to stripe"),
            "share": Range(0.1, 0.9, 0.5, "of the pitch that a stripe covers"),
            "roughness": roughness(0.3, 0.7),
            "wear": wear(0.3),
            "dust": dust(0.1),
        }
    ),
    "cutting_mat": Family(
        {
            "colour": Palette(((0.01, 0.09, 0.05), (0.01, 0.05, 0.14), (0.03, 0.03, 0.035)), "mat"),
            "second": Palette(((0.55, 0.62, 0.35), (0.62, 0.62, 0.58)), "printed lines: every centimetre and five"),
            "roughness": roughness(0.45, 0.65),
            "wear": wear(0.5),
            "dust": dust(0.2),
        }
    ),
    "graph_paper": Family(
        {
            "colour": Palette(PAPERS, "sheet", jitter=0.05),
            "second": Palette(((0.25, 0.42, 0.62), (0.62, 0.36, 0.22), (0.3, 0.45, 0.35)), "lines"),
            "pitch_mm": Range(1.0, 10.0, 5.0, "from line to line; every fifth is heavier"),
            "roughness": roughness(0.5, 0.8),
            "wear": wear(0.3),
            "dust": dust(0.1),
        }
    ),
    "tiles": Family(
        {
            "colour": Palette(CERAMICS, "glaze"),
            "second": Palette(GREYS, "grout"),
            "tile_mm": Range(20.0, 150.0, 75.0, "side of a tile"),
            "roughness": roughness(0.05, 0.4),
            "wear": wear(0.3),
            "dust": dust(0.2),
        }
    ),
    "powder_coat": Family(
        {
            "colour": Palette(PAINTS, "powder"),
            "roughness": roughness(0.3, 0.6),
            "grain": Range(0.0, 1.0, 0.5, "0: smooth with orange peel, 1: fine sandy texture"),
            "wear": wear(0.3),
            "dust": dust(0.2),
        }
    ),
    "belt": Family(
        {
            "colour": Palette(
                ((0.02, 0.10, 0.075), (0.03, 0.03, 0.032), (0.55, 0.55, 0.52), (0.02, 0.06, 0.18)), "PVC"
            ),
            "roughness": roughness(0.35, 0.6),
            "fabric_mm": Range(0.6, 2.5, 1.2, "pitch of the cloth that shows through the cover"),
            "wear": wear(0.5),
            "dust": dust(0.3),
        }
    ),
}
