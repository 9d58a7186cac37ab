"""Kinds that change the form of a part: their numbers, and the functions that do it."""

from __future__ import annotations

from ..materials import FAMILIES
from .bends import bent_damage, warped_damage
from .chips import blister_damage, chip_damage
from .displace import BURR_END, dent_damage, dent_layers, gouge_damage, gouge_layers, gouge_look
from .kind import Grows, Kind
from .missing import hole_layers, pip_damage, screw_damage, tooth_damage
from .substance import broken, kept
from .tubes import fibre_damage, fibre_inside, hair_damage, hair_inside

__all__ = ["SOLIDS"]

#: What does not yield: glass and stone break.
STIFF = frozenset({"glass", "ceramic", "concrete", "tiles"})
YIELDING = frozenset(FAMILIES) - STIFF
#: What neither keeps a dent nor has an inside to lay bare, and what tears rather than breaks.
CLOTH = frozenset({"fabric", "felt"})
TOUGH = CLOTH | {"leather", "rubber", "belt", "paper"}

SOLIDS: dict[str, Kind] = {
    "gouge": Kind(
        category="gouge", description="a groove torn into the material, with a burr along its sides",
        families=frozenset(FAMILIES) - CLOTH,
        values={
            "length_mm": Grows(0.10, 0.45, "length, mm", of_size=True, least=0.8),
            "width_mm": Grows(0.014, 0.05, "width, mm", of_size=True, least=0.12),
            "depth_mm": Grows(0.0014, 0.014, "depth, mm", of_size=True, least=0.02),
            "contrast": Grows(0.35, 0.97, "how far what lies below shows, 0 … 1", most=1.0),
        },
        size=lambda v: (1.02 * v["length_mm"], 1.4 * BURR_END * v["width_mm"] + 0.12 * v["length_mm"]),
        layers=gouge_layers, look=gouge_look, damage=gouge_damage, facing=0.05, depth=lambda d: d.values["depth_mm"],
    ),
    "dent": Kind(
        category="dent", description="a bowl that a blow has left",
        families=YIELDING - CLOTH,
        values={
            "width_mm": Grows(0.08, 0.32, "diameter, mm", of_size=True, least=0.5),
            "depth_mm": Grows(0.009, 0.04, "depth, mm", of_size=True, least=0.05),
        },
        size=lambda v: (1.34 * v["width_mm"], 1.16 * v["width_mm"]),
        layers=dent_layers, damage=dent_damage, facing=0.1, depth=lambda d: d.values["depth_mm"],
    ),
    "chip": Kind(
        category="chip", description="a flake broken out of an edge, with ripples like those of a shell",
        families=frozenset(FAMILIES) - TOUGH,
        values={
            "width_mm": Grows(0.06, 0.26, "its length, mm", of_size=True, least=0.4),
            "depth_mm": Grows(0.018, 0.08, "depth, mm", of_size=True, least=0.1),
        },
        size=lambda v: (1.5 * v["width_mm"], 1.5 * v["width_mm"]),
        damage=chip_damage, inside=broken, regions={"edge": 1.0}, facing=-0.2, depth=lambda d: d.values["depth_mm"],
    ),
    "bubble": Kind(
        category="bubble", description="a gas bubble that has burst at the surface: a round hole with a narrow mouth",
        families=frozenset({"glass", "acrylic", "ceramic"}),
        values={
            "width_mm": Grows(0.02, 0.10, "its diameter, mm", of_size=True, least=0.2),
            "sunk": Grows(0.62, 0.78, "its depth, in diameters", least=0.55, most=0.9),
        },
        size=lambda v: (1.3 * v["width_mm"], 1.3 * v["width_mm"]),
        damage=blister_damage, inside=kept, facing=-1.0, depth=lambda d: d.values["sunk"] * d.values["width_mm"],
    ),
    "hair": Kind(
        category="contamination", description="a hair lying on the surface",
        values={
            "length_mm": Grows(0.25, 1.0, "length, mm", of_size=True, least=1.5),
            "width_mm": Grows(0.003, 0.007, "thickness, mm", of_size=True, least=0.05, most=0.3),
        },
        size=lambda v: (0.9 * v["length_mm"], 0.45 * v["length_mm"]),
        damage=hair_damage, inside=hair_inside, facing=-1.0,
    ),
    "fibre": Kind(
        category="contamination", description="a crimped textile fibre lying on the surface",
        values={
            "length_mm": Grows(0.20, 0.8, "length, mm", of_size=True, least=1.0),
            "width_mm": Grows(0.0035, 0.010, "thickness, mm", of_size=True, least=0.08, most=0.6),
        },
        size=lambda v: (0.7 * v["length_mm"], 0.5 * v["length_mm"]),
        damage=fibre_damage, inside=fibre_inside, facing=-1.0,
    ),
    "bent": Kind(
        category="deformation", description="an end bent up", families=YIELDING,
        values={
            "angle_deg": Grows(3, 28, "angle of the bend, degrees", most=60),
            "zone_mm": Grows(0.25, 0.25, "length of the bend, mm; longer on thick parts", of_size=True),
        },
        size=lambda v: (v["zone_mm"], v["zone_mm"]), damage=bent_damage, facing=-1.0,
    ),
    "warped": Kind(
        category="deformation", description="bowed, cupped and twisted as a whole", families=YIELDING,
        values={"lift_mm": Grows(0.012, 0.12, "how far the highest place is raised, mm", of_size=True)},
        size=lambda v: (4 * v["lift_mm"], 4 * v["lift_mm"]), damage=warped_damage, facing=-1.0,
    ),
    "missing_tooth": Kind(
        category="missing_part", description="a tooth broken off, a rough stub of it left", features="tooth",
        values={"remains": Grows(0.75, 0.1, "height of the stub, in heights of the tooth", most=0.8)},
        size=lambda v: (1.0, 1.0), damage=tooth_damage, inside=broken, facing=-1.0,
        depth=lambda d: (1 - d.values["remains"]) * d.reach_mm,
    ),
    "missing_pip": Kind(
        category="missing_part", description="a pip that was never made: all of it or none", features="pip",
        values={}, size=lambda v: (1.0, 1.0), damage=pip_damage, facing=-1.0,
    ),
    "missing_screw": Kind(
        category="missing_part", description="a screw that was never put in, its hole shows: all of it or none",
        features="screw", values={}, size=lambda v: (1.0, 1.0),
        layers=hole_layers, damage=screw_damage, facing=-0.95,
    ),
}  # fmt: skip
