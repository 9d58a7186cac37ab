"""Materials of objects and of the surface: a family chosen by weight, and its values drawn."""

from __future__ import annotations

from collections.abc import Mapping, Set

from ..assets.library import SHAPES
from ..assets.material import Material, Texture
from ..assets.materials import FAMILIES, Range, material_rand
from ..assets.mesh import Mesh
from ..assets.shape import Weights
from ..assets.textures import textures_of
from ..errors import AssetError
from .distributions import Constant, Dist, Uniform
from .object_draws import ObjectDraws, SurfaceDraws
from .recipe import TEXTURES, Recipe
from .recipe_materials import OWN, PLACED, MaterialSpec
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
        if spec.textures is not None and spec.mapping == "uv" and mesh.uv is None:
            raise AssetError(f"{place}: this mesh has no texture coordinates: unwrap it, or use `mapping: box`")
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
    limits = FAMILIES[spec.family].values
    given = {name: draws(f"{path}.values.{name}", dist) for name, dist in spec.values.items()}
    fixed = {name: limits[name].default for name in PLACED} if spec.mapping == "uv" else {}
    for name, limit in limits.items():
        if name not in (*given, *fixed) and isinstance(limit, Range):
            given[name] = draws(f"{own}.values.{name}", _usual_values(limit))
    texture = None if spec.textures is None else _texture(spec, path, draws)
    given |= fixed
    made = material_rand(draws.rng(f"material.{part}"), spec.family, given, texture)  # type: ignore[arg-type]  # checked
    draws.draws |= {f"{own}.values.{name}": Draw(value=v) for name, v in made.values.items() if name not in given}
    return made


def _usual_values(limit: Range) -> Dist:
    low, high = limit.drawn
    return Constant(value=low) if low == high else Uniform(dist="uniform", low=low, high=high)


def _texture(spec: MaterialSpec, path: str, draws: ObjectDraws) -> Texture:
    """The folder of maps, drawn; among several below it one is drawn too, as the value at `textures.folder`."""
    assert spec.textures is not None
    named = str(draws(f"{path}.textures", spec.textures))
    found = textures_of(draws.image.recipe.files[TEXTURES + named], spec.normals, spec.mapping)
    return found[draws.pick(f"{path}.textures.folder", [texture.name for texture in found])]


def surface(recipe: Recipe, draw: ImageDraws, photographed: bool = False) -> Surface:
    """The table; one that is `photographed` has the looks of a backplate."""
    size = draw("surface.size.0"), draw("surface.size.1")
    if photographed:
        return Surface(size=size, material=Material(family="backplate"))
    which = draw.surface_material()
    draws, path = SurfaceDraws(draw, "surface"), f"surface.materials.{which}"
    spec = recipe.surface.materials[which]
    if spec.mapping == "uv":
        raise AssetError(f"{path}: the surface has no texture coordinates: use `mapping: box`")
    material = _material(spec, path, path, draws, "all")
    draw.draws |= draws.draws
    return Surface(size=size, material=material)
