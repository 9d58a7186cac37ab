"""What surfaces can be made of: all families, and the pair that makes or draws a material."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import AssetError
from .families_broken import BROKEN
from .families_glossy import GLOSSY
from .families_machined import MACHINED
from .families_metals import METALS
from .families_natural import NATURAL
from .families_patterned import PATTERNED
from .families_pictured import PICTURED
from .families_polymers import POLYMERS
from .material import RGB, Material, Texture
from .material_values import Family, Palette, Range

__all__ = ["FAMILIES", "Family", "Palette", "Range", "material", "material_rand"]

#: Seeds are drawn below this bound, so that they survive JSON readers that keep numbers as 32-bit integers.
SEED_BOUND = 2**31

FAMILIES: dict[str, Family] = {**METALS, **NATURAL, **POLYMERS, **GLOSSY, **PATTERNED, **PICTURED, **MACHINED, **BROKEN}


def material(family: str, values: Mapping[str, float | RGB], seed: int, texture: Texture | None = None) -> Material:
    """A checked material; values that are not given take their defaults, so that the result is complete.

    Raises AssetError for an unknown family or value (naming the choices), a value outside its limits, a negative
    seed, or a texture where the family has none, and the other way round.
    """
    spec = _family(family)
    _known(family, values)
    if seed < 0:
        raise AssetError(f"a material's seed must be 0 or more, got {seed}")
    if spec.needs_texture != (texture is not None):
        rule = "needs a texture" if spec.needs_texture else "takes no texture: use the family 'textured'"
        raise AssetError(f"material family {family!r} {rule}")
    complete = {
        name: limit.check(f"{family}.{name}", values.get(name, limit.default)) for name, limit in spec.values.items()
    }
    return Material(family=family, values=complete, seed=seed, texture=texture)


def material_rand(
    rng: np.random.Generator, family: str, given: Mapping[str, float | RGB], texture: Texture | None = None
) -> Material:
    """A material with the values in `given`, the others and the seed drawn.

    Every value is drawn, given or not, each from its own child generator, so that fixing one moves no other.
    """
    spec = _family(family)
    _known(family, given)
    seed = int(rng.integers(SEED_BOUND))
    children = rng.spawn(len(spec.values))
    drawn = {name: limit.draw(child) for (name, limit), child in zip(spec.values.items(), children, strict=True)}
    return material(family, {**drawn, **given}, seed, texture)


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise AssetError(f"unknown material family {name!r}; the families are {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _known(family: str, values: Mapping[str, object]) -> None:
    spec = FAMILIES[family]
    for name in values:
        if name not in spec.values:
            raise AssetError(f"material family {family!r} has no value {name!r}; it has {', '.join(spec.values)}")
