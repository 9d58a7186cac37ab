"""Materials of objects and of the surface: a family chosen by weight, and its values drawn."""

from __future__ import annotations

from collections.abc import Mapping

from ..assets.library import SHAPES
from ..assets.material import FileRef, Material
from ..assets.materials import FAMILIES, Range, material_rand
from ..assets.mesh import Mesh
from ..assets.shape import Weights
from ..errors import AssetError
from .distributions import Uniform
from .object_draws import ObjectDraws, SurfaceDraws
from .recipe import Recipe
from .recipe_materials import MaterialSpec
from .recipe_objects import AssetSpec
from .rules import ImageDraws
from .scene import Draw, Surface

__all__ = ["materials", "part_materials", "surface"]

DEFAULT_FILE_MATERIAL = (MaterialSpec(family="plastic"),)
TEXTURED = MaterialSpec.model_construct(family="textured")  # which a recipe cannot name: it comes with the mesh


def materials(
    asset: AssetSpec, path: str, mesh: Mesh, texture: FileRef | None, draws: ObjectDraws
) -> dict[str, Material]:
    """Part → material of one object; `texture` is the picture that its mesh file brings."""
    given = asset.materials or {}
    if texture is not None and not {"all", *mesh.part_names} & given.keys():
        return {p: _material(TEXTURED, "", f"{path}.materials.{p}", draws, p, texture) for p in mesh.part_names}
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


def _material(
    spec: MaterialSpec, path: str, own: str, draws: ObjectDraws, part: str, texture: FileRef | None = None
) -> Material:
    """A material with its values drawn: the recipe's at `path`, the family's own numbers at `own`, colours by palette.

    The two differ where the recipe gives one material for all parts: its values are theirs in common, the others not.
    """
    given = {name: draws(f"{path}.values.{name}", dist) for name, dist in spec.values.items()}
    for name, limit in FAMILIES[spec.family].values.items():
        if name not in given and isinstance(limit, Range):
            given[name] = draws(f"{own}.values.{name}", Uniform(dist="uniform", low=limit.low, high=limit.high))
    made = material_rand(draws.rng(f"material.{part}"), spec.family, given, texture)  # type: ignore[arg-type]  # checked
    draws.draws |= {f"{own}.values.{name}": Draw(value=v) for name, v in made.values.items() if name not in given}
    return made


def surface(recipe: Recipe, draw: ImageDraws) -> Surface:
    """The table."""
    which = draw.surface_material()
    draws, path = SurfaceDraws(draw, "surface"), f"surface.materials.{which}"
    material = _material(recipe.surface.materials[which], path, path, draws, "all")
    draw.draws |= draws.draws
    return Surface(size=(draw("surface.size.0"), draw("surface.size.1")), material=material)
