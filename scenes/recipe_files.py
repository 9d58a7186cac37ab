"""The files that a recipe names: found from its folder, hashed, and read once, so that a broken one is found first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..assets.backplates import backplate_files
from ..assets.files import remember
from ..assets.hdris import BUILT_IN, check_hdri, hdri_files
from ..assets.ingested import INGESTED, Ingest, Source, user_mesh
from ..assets.material import FileRef, Material
from ..assets.mesh_files import DEFAULTS
from ..assets.mesh_sources import brings_materials
from ..assets.reach import Reach
from ..assets.textures import texture_files
from ..assets.transparency import transparent_parts
from ..errors import AssetError
from .distribution import Distribution
from .recipe import BACKPLATES, TEXTURES, Recipe
from .recipe_materials import OWN, MaterialSpec
from .recipe_objects import AssetSpec
from .rules import rule_distribution

__all__ = ["recipe_files"]

Files = dict[str, tuple[FileRef, ...]]


def recipe_files(recipe: Recipe, reach: Reach, ingest: Ingest) -> tuple[Files, dict[str, FileRef]]:
    """`Recipe.files` and `Recipe.libraries` of a recipe whose paths start from `reach.base`, and lead nowhere else.

    Raises:
        AssetError, ValueError: naming the place in the recipe, the file and what is wrong with it.
    """
    files, libraries = _mesh_files(recipe, reach, ingest)
    files |= _hdri_files(recipe, reach) | _texture_files(recipe, reach) | _backplate_files(recipe, reach)
    return files, libraries


def _mesh_files(recipe: Recipe, reach: Reach, ingest: Ingest) -> tuple[Files, dict[str, FileRef]]:
    found: Files = {}
    libraries: dict[str, FileRef] = {}
    for group in ("objects", "distractors"):
        spec = getattr(recipe, group)
        for i, asset in enumerate(spec.assets if spec else ()):
            if asset.path is not None:
                with _named(f"{group}.assets.{i}.path"):
                    made = _meshes(reach.files(asset.path), asset, ingest)
                    if any(map(recipe.labels.sees_through, asset.categories)):
                        _check_clarity(made, asset)
                    found[asset.own_key if any(made.values()) else asset.path] = tuple(made)
                    libraries |= {mesh.sha256: library for mesh, library in made.items() if library is not None}
    return found, libraries


def _hdri_files(recipe: Recipe, reach: Reach) -> Files:
    found: Files = {}
    for where, dist in _anywhere(recipe, "world.hdri", recipe.world.hdri).items():
        for name in map(str, dist.values()):
            if name not in BUILT_IN and name not in found:
                with _named(where):
                    found[name] = _panoramas(reach, name)
    return found


def _anywhere(recipe: Recipe, path: str, own: Distribution) -> dict[str, Distribution]:
    """All distributions that a path can have, by where they stand: the recipe's own, and those of rules."""
    return {path: own} | {
        f"rules.{i}.set.{path}": rule_distribution(recipe, path, i)
        for i, rule in enumerate(recipe.rules)
        if path in rule.set
    }


def _backplate_files(recipe: Recipe, reach: Reach) -> Files:
    found: Files = {}
    dists = {} if recipe.backplate is None else _anywhere(recipe, "backplate.images", recipe.backplate.images)
    for where, dist in dists.items():
        for name in map(str, dist.values()):
            if BACKPLATES + name not in found:
                with _named(where):
                    found[BACKPLATES + name] = backplate_files(reach.place(name), recipe.render.size, reach)
    return found


def _texture_files(recipe: Recipe, reach: Reach) -> Files:
    found: Files = {}
    for where, spec in _materials(recipe):
        for name in () if spec.textures is None else map(str, spec.textures.values()):
            if TEXTURES + name not in found:
                with _named(f"{where}.textures"):
                    found[TEXTURES + name] = texture_files(reach.place(name), reach)
    return found


def _materials(recipe: Recipe) -> Iterator[tuple[str, MaterialSpec]]:
    """Every material that the recipe names, and where."""
    for group in ("objects", "distractors"):
        kinds = getattr(recipe, group)
        for i, asset in enumerate(kinds.assets if kinds else ()):
            for part, specs in (asset.materials or {}).items():
                yield from ((f"{group}.assets.{i}.materials.{part}.{k}", spec) for k, spec in enumerate(specs))
    yield from ((f"surface.materials.{k}", spec) for k, spec in enumerate(recipe.surface.materials))
    for part, specs in ((recipe.container.materials if recipe.container else None) or {}).items():
        yield from ((f"container.materials.{part}.{k}", spec) for k, spec in enumerate(specs))


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Say which place of the recipe names a file that cannot be used."""
    try:
        yield
    except AssetError as e:
        raise AssetError(f"{where}: {e}") from None
    except (ValueError, OSError) as e:
        raise ValueError(f"{where}: {e}") from None


def _meshes(paths: list[Path], asset: AssetSpec, ingest: Ingest) -> dict[FileRef, FileRef | None]:
    """The mesh files of an asset, and the library of each one that was ingested.

    Raises:
        ValueError: `materials` names a part that no file has, or keeps what a file has not.
    """
    made: dict[FileRef, FileRef | None] = {}
    parts: dict[str, None] = {}
    for path in paths:
        if _is_plain(path, asset):
            ref, library = remember(path), None
        else:
            ingested = ingest(Source(path, asset.unit, asset.up, asset.collection))
            ref, library = ingested.mesh, ingested.library
        made[ref] = library
        found = user_mesh(ref, asset.unit, asset.up)
        parts |= dict.fromkeys(found.mesh.part_names)
        for part in found.mesh.part_names:
            specs = (asset.materials or {}).get(part, (asset.materials or {}).get("all", ()))
            if part not in found.own and any(spec.family == OWN for spec in specs):
                raise ValueError(f"materials: {part!r} of {path.name} has no material of its own; name another")
    asset.check_parts(paths[0].name if len(paths) == 1 else f"what {asset.path!r} names", parts)
    return made


def _check_clarity(made: Iterable[FileRef], asset: AssetSpec) -> None:
    """AssetError when labels are to look through a material of a file whose nodes do not tell what it lets through."""
    for ref in made:
        found = user_mesh(ref, asset.unit, asset.up)
        given = asset.materials or {}
        specs = {part: given.get(part, given.get("all", ())) for part in found.mesh.part_names if part in found.own}
        kept = [part for part, choice in specs.items() if not choice or any(s.family == OWN for s in choice)]
        transparent_parts({part: Material(family=OWN) for part in kept}, found.opacity)


def _is_plain(path: Path, asset: AssetSpec) -> bool:
    """Whether the file is read as triangles alone: it has no materials, or the recipe replaces all of them."""
    suffix = path.suffix.lower()
    if suffix not in INGESTED:
        return True  # STL and PLY; what is no mesh is refused when it is read
    return suffix in DEFAULTS and (asset.replaces_all or not brings_materials(path))


def _panoramas(reach: Reach, name: str) -> tuple[FileRef, ...]:
    path = reach.place(name)
    if not name or not path.exists():
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"built in are {', '.join(sorted(BUILT_IN))}"
        raise ValueError(f"{name!r} is neither a built-in panorama nor a file or folder in {reach.base}; {hint}")
    paths = hdri_files(path, reach) if path.is_dir() else [path]
    for p in paths:
        check_hdri(p)
    return tuple(remember(p) for p in paths)
