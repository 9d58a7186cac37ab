"""Which parts of a thing can be looked through: what labels need to know where its category is "see_through"."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import AssetError
from .material import Material
from .materials import FAMILIES

__all__ = ["TRANSPARENT", "transparent_parts"]

#: A material is transparent that lets more than this share of the light through without scattering it. A family's share
#: is `Family.transmission`: 1 for glass whatever its tint, dust and smudges, and 0 for all others. Wax and acrylic
#: glow, but their light is scattered, and nothing can be recognised behind them.
TRANSPARENT = 0.5


def transparent_parts(materials: Mapping[str, Material]) -> tuple[str, ...]:
    """The parts of a mesh whose material is transparent, in the order of `materials`.

    Raises:
        AssetError: a part has the material of its file, which nothing is known about.
    """
    for part, m in materials.items():
        if m.family not in FAMILIES:
            raise AssetError(
                f"labels.transparency: see_through: what the file's own material of {part!r} lets through is not known:"
                " give that part one of the families in `materials`, or leave its category solid"
            )
    return tuple(part for part, m in materials.items() if FAMILIES[m.family].transmission > TRANSPARENT)
