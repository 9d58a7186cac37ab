"""Conditions between image-level parameters: which distribution a parameter has, given the values of others."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from .distributions import Distribution, Expr
from .expressions import evaluate, names
from .recipe import Recipe
from .scene import Draw, Value
from .streams import balanced
from .tree import explain, get_in, set_in

__all__ = ["ImageDraws", "check_rules"]

#: The family of the surface's material: chosen by weight among `surface.materials`, and readable in conditions.
SURFACE_MATERIAL = "surface.material"


class ImageDraws:
    """The image-level parameters of one image, drawn on demand; `draws` holds what was drawn, in order."""

    def __init__(self, recipe: Recipe, seed: int, index: int) -> None:
        self.recipe, self.seed, self.index = recipe, seed, index
        self.draws: dict[str, Draw] = {}

    def __call__(self, path: str) -> Any:
        """The value of the parameter at a path of the recipe."""
        if path not in self.draws:
            self.draws[path] = self._draw(path)
        return self.draws[path].value

    def optional(self, path: str) -> Any:
        """The value at the path, or None when the recipe has none there."""
        return None if get_in(self.recipe, path) is None else self(path)

    def _draw(self, path: str) -> Draw:
        quantile = balanced(self.seed, self.index, path)
        if path == SURFACE_MATERIAL:
            return Draw(value=surface_material(self.recipe, quantile), quantile=quantile)
        dist = self._distribution(path)
        if isinstance(dist, Expr):
            return Draw(value=_checked(self.recipe, path, evaluate(dist.value, self)))
        return Draw(value=dist.ppf(quantile), quantile=quantile if len(dist.values()) > 1 else None)

    def _distribution(self, path: str) -> Distribution:
        for i, rule in reversed(list(enumerate(self.recipe.rules))):
            if path in rule.set and bool(evaluate(rule.when, self)):
                return _parsed(self.recipe, path, i)
        dist = get_in(self.recipe, path)
        assert isinstance(dist, Distribution), path
        return dist


def surface_material(recipe: Recipe, quantile: float) -> str:
    """The family at a quantile of the weights in `surface.materials`."""
    specs = recipe.surface.materials
    total, level = sum(s.weight for s in specs), 0.0
    for spec in specs:
        level += spec.weight / total
        if quantile < level:
            return spec.family
    return specs[-1].family


def check_rules(recipe: Recipe) -> None:
    """Every rule and expression names parameters that exist, sets possible values, and none needs itself.

    Raises:
        ValueError: naming the rule's path and the choices.
    """
    needs: dict[str, set[str]] = {}
    for path, dist in drawable(recipe).items():
        if isinstance(dist, Expr):
            needs.setdefault(path, set()).update(_known(recipe, dist.value, path))
    for i, rule in enumerate(recipe.rules):
        try:
            read = _known(recipe, rule.when, f"rules.{i}.when")
        except ValueError as e:
            raise ValueError(f"rules.{i}.when: {e}" if not str(e).startswith("rules.") else str(e)) from None
        for path in rule.set:
            dist = _parsed(recipe, path, i)
            more = _known(recipe, dist.value, f"rules.{i}.set.{path}") if isinstance(dist, Expr) else frozenset()
            needs.setdefault(path, set()).update(read | more)
    for path in needs:
        _no_cycle(path, needs, ())


def drawable(recipe: Recipe) -> dict[str, Distribution]:
    """Path → distribution of every image-level parameter."""
    found: dict[str, Distribution] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, Distribution):
            found[path] = node
        elif path not in ("objects.assets", "distractors.assets", "surface.materials", "files", "rules"):
            children = (
                dict(node)
                if hasattr(node, "model_fields")
                else dict(enumerate(node))
                if isinstance(node, tuple)
                else {}
            )
            for key, child in children.items():
                walk(child, f"{path}.{key}" if path else str(key))

    walk(recipe, "")
    return found


def _known(recipe: Recipe, text: str, where: str) -> frozenset[str]:
    known = {*drawable(recipe), SURFACE_MATERIAL}
    read = names(text)
    for name in sorted(read - known):
        raise ValueError(f"{where}: {name!r} is no image-level parameter; there are {', '.join(sorted(known))}")
    return read


@lru_cache(maxsize=256)
def _parsed_json(recipe_json: str, path: str, value_json: str) -> Distribution:
    """The distribution that a value makes at a path, checked by the recipe's own model."""
    import json

    raw = json.loads(recipe_json)
    raw["rules"] = []
    set_in(raw, path, json.loads(value_json))
    try:
        overlay = Recipe.model_validate(raw, context={"base": None})
    except ValidationError as e:
        raise ValueError("; ".join(explain(e, raw))) from None
    dist = drawable(overlay).get(path)
    if dist is None:
        raise ValueError(f"{path} cannot be set by a rule; there are {', '.join(sorted(drawable(overlay)))}")
    return dist


def _parsed(recipe: Recipe, path: str, rule: int) -> Distribution:
    import json

    try:
        return _parsed_json(_json(recipe), path, json.dumps(recipe.rules[rule].set[path]))
    except ValueError as e:
        raise ValueError(f"rules.{rule}.set: {e}") from None


def _checked(recipe: Recipe, path: str, value: Value) -> Value:
    """A computed value, held to the same limits as a written one."""
    import json

    return _parsed_json(_json(recipe), path, json.dumps(value)).ppf(0.0)


def _json(recipe: Recipe) -> str:
    return recipe.model_dump_json(exclude={"rules", "files"})


def _no_cycle(path: str, needs: dict[str, set[str]], seen: tuple[str, ...]) -> None:
    if path in seen:
        raise ValueError(f"rules: {' needs '.join([*seen[seen.index(path) :], path])}: break this circle")
    for name in sorted(needs.get(path, ())):
        _no_cycle(name, needs, (*seen, path))
