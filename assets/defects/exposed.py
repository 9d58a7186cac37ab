"""What comes to light where a surface is hurt: the bare metal below paint, the pale wood below varnish."""

from __future__ import annotations

from ..defect import Look
from ..material import RGB, Material

__all__ = ["COATED", "METALS", "contrasting", "exposed", "luminance"]

STEEL: RGB = (0.56, 0.56, 0.57)
BRIGHT: RGB = (0.80, 0.80, 0.79)

#: Families of bare or thinly covered metal.
METALS = frozenset({"brushed_steel", "cast_steel", "zinc", "brass", "black_oxide", "turned", "milled", "anodised"})
#: Families with something on top that can come off.
COATED = frozenset({
    "painted_metal", "powder_coat", "zinc", "black_oxide", "anodised", "printed", "wood", "ceramic", "leather",
    "marbled", "speckled",
})  # fmt: skip

#: Family → colour, roughness, metallic of what lies below. The others show their own substance, paler or darker.
BELOW: dict[str, tuple[RGB, float, float]] = {
    "brushed_steel": (BRIGHT, 0.16, 1.0),
    "turned": (BRIGHT, 0.16, 1.0),
    "milled": (BRIGHT, 0.16, 1.0),
    "anodised": (BRIGHT, 0.25, 1.0),
    "cast_steel": (STEEL, 0.28, 1.0),
    "zinc": ((0.40, 0.40, 0.42), 0.35, 1.0),
    "brass": ((0.95, 0.82, 0.50), 0.14, 1.0),
    "black_oxide": (STEEL, 0.25, 1.0),
    "painted_metal": (STEEL, 0.32, 1.0),
    "powder_coat": (STEEL, 0.32, 1.0),
}


def exposed(material: Material) -> Look:
    """The look of a material where its surface has been taken off."""
    if material.family in BELOW:
        colour, roughness, metallic = BELOW[material.family]
        return Look(colour=colour, roughness=roughness, metallic=metallic)
    if material.family == "glass":
        return Look(colour=(0.86, 0.87, 0.87), roughness=0.6, metallic=0.0)
    return Look(colour=contrasting(material), roughness=0.85, metallic=0.0)


def contrasting(material: Material) -> RGB:
    """A colour of the same substance that stands out: whitened where the surface is dark, soiled where it is light."""
    own = material.values.get("colour")
    if not isinstance(own, tuple):
        return (0.035, 0.032, 0.03)
    if luminance(own) > 0.28:
        r, g, b = (0.22 * c for c in own)
    else:
        r, g, b = (0.45 * c + 0.42 for c in own)
    return (round(r, 9), round(g, 9), round(b, 9))


def luminance(colour: RGB) -> float:
    """Relative luminance of linear Rec.709."""
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
