"""From a YAML file (or a built-in name) and `--set` overrides to a checked `Recipe`; errors name the place."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ..assets.files import remember
from ..assets.hdris import BUILT_IN, check_hdri, hdri_files
from ..assets.material import FileRef
from ..assets.mesh_files import texture_of
from ..errors import RecipeError
from .recipe import Recipe
from .rules import check_rules
from .tree import explain, set_in

__all__ = ["built_in_recipes", "load", "recipe_from_dict", "recipe_sha256"]

MAX_BYTES = 1_000_000
MAX_NODES = 50_000


def built_in_recipes() -> dict[str, Path]:
    """Name → file of every recipe that comes with the package."""
    folder = Path(str(resources.files(__package__) / "recipes"))
    return {p.stem: p for p in sorted(folder.glob("*.yaml"))}


def load(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a built-in name or of a YAML file, with `path.in.recipe=value` overrides.

    Raises:
        RecipeError: naming the file, the path in it, the value got and what is allowed.
    """
    path = _find(source)
    raw = _parse(path)
    for text in overrides:
        key, eq, value = text.partition("=")
        if not eq or not key.strip():
            raise RecipeError(f"--set needs path=value, for example camera.distance.high=2.5; got {text!r}")
        try:
            set_in(raw, key.strip(), yaml.safe_load(value))
        except (ValueError, yaml.YAMLError) as e:
            raise RecipeError(f"--set {text}: {e}") from None
    if "files" in raw:
        raise RecipeError(f"{path}: files: this key is filled in by Scenewright, remove it")
    return recipe_from_dict(raw, path.parent, where=str(path))


def recipe_from_dict(raw: Mapping[str, Any], base: Path | None, where: str = "recipe") -> Recipe:
    """Check a recipe given as plain data; its paths start from the folder `base`, None when `files` lists them already.

    Raises:
        RecipeError: all problems, a line each.
    """
    try:
        recipe = Recipe.model_validate(raw, context={"base": base})
        if base is not None:
            recipe = recipe.model_copy(update={"files": _files(recipe, base)})
        check_rules(recipe)
    except ValidationError as e:
        raise RecipeError("\n".join(f"{where}: {line}" for line in explain(e, raw))) from None
    except ValueError as e:
        raise RecipeError(f"{where}: {e}") from None
    return recipe


def recipe_sha256(recipe: Recipe) -> str:
    """Identity of a recipe: the hash of its checked content, files by their hashes, not of the YAML's layout."""
    return hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def _find(source: str | Path) -> Path:
    known = built_in_recipes()
    if str(source) in known:
        return known[str(source)]
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; a recipe is a YAML file")
    near = difflib.get_close_matches(str(source), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"built in are {', '.join(known)}"
    raise RecipeError(f"no recipe {str(source)!r}: it is neither a built-in name nor a file; {hint}")


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as e:
        raise RecipeError(f"cannot read {path}: {e.strerror}") from None
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{path}: a recipe may have {MAX_BYTES:,} bytes, this file has {len(data):,}")
    try:
        raw = yaml.load(data.decode("utf-8"), Loader=_Loader)  # a SafeLoader that also refuses duplicate keys
    except UnicodeDecodeError as e:
        raise RecipeError(
            f"{path}: not UTF-8 text (byte {e.start} is {data[e.start]:#04x}): save the file as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise RecipeError(f"{path}:{place} {e.problem or 'not YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        raise RecipeError(f"{path}: not YAML that can be read: {str(e).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        kind = "empty" if raw is None else f"a {type(raw).__name__}"
        raise RecipeError(f"{path}: a recipe is a mapping with keys such as name and objects; this file is {kind}")
    # The copy also unshares what YAML aliases share, so an override changes one place only.
    copy: dict[str, Any] = _copy(raw, [MAX_NODES], path)
    return copy


def _copy(node: Any, left: list[int], path: Path) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise RecipeError(f"{path}: expands to more than {MAX_NODES:,} values: remove the nested YAML aliases")
    if isinstance(node, dict):
        return {k if isinstance(k, str) else str(k): _copy(v, left, path) for k, v in node.items()}
    if isinstance(node, list):
        return [_copy(v, left, path) for v in node]
    return node


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, where a key that stands twice is an error instead of a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse duplicate keys, then build the mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _files(recipe: Recipe, base: Path) -> dict[str, tuple[FileRef, ...]]:
    """Hash every file that the recipe names."""
    found: dict[str, tuple[FileRef, ...]] = {}
    for group in ("objects", "distractors"):
        spec = getattr(recipe, group)
        for i, asset in enumerate(spec.assets if spec else ()):
            if asset.path is not None and asset.path not in found:
                paths = _matches(base, asset.path, f"{group}.assets.{i}.path")
                found[asset.path] = tuple(remember(p) for p in paths)
                found |= {f"texture/{remember(p).sha256}": (remember(t),) for p in paths if (t := texture_of(p))}
    hdris = [recipe.world.hdri, *(r.set.get("world.hdri") for r in recipe.rules)]
    for name in dict.fromkeys(v for d in hdris for v in _texts(d)):
        if name not in BUILT_IN:
            if not (base / name).exists():
                raise ValueError(
                    f"world.hdri: {name!r} is neither built in ({', '.join(sorted(BUILT_IN))}) "
                    f"nor a file or folder in {base}"
                )
            paths = hdri_files(base / name) if (base / name).is_dir() else [base / name]
            for path in paths:
                check_hdri(path)
            found[name] = tuple(remember(p) for p in paths)
    return found


def _texts(dist: Any) -> tuple[str, ...]:
    values = dist.values() if hasattr(dist, "ppf") else (dist,) if isinstance(dist, str) else ()
    return tuple(str(v) for v in values)


def _matches(base: Path, pattern: str, where: str) -> list[Path]:
    path = Path(pattern)
    root, relative = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (base, path)
    found = (
        [root / relative] if (root / relative).is_file() else sorted(p for p in root.glob(str(relative)) if p.is_file())
    )
    if not found:
        raise ValueError(f"{where}: no file matches {pattern!r} in {root}")
    return found
