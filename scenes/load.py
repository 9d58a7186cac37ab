"""From a YAML file (or a built-in name) and `--set` overrides to a checked `Recipe`; errors name the place."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from ..assets.ingested import Ingest, Ingested, Source, lookup
from ..assets.reach import Reach
from ..errors import AssetError, RecipeError, UsageError
from .defect_places import check_places
from .recipe import Recipe
from .recipe_files import recipe_files
from .rules import check_area, check_rules
from .scene import digest
from .tree import explain, set_in

__all__ = ["built_in_recipes", "load", "recipe_from_dict", "recipe_sha256"]

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 50
MERGE = "tag:yaml.org,2002:merge"


def built_in_recipes() -> dict[str, Path]:
    """Name → file of every recipe that comes with the package."""
    folder = Path(str(resources.files(__package__) / "recipes"))
    return {p.stem: p for p in sorted(folder.glob("*.yaml"))}


def _not_here(source: Source) -> Ingested:
    """What stands in for ingesting where no process may be started."""
    found = lookup(source)
    if found is None:
        raise AssetError(f"{source.path.name} was not ingested yet: load the recipe by scenewright.load")
    return found


def load(
    source: str | Path, overrides: Sequence[str] = (), ingest: Ingest = _not_here, allow: Sequence[str | Path] = ()
) -> Recipe:
    """The recipe of a built-in name or of a YAML file, with `path.in.recipe=value` overrides.

    `ingest` reads files with materials and of Blender's formats; `scenewright.load` gives the one that starts Blender.
    `allow` names folders from which the recipe may read besides its own.

    Raises:
        RecipeError: naming the file, the path in it, the value got and what is allowed.
        UsageError: `allow` names what is no folder.
    """
    path = _find(source)
    raw = _parse(path)
    for text in overrides:
        key, eq, value = text.partition("=")
        if not eq or not key.strip():
            raise RecipeError(f"--set needs path=value, for example camera.distance.high=2.5; got {text!r}")
        try:
            set_in(raw, key.strip(), _plain(value))
        except ValueError as e:
            raise RecipeError(f"--set {text}: {e}") from None
    for key in ("files", "libraries"):
        if key in raw:
            raise RecipeError(f"{path}: {key}: this key is filled in by Scenewright, remove it")
    return recipe_from_dict(raw, path.parent, where=str(path), ingest=ingest, allow=allow)


def recipe_from_dict(
    raw: Mapping[str, Any], base: Path | None, where: str = "recipe", ingest: Ingest = _not_here,
    allow: Sequence[str | Path] = (),
) -> Recipe:  # fmt: skip
    """Check a recipe given as plain data; its paths start from the folder `base`, None when `files` lists them already.

    It reads what lies in `base`, or in folders that `allow` names, and nothing else.

    Raises:
        RecipeError: all problems, a line each.
        UsageError: `allow` names what is no folder.
    """
    reach = None if base is None else Reach(base, tuple(map(_folder, allow)))
    try:
        recipe = Recipe.model_validate(raw, context={"reach": reach})
        if reach is not None:
            files, libraries = recipe_files(recipe, reach, ingest)
            recipe = recipe.model_copy(update={"files": files, "libraries": libraries})
        check_rules(recipe)
        check_area(recipe)
        check_places(recipe)
    except ValidationError as e:
        raise RecipeError("\n".join(f"{where}: {line}" for line in explain(e, raw, Recipe))) from None
    except ValueError as e:
        raise RecipeError(f"{where}: {e}") from None
    except AssetError as e:
        raise AssetError(f"{where}: {e}") from None
    return recipe


def _folder(name: str | Path) -> Path:
    if not Path(name).is_dir():
        raise UsageError(f"--allow {name} is no folder: name one that holds what the recipe reads")
    return Path(name)


def recipe_sha256(recipe: Recipe) -> str:
    """Identity of a recipe: the hash of its checked content, files by their hashes, not of the YAML's layout."""
    return digest(recipe.model_dump(mode="json", exclude={"libraries"}))


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
        with path.open("rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > MAX_BYTES:
                raise RecipeError(f"{path}: a recipe may have {MAX_BYTES:,} bytes, this file has {size:,}")
            data = file.read()
    except OSError as e:
        raise RecipeError(f"cannot read {path}: {e.strerror}") from None
    try:
        raw = _plain(data.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise RecipeError(
            f"{path}: not UTF-8 text (byte {e.start} is {data[e.start]:#04x}): save the file as UTF-8"
        ) from None
    except ValueError as e:
        raise RecipeError(f"{path}: {e}") from None
    if not isinstance(raw, dict):
        kind = "empty" if raw is None else f"a {'list' if isinstance(raw, list) else 'single value'}"
        raise RecipeError(f"{path}: a recipe is a mapping with keys such as name and objects; this file is {kind}")
    return raw


def _plain(text: str) -> Any:
    """The plain data of a YAML text; ValueError in one line, with the place, for anything else."""
    try:
        return _copy(yaml.load(text, Loader=_Loader), [MAX_NODES])
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = ", ".join(part for part in (e.context, e.problem) if part)
        hint = ": indent with spaces" if r"'\t'" in reason else ""
        raise ValueError(f"{place}{reason}{hint}") from None
    except yaml.YAMLError as e:
        raise ValueError(f"not YAML that can be read: {str(e).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


_TOO_DEEP = f"nested more than {MAX_DEPTH} deep: no recipe needs that"


def _copy(node: Any, left: list[int], depth: int = 0) -> Any:
    """A copy that unshares what YAML aliases share, so that an override changes one place only."""
    left[0] -= 1
    if left[0] < 0:
        raise ValueError(f"expands to more than {MAX_NODES:,} values: remove the nested YAML aliases")
    if depth > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    if isinstance(node, dict):
        return {_key(k): _copy(v, left, depth + 1) for k, v in node.items()}
    if isinstance(node, list):
        return [_copy(v, left, depth + 1) for v in node]
    return node


def _key(key: Any) -> Any:
    """Numbers stay, since an option of a choice may be one; YAML's other words (`on`, `null`) are text as a key."""
    return key if isinstance(key, str | int | float) and not isinstance(key, bool) else str(key)


def _refuse_tag(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(
        None, None, f"the tag {node.tag!r} is not allowed: a recipe holds plain data only", node.start_mark
    )


class _Loader(yaml.SafeLoader):
    """YAML's plain data: no dates, no sets, no tags of anyone's; a key that stands twice is an error, not a loss.

    Merge keys are refused too, since a few hundred bytes of them make PyYAML build billions of pairs.
    """

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **{
            f"tag:yaml.org,2002:{kind}": yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"]
            for kind in ("null", "bool", "int", "float", "str", "seq", "map")
        },
        None: _refuse_tag,
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse keys that are no plain words or stand twice, then build the mapping."""
        seen: set[str] = set()
        for key, _ in node.value:
            problem = "a key must be a plain word" if not isinstance(key, yaml.ScalarNode) else None
            if key.tag == MERGE:
                problem = "the merge key << is not allowed: write the keys out, or share whole values by an alias"
            if problem is None and key.value in seen:
                problem = f"the key {key.value!r} stands twice"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.2 reads 1e-3 as a number, PyYAML's YAML 1.1 only 1.0e-3.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
