"""What comes to light where a part has broken, as a material of its own."""

from __future__ import annotations

import numpy as np

from ..material import RGB, Material
from ..materials import SEED_BOUND, material
from .exposed import exposed

__all__ = ["broken", "kept"]

#: Families that break as smooth as glass.
SMOOTH = frozenset({"glass", "acrylic", "marbled", "speckled"})
#: What other families are inside, where that is not what an abraded surface shows.
INSIDE: dict[str, RGB] = {
    "ceramic": (0.60, 0.53, 0.44),
    "tiles": (0.50, 0.36, 0.26),
    "concrete": (0.40, 0.39, 0.36),
    "wood": (0.55, 0.37, 0.20),
}


def broken(rng: np.random.Generator, below: Material, severity: float) -> Material:
    """The surface of a break through a material: grains of its substance; glass stays glass."""
    grain, seed = round(float(rng.uniform(0.12, 0.35)), 9), int(rng.integers(SEED_BOUND))
    if below.family == "glass":
        return below
    look = exposed(below)
    smooth = below.family in SMOOTH
    values: dict[str, float | RGB] = {
        "colour": look.colour if look.metallic else _inside(below),
        "roughness": 0.2 if smooth else max(0.35 if look.metallic else 0.6, look.roughness or 0.0),
        "metallic": look.metallic or 0.0,
        "grain_mm": grain,
        "relief": 0.15 if smooth else 0.6,
    }
    return material("fractured", values, seed)


def _inside(below: Material) -> RGB:
    """The colour of a break: a pigmented substance turns paler, as light scatters in its torn surface."""
    own = below.values.get("colour")
    if below.family in INSIDE or not isinstance(own, tuple):
        return INSIDE.get(below.family, (0.4, 0.38, 0.35))
    r, g, b = (0.72 * c + 0.14 for c in own)
    return (round(r, 9), round(g, 9), round(b, 9))


def kept(rng: np.random.Generator, below: Material, severity: float) -> Material:
    """The material of the part itself, for surfaces that set before they were hurt."""
    return below
