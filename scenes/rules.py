"""Conditions between image-level parameters: which distribution a parameter has, given the values of others."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import RecipeError
from .distribution import Distribution
from .distributions import Expr, position
from .expressions import evaluate, names
from .recipe import Recipe
from .scene import Draw, Value
from .streams import balanced
from .tree import explain, get_in, set_in

__all__ = ["ImageDraws", "check_area", "check_rules", "drawable", "room_for_objects", "rule_distribution"]

#: The family of the surface's material: chosen by weight among `surface.materials`, and readable in conditions.
SURFACE_MATERIAL = "surface.material"


class ImageDraws:
    """The image-level parameters of one image, drawn on demand; `draws` holds what was drawn, in order."""

    def __init__(self, recipe: Recipe, seed: int, index: int, anew: Mapping[str, int] | None = None) -> None:
        self.recipe, self.seed, self.index, self._anew = recipe, seed, index, anew or {}
        self.draws: dict[str, Draw] = {}
        for prefix in self._anew:
            if not any(_below(path, prefix) for path in (*drawable(recipe), SURFACE_MATERIAL)):
                _check_object(prefix)

    def named(self, stream: str) -> str:
        """The name of a stream, another one where it is to be drawn anew."""
        turns = [n for prefix, n in self._anew.items() if n and _below(stream, prefix)]
        return stream if not turns else f"{stream} again {'.'.join(map(str, turns))}"

    def quantile(self, path: str) -> float:
        """Where in its distribution the parameter at a path lies, balanced over the images."""
        return balanced(self.seed, self.index, self.named(path))

    def __call__(self, path: str) -> Any:
        """The value of the parameter at a path of the recipe."""
        if path not in self.draws:
            self.draws[path] = self._draw(path)
        return self.draws[path].value

    def optional(self, path: str) -> Any:
        """The value at the path, or None when neither the recipe nor a rule gives one for this image."""
        return None if path not in self.draws and self._distribution(path) is None else self(path)

    def pick(self, path: str, names: Sequence[Value], weights: Sequence[float] | None = None) -> int:
        """The position of one of several named things; its name is noted as the value of the parameter `path`."""
        quantile = self.quantile(path)
        which = position(quantile, weights or (1.0,) * len(names))
        self.draws[path] = Draw(value=names[which], quantile=quantile if len(names) > 1 else None)
        return which

    def surface_material(self) -> int:
        """The position in `surface.materials`; its family is the parameter "surface.material"."""
        specs = self.recipe.surface.materials
        return self.pick(SURFACE_MATERIAL, [s.family for s in specs], [s.weight for s in specs])

    def _draw(self, path: str) -> Draw:
        if path == SURFACE_MATERIAL:
            self.surface_material()
            return self.draws[path]
        quantile, dist = self.quantile(path), self._distribution(path)
        assert dist is not None, path
        if isinstance(dist, Expr):
            return Draw(value=_checked(self.recipe, path, self._evaluated(dist.value, path)))
        return Draw(value=dist.ppf(quantile), quantile=quantile if len(dist.values()) > 1 else None)

    def _distribution(self, path: str) -> Distribution | None:
        """What the path has in this image: from the last rule that holds, else from the recipe itself."""
        for i, rule in reversed(list(enumerate(self.recipe.rules))):
            if path in rule.set and self.condition(i, rule.when):
                return rule_distribution(self.recipe, path, i)
        dist = get_in(self.recipe, path)
        return dist if isinstance(dist, Distribution) else None

    def condition(self, rule: int, when: str) -> bool:
        """Whether a rule holds in this image."""
        return bool(self._evaluated(when, f"rules.{rule}.when"))

    def _evaluated(self, text: str, where: str) -> Any:
        try:
            return evaluate(text, self)
        except ValueError as e:
            raise ValueError(f"{where}: {e}") from None


def _below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}.")


def _check_object(name: str) -> None:
    if not re.fullmatch(r"(objects|distractors)(\.\d+(\..+)?)?", name):
        raise RecipeError(
            f"`anew` names {name!r}, which is not drawn: use an image-level parameter or a group of them (camera, "
            "lights.0, world.strength), objects, or one object by its position (objects.3, objects.3.pose)"
        )


def check_area(recipe: Recipe) -> None:
    """Objects may not stand beside the table, whatever is drawn; what is computed or set by rules is held to it later.

    Raises:
        ValueError: an area that can be larger than the surface can be small.
    """
    set_by_rules = {path for rule in recipe.rules for path in rule.set}
    for axis, (area, size) in enumerate(zip(recipe.placement.area, recipe.surface.size, strict=True)):
        fixed = not ({f"placement.area.{axis}", f"surface.size.{axis}"} & set_by_rules)
        if fixed and not isinstance(area, Expr) and not isinstance(size, Expr):
            room_for_objects(axis, max(_numbers(area)), min(_numbers(size)))


def _numbers(dist: Distribution) -> list[float]:
    return [float(v) for v in dist.values()]  # type: ignore[arg-type]  # the recipe model admits numbers only


def room_for_objects(axis: int, area: float, size: float) -> None:
    """ValueError when the area for object centres is wider (axis 0) or deeper (1) than the table, metres."""
    if area > size:
        raise ValueError(
            f"placement.area.{axis}: must not exceed surface.size.{axis}, got {area:g} m on a surface of {size:g} m, "
            "so objects would float beside it: lower the area or raise the size"
        )


def check_rules(recipe: Recipe) -> None:
    """Every rule and expression names parameters that exist, sets possible values, and none needs itself.

    Raises:
        ValueError: naming the rule's path and the choices.
    """
    needs: dict[str, set[str]] = {}
    for path, dist in _distributions(recipe):
        if isinstance(dist, Expr) and path.startswith(_PER_OBJECT):
            raise ValueError(f"{path}: an expression may only stand at a parameter of the whole image")
        if isinstance(dist, Expr):
            needs.setdefault(path, set()).update(_known(recipe, dist.value, path))
    for i, rule in enumerate(recipe.rules):
        read = _known(recipe, rule.when, f"rules.{i}.when")
        for path in rule.set:
            dist = rule_distribution(recipe, path, i)
            more = _known(recipe, dist.value, f"rules.{i}.set.{path}") if isinstance(dist, Expr) else frozenset()
            needs.setdefault(path, set()).update(read | more)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as e:
        raise ValueError(f"rules: {' needs '.join(reversed(e.args[1]))}: break this circle") from None
    _compute_once(recipe)


def _compute_once(recipe: Recipe) -> None:
    """Whatever compares a number with a word, or computes what is not allowed, does so in the first image already."""
    draws = ImageDraws(recipe, 0, 0)
    for i, rule in enumerate(recipe.rules):
        draws.condition(i, rule.when)
    for path, dist in drawable(recipe).items():
        if isinstance(dist, Expr):
            draws(path)


def drawable(recipe: Recipe) -> dict[str, Distribution]:
    """Path → distribution of every image-level parameter."""
    return {path: dist for path, dist in _distributions(recipe) if not path.startswith(_PER_OBJECT)}


_PER_OBJECT = ("objects.assets.", "distractors.assets.", "surface.materials.", "container.materials.", "defects.")


def _distributions(node: Any, path: str = "") -> Iterator[tuple[str, Distribution]]:
    """Path and distribution of everything in a recipe that is drawn."""
    if isinstance(node, Distribution):
        yield path, node
        return
    children: Mapping[Any, Any] = {}
    if isinstance(node, BaseModel | Mapping):
        children = dict(node)
    elif isinstance(node, tuple):
        children = dict(enumerate(node))
    for key, child in children.items():
        yield from _distributions(child, f"{path}.{key}" if path else str(key))


def _known(recipe: Recipe, text: str, where: str) -> frozenset[str]:
    known = sorted({*drawable(recipe), SURFACE_MATERIAL})
    try:
        read = names(text)
    except ValueError as e:
        raise ValueError(f"{where}: {e}") from None
    for name in sorted(read - set(known)):
        raise ValueError(f"{where}: {name[:60]!r} is no image-level parameter; {_choices(name, known)}")
    return read


def _choices(name: str, known: Iterable[str]) -> str:
    """The parameter that was probably meant, else the groups of those that there are, with one of each."""
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    groups = {path.partition(".")[0]: path for path in sorted(known, reverse=True)}
    return "there are, among others, " + ", ".join(sorted(groups.values()))


@lru_cache(maxsize=256)
def _parsed_json(recipe_json: str, path: str, value_json: str) -> Distribution:
    """The distribution that a value makes at a path, checked by the recipe's own model."""
    raw = json.loads(recipe_json)
    raw["rules"] = []
    set_in(raw, path, json.loads(value_json))
    try:
        overlay = Recipe.model_validate(raw, context={"reach": None})
    except ValidationError as e:
        raise ValueError("; ".join(explain(e, raw, Recipe))) from None
    choices = drawable(overlay)
    if path not in choices:
        raise ValueError(f"{path} cannot be set by a rule; {_choices(path, choices)}")
    return choices[path]


def rule_distribution(recipe: Recipe, path: str, rule: int) -> Distribution:
    """The distribution that a rule sets at a path; ValueError names the rule and what is wrong."""
    try:
        return _parsed_json(_json(recipe), path, json.dumps(recipe.rules[rule].set[path]))
    except ValueError as e:
        raise ValueError(f"rules.{rule}.set: {e}") from None


def _checked(recipe: Recipe, path: str, value: Value) -> Value:
    """A computed value, held to the same limits as a written one."""
    return _parsed_json(_json(recipe), path, json.dumps(value)).ppf(0.0)


def _json(recipe: Recipe) -> str:
    return json.dumps(_shortened(recipe.model_dump(mode="json", exclude={"rules", "files"})))


def _shortened(node: Any) -> Any:
    """Plain data with measured columns cut to their ends, which is all that limits look at: they can be megabytes."""
    if isinstance(node, dict):
        return {k: [v[0], v[-1]] if k == "sample" and v else _shortened(v) for k, v in node.items()}
    return [_shortened(v) for v in node] if isinstance(node, list) else node
