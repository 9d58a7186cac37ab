"""Wood, board, paper, stone and cloth, and what is printed on them: the families' values."""

from __future__ import annotations

from .material_values import Family, Palette, Range, dust, roughness, wear
from .palettes import FABRICS, GREYS, INKS, KRAFTS, LEATHERS, PAINTS, PAPERS, WOODS

__all__ = ["NATURAL"]

NATURAL: dict[str, Family] = {
    "wood": Family(
        {
            "colour": Palette(WOODS, "earlywood", jitter=0.1),
            "roughness": roughness(0.28, 0.6),
            "plank_m": Range(0.08, 0.12, 0.1, "width of a plank; planks run along the object's x axis"),
            "ring_mm": Range(2.0, 5.0, 3.5, "width of a growth ring"),
            "knots": Range(0.0, 1.0, 0.4, "how many knots"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "cardboard": Family(
        {
            "colour": Palette(KRAFTS, "liner", jitter=0.08),
            "flute_mm": Range(4.0, 8.0, 6.5, "pitch of the corrugation that shows through"),
            "wear": wear(),
            "dust": dust(),
        }
    ),
    "concrete": Family(
        {
            "colour": Palette(GREYS, "cement", jitter=0.08),
            "roughness": roughness(0.6, 0.85),
            "pores": Range(0.0, 1.0, 0.5, "air bubbles at the surface"),
            "stains": Range(0.0, 1.0, 0.5, "oil and water marks, 10–30 cm"),
            "cracks": Range(0.0, 1.0, 0.3, "hairline cracks"),
            "dust": dust(),
        }
    ),
    "fabric": Family(
        {
            "colour": Palette(FABRICS, "yarn"),
            "thread_mm": Range(0.7, 1.8, 1.0, "pitch of the plain weave"),
            "fuzz": Range(0.0, 1.0, 0.5, "loose fibres that catch light at grazing angles"),
            "creases": Range(0.0, 1.0, 0.4, "soft folds"),
            "dust": dust(0.15),
        }
    ),
    "leather": Family(
        {
            "colour": Palette(LEATHERS, "dye"),
            "roughness": roughness(0.32, 0.6),
            "grain_mm": Range(0.4, 3.0, 1.1, "width of a pebble of the grain", usual=(0.7, 1.8)),
            "relief": Range(0.0, 1.0, 0.5, "depth of the furrows: 0 is ironed smooth, 1 is shrunken grain"),
            "wear": wear(0.2),
            "dust": dust(0.05),
        }
    ),
    "paper": Family(
        {
            "colour": Palette(PAPERS, "sheet", jitter=0.05),
            "roughness": roughness(0.5, 0.8),
            "creases": Range(0.0, 1.0, 0.3, "folds and handling marks"),
            "wear": wear(0.3),
            "dust": dust(0.1),
        }
    ),
    "printed": Family(
        {
            "colour": Palette(PAINTS, "ground"),
            "ink": Palette(INKS, "what is printed on it"),
            "roughness": roughness(0.2, 0.5),
            "metallic": Range(0.0, 1.0, 0.0, "how much the ground is bare or lacquered metal, as on cans"),
            "repeats": Range(1.0, 3.0, 1.0, "how often the design comes along the UV map's u, as a whole number"),
            "wear": wear(0.2),
            "dust": dust(0.1),
        }
    ),
}
