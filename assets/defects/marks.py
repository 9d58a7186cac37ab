"""Kinds that change the look of a surface: their numbers, and the functions that draw them."""

from __future__ import annotations

from ..materials import FAMILIES
from .exposed import COATED, METALS
from .films import burn_layers, burn_look, oil_layers, oil_look
from .kind import Grows, Kind
from .lines import crack_layers, crack_look, scratch_layers, scratch_look
from .patches import corrosion_layers, corrosion_look, misprint_layers, misprint_look, wear_layers, wear_look
from .spots import dust_layers, dust_look, pitting_layers, pitting_look
from .stains import stain_layers, stain_look

__all__ = ["MARKS"]

CONTRAST = Grows(0.45, 0.97, "how far what lies below shows, 0 … 1", most=1.0)
DENSITY = Grows(0.25, 0.85, "how far it covers what is below, 0 … 1", most=0.97)
#: What can crack: not what yields, as steel and cloth do.
BRITTLE = frozenset({
    "glass", "ceramic", "plastic", "acrylic", "concrete", "wood", "cast_steel", "painted_metal", "marbled", "speckled",
    "tiles", "rubber", "textured",
})  # fmt: skip
#: What a sharp thing leaves a line on: cloth it would tear.
HARD = frozenset(FAMILIES) - {"fabric", "felt", "belt", "concrete", "cardboard"}
#: What can be discoloured by heat, and shows it.
CHARS = METALS | {"wood", "cardboard", "paper", "fabric", "felt", "plastic", "leather", "rubber", "textured", "printed"}

