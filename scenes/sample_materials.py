"""Materials of objects and of the surface: a family chosen by weight, and its values drawn."""

from __future__ import annotations

from collections.abc import Mapping, Set

from ..assets.library import SHAPES
from ..assets.material import Material
from ..assets.materials import FAMILIES, Range, material_rand
from ..assets.mesh import Mesh
from ..assets.shape import Weights
from ..errors import AssetError
from .distributions import Uniform
from .object_draws import ObjectDraws, SurfaceDraws
from .recipe import Recipe
from .recipe_materials import OWN, MaterialSpec
from .recipe_objects import AssetSpec
from .rules import ImageDraws
from .scene import Draw, Surface

__all__ = ["materials", "part_materials", "surface"]

DEFAULT_FILE_MATERIAL = (MaterialSpec(family="plastic"),)
OWN_MATERIAL = (MaterialSpec(family=OWN),)


def materials(asset: AssetSpec, path: str, mesh: Mesh, own: Set[str], draws: ObjectDraws) -> dict[str, Material]:
    """Part → material of one object; `own` are the parts that have one in their file, and keep it by default."""
    given = dict(asset.materials or {})
    if "all" not in given:
        given |= {part: OWN_MATERIAL for part in mesh.part_names if part in own and part not in given}
    return part_materials(given, None if asset.shape is None else SHAPES[asset.shape].materials, path, mesh, draws)


def part_materials(
    given: Mapping[str, tuple[MaterialSpec, ...]],
    usual: Mapping[str, Weights] | None,
    path: str,
    mesh: Mesh,
    draws: ObjectDraws,
) -> dict[str, Material]:
    """Part → material: from `given` by the part's name or "all", else from the `usual` ones (None: of any file)."""
    chosen: dict[str, Material] = {}
    for part in mesh.part_names:
        key = part if part in given else "all"
        specs = given.get(key) or _usual(usual, part)
        which = draws.pick(f"{path}.materials.{part}", [s.family for s in specs], [s.weight for s in specs])
        spec, place = specs[which], f"{path}.materials.{key}.{which}"
        if spec.family == "printed" and mesh.uv is None:
            raise AssetError(f"{place}: 'printed' needs texture coordinates, which this mesh has not: unwrap it")
        chosen[part] = _material(spec, place, f"{path}.materials.{part}.{which}", draws, part)
    return chosen


def _usual(usual: Mapping[str, Weights] | None, part: str) -> tuple[MaterialSpec, ...]:
    if usual is None:
        return DEFAULT_FILE_MATERIAL
    return tuple(MaterialSpec(family=f, weight=w) for f, w in usual[part].items())


def _material(spec: MaterialSpec, path: str, own: str, draws: ObjectDraws, part: str) -> Material:
    """A material with its values drawn: the recipe's at `path`, the family's own numbers at `own`, colours by palette.

    The two differ where the recipe gives one material for all parts: its values are theirs in common, the others not.
    """
    if spec.family == OWN:
        return Material(family=OWN)
    given = {name: draws(f"{path}.values.{name}", dist) for name, dist in spec.values.items()}
    for name, limit in FAMILIES[spec.family].values.items():
        if name not in given and isinstance(limit, Range):
            given[name] = draws(f"{own}.values.{name}", Uniform(dist="uniform", low=limit.low, high=limit.high))
    made = material_rand(draws.rng(f"material.{part}"), spec.family, given)  # type: ignore[arg-type]  # checked
    draws.draws |= {f"{own}.values.{name}": Draw(value=v) for name, v in made.values.items() if name not in given}
    return made


def surface(recipe: Recipe, draw: ImageDraws) -> Surface:
    """The table."""
    which = draw.surface_material()
    draws, path = SurfaceDraws(draw, "surface"), f"surface.materials.{which}"
    material = _material(recipe.surface.materials[which], path, path, draws, "all")
    draw.draws |= draws.draws
    return Surface(size=(draw("surface.size.0"), draw("surface.size.1")), material=material)
