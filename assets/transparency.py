"""Which parts of a thing can be looked through: what labels need to know where its category is "see_through"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import AssetError
from .cutouts import Opacity
from .material import Material
from .materials import FAMILIES

__all__ = ["TRANSPARENT", "Through", "transparent_parts"]

#: A material is transparent that lets more than this share of the light through without scattering it. A family's share
#: is `Family.transmission`: 1 for glass whatever its tint, dust and smudges, and 0 for all others. Wax and acrylic
#: glow, but their light is scattered, and nothing can be recognised behind them.
TRANSPARENT = 0.5
NOTHING = Opacity()


@dataclass(frozen=True)
class Through:
    """Parts of a mesh that labels look through: the transparent ones, and those with holes (`Mesh.cutouts`)."""

    see_through: tuple[str, ...] = ()
    cut_out: tuple[str, ...] = ()


def transparent_parts(materials: Mapping[str, Material], own: Opacity = NOTHING) -> Through:
    """What can be looked through among parts with these materials, in their order; `own` is about those of the file.

    Raises:
        AssetError: a part has a material of its file whose nodes do not tell what it lets through.
    """
    clear, holes = [], []
    for part, m in materials.items():
        if m.family in FAMILIES:
            if FAMILIES[m.family].transmission > TRANSPARENT:
                clear.append(part)
        elif part in own.unclear:
            raise AssetError(
                f"labels.transparency: see_through: nobody can tell what the file's own material {part!r} lets through"
                f" ({own.unclear[part]}): simplify its nodes, give that part one of the families in `materials`, or"
                " leave its category solid"
            )
        elif part in own.clear:
            clear.append(part)
        elif part in own.cutouts:
            holes.append(part)
    return Through(tuple(clear), tuple(holes))