MARKS: dict[str, Kind] = {
    "scratch": Kind(
        category="scratch", description="a line that a sharp thing drew: what lies below the surface shows",
        families=HARD,
        values={
            "length_mm": Grows(0.14, 0.75, "length, mm", of_size=True, least=0.8),
            "width_mm": Grows(0.0035, 0.014, "width, mm", of_size=True, least=0.03, most=1.2),
            "depth_mm": Grows(0.008, 0.08, "depth, mm"),
            "contrast": CONTRAST,
        },
        size=lambda v: (1.08 * v["length_mm"], 0.24 * v["length_mm"] + 12 * v["width_mm"]),
        layers=scratch_layers, look=scratch_look, depth=lambda d: d.values["depth_mm"],
    ),
    "crack": Kind(
        category="crack", description="a branching crack", families=BRITTLE,
        values={
            "length_mm": Grows(0.22, 0.8, "length, mm", of_size=True, least=0.8),
            "width_mm": Grows(0.004, 0.015, "opening, mm", of_size=True, least=0.03, most=1.0),
            "branching": Grows(0.08, 1.0, "share of its branches that have grown", most=1.0),
            "contrast": CONTRAST,
        },
        size=lambda v: (1.25 * v["length_mm"], 0.85 * v["length_mm"]),
        layers=crack_layers, look=crack_look,
    ),
    "pitting": Kind(
        category="pitting", description="a field of small pits",
        families=METALS | {"painted_metal", "powder_coat", "concrete", "ceramic", "plastic", "speckled", "textured"},
        values={
            "width_mm": Grows(0.12, 0.55, "diameter of the field, mm", of_size=True, least=0.8),
            "pit_mm": Grows(0.012, 0.030, "median diameter of a pit, mm", of_size=True, least=0.06, most=2.5),
            "pits": Grows(6, 65, "number of pits", most=70, spread=0.02),
            "depth_mm": Grows(0.03, 0.3, "depth of the deepest, mm"),
            "contrast": Grows(0.7, 0.98, "how dark they are, 0 … 1", most=1.0),
        },
        size=lambda v: (1.0 * v["width_mm"] + 3 * v["pit_mm"], 1.0 * v["width_mm"] + 3 * v["pit_mm"]),
        layers=pitting_layers, look=pitting_look, depth=lambda d: d.values["depth_mm"],
    ),
    "corrosion": Kind(
        category="corrosion", description="rust, or the salts of other metals",
        families=METALS | {"painted_metal", "powder_coat"},
        values={
            "width_mm": Grows(0.10, 0.6, "mean diameter, mm", of_size=True, least=0.8),
            "scale_mm": Grows(0.01, 0.12, "height of the crust, mm"),
            "density": Grows(0.3, 0.97, "how far it covers the metal, 0 … 1", most=1.0),
        },
        size=lambda v: (1.5 * v["width_mm"], 1.5 * v["width_mm"]),
        layers=corrosion_layers, look=corrosion_look,
    ),
    "stain": Kind(
        category="stain", description="dried liquid: a blot with a darker rim",
        values={
            "width_mm": Grows(0.08, 0.42, "mean diameter, mm", of_size=True, least=0.8),
            "density": DENSITY,
        },
        size=lambda v: (1.6 * v["width_mm"], 1.6 * v["width_mm"]),
        layers=stain_layers, look=stain_look,
    ),
    "dust": Kind(
        category="contamination", description="specks of dust and short lint in one place",
        values={
            "width_mm": Grows(0.2, 0.6, "diameter of the field, mm", of_size=True, least=1.0),
            "speck_mm": Grows(0.012, 0.020, "median diameter of a speck, mm", of_size=True, least=0.05, most=0.9),
            "share": Grows(0.08, 1.0, "share of its specks that are there", most=1.0, spread=0.02),
            "contrast": CONTRAST,
        },
        size=lambda v: (1.05 * v["width_mm"], 1.05 * v["width_mm"]),
        layers=dust_layers, look=dust_look,
    ),
    "oil": Kind(
        category="contamination", description="a film of oil: dark and wet",
        families=None,
        values={
            "width_mm": Grows(0.09, 0.45, "mean diameter, mm", of_size=True, least=0.8),
            "film_mm": Grows(0.01, 0.06, "thickness at the rim, mm"),
            "density": Grows(0.5, 0.97, "how far it wets the surface, 0 … 1", most=1.0),
        },
        size=lambda v: (1.55 * v["width_mm"], 1.55 * v["width_mm"]),
        layers=oil_layers, look=oil_look,
    ),
    "burn": Kind(
        category="burn", description="a heat mark: temper colours on steel, char on what burns", families=CHARS,
        values={
            "width_mm": Grows(0.10, 0.5, "mean diameter, mm", of_size=True, least=0.8),
            "density": Grows(0.4, 0.97, "how far it discolours, 0 … 1", most=1.0),
        },
        size=lambda v: (1.6 * v["width_mm"], 1.6 * v["width_mm"]),
        layers=burn_layers, look=burn_look,
    ),
    "wear": Kind(
        category="wear", description="coating or print rubbed off", families=COATED,
        values={
            "length_mm": Grows(0.12, 0.6, "length, mm", of_size=True, least=0.8),
            "width_mm": Grows(0.05, 0.3, "width, mm", of_size=True, least=0.4),
            "depth_mm": Grows(0.01, 0.05, "thickness of what is gone, mm"),
            "contrast": CONTRAST,
        },
        size=lambda v: (1.5 * v["length_mm"], 1.5 * v["width_mm"]),
        layers=wear_layers, look=wear_look, regions={"edge": 1.0, "all": 1.0}, depth=lambda d: d.values["depth_mm"],
    ),
    "misprint": Kind(
        category="misprint", description="ink of another colour, smeared over a print", families=frozenset({"printed"}),
        values={
            "length_mm": Grows(0.10, 0.5, "length, mm", of_size=True, least=0.8),
            "width_mm": Grows(0.03, 0.14, "width, mm", of_size=True, least=0.3),
            "contrast": CONTRAST,
        },
        size=lambda v: (1.1 * v["length_mm"], 1.3 * v["width_mm"]),
        layers=misprint_layers, look=misprint_look,
    ),
}  # fmt: skip
