"""Metal as a machine tool leaves it, and anodised metal: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import ALLOYS, ANODISED

__all__ = ["MACHINED"]

MACHINED: dict[str, Family] = {
    "turned": Family(
        {
            "colour": Palette(ALLOYS, "reflectance of the metal", jitter=0.04),
            "roughness": roughness(0.12, 0.3),
            "feed_mm": Range(0.04, 0.5, 0.15, "advance of the tool in one turn", usual=(0.06, 0.3)),
            "depth": Range(0.0, 1.0, 0.5, "of the grooves: 0 is ground, 1 is a roughing cut"),
            "wear": wear(0.15),
            "dust": dust(0.05),
        }
    ),
    "milled": Family(
        {
            "colour": Palette(ALLOYS, "reflectance of the metal", jitter=0.04),
            "roughness": roughness(0.12, 0.3),
            "pass_mm": Range(2.0, 60.0, 12.0, "width of a pass of the cutter, which goes along x", usual=(6.0, 28.0)),
            "feed_mm": Range(0.05, 2.0, 0.4, "from one arc of the cutter to the next", usual=(0.15, 0.8)),
            "depth": Range(0.0, 1.0, 0.5, "of the arcs: 0 is a fine finish, 1 is a roughing cut"),
            "wear": wear(0.15),
            "dust": dust(0.05),
        }
    ),
    "anodised": Family(
        {
            "colour": Palette(ANODISED, "dye of the oxide film on aluminium", jitter=0.08),
            "roughness": roughness(0.28, 0.5),
            "grain": Range(0.0, 1.0, 0.5, "of the surface under the film: 0 is fine ground, 1 is blasted with beads"),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
}
