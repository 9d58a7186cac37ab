"""Dotted paths into nested data ("camera.distance.high", "lights.0.power"), and pydantic's errors told along them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .distributions import Choice, Constant, Empirical, Expr, Integers, LogUniform, TruncNormal, Uniform
from .recipe_lights import LIGHTS

__all__ = ["explain", "get_in", "rule_of", "set_in"]


def get_in(node: Any, path: str) -> Any:
    """The value at a dotted path of models, mappings and sequences; KeyError with the choices where it ends."""
    for i, key in enumerate(parts := path.split(".")):
        keys = _keys(node)
        if key not in keys:
            near = ".".join(parts[:i]) or "the recipe"
            raise KeyError(f"{path}: {near} has no {key!r}; it has {', '.join(keys) or 'no parts'}")
        node = _child(node, key)
    return node


def set_in(raw: dict[str, Any], path: str, value: Any) -> None:
    """Set a value in raw data, making mappings on the way; ValueError where the path runs into a plain value."""
    node: Any = raw
    parts = path.split(".")
    for i, key in enumerate(parts):
        here = ".".join(parts[:i])
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                choice = f"a position from 0 to {len(node) - 1}" if node else "the whole list"
                raise ValueError(f"{here} is a list of {len(node)}: use {choice}, got {key!r}")
        elif not isinstance(node, dict):
            raise ValueError(f"{here} is {node!r}, which has no {key!r}: replace {here} as a whole")
        place: Any = int(key) if isinstance(node, list) else key
        if i == len(parts) - 1:
            node[place] = value
        elif isinstance(node, dict):
            node = node.setdefault(key, {})
        else:
            node = node[place]


def explain(error: ValidationError, raw: Any, model: type[BaseModel]) -> list[str]:
    """A line for each problem of `raw` as a `model`: path, rule, value got; for an unknown key the ones there are."""
    lines: list[str] = []
    for e in error.errors():
        if e["type"] == "too_short" and len(e["input"]) >= e["ctx"]["min_length"]:
            continue  # entries are there, but broken, and each has its own line
        path = ".".join(_real_path(e["loc"], raw))
        message = f"unknown key{_nearest(e['loc'], model)}" if e["type"] == "extra_forbidden" else rule_of(e)
        line = f"{path}: {message}" if path else message
        if line not in lines:
            lines.append(line)
    return lines


def rule_of(error: ErrorDetails) -> str:
    """The rule that a value breaks, and the value, in the words of a recipe's author rather than of Python."""
    kind, got = error["type"], error["input"]
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if kind == "union_tag_invalid":
        ctx = error["ctx"]
        return f"{ctx['discriminator']} must be one of {ctx['expected_tags']}, got {_short(ctx['tag'])}"
    if kind == "union_tag_not_found":
        return f"needs {error['ctx']['discriminator']}, which says what the other keys mean"
    if kind == "distribution" and isinstance(got, Mapping):
        got = got.get("dist", got)
    if kind == "too_short" and error["ctx"]["min_length"] == 1:
        return "must not be empty"
    rule = _RULES.get(kind, error["msg"][:1].lower() + error["msg"][1:]).format(**error.get("ctx", {}))
    hint = ": put it in quotes" if kind == "string_type" and isinstance(got, bool | int | float) else ""
    return f"{rule}, got {_short(got)}{hint}"


#: pydantic's kinds of errors → the rule.
_RULES: Mapping[str, str] = {
    "string_type": "must be text",
    "invalid_key": "a key must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "may have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "needs at least {min_length} entries",
    "too_long": "may have at most {max_length} entries",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
}


def _real_path(loc: tuple[int | str, ...], raw: Any) -> list[str]:
    """Pydantic's location without union tags, and without what short forms of the recipe were expanded to."""
    parts: list[str] = []
    node = raw
    for n, key in enumerate(loc):
        last = n == len(loc) - 1
        if isinstance(node, Mapping) and isinstance(key, int) and key < len(node):
            key = list(node)[key]  # a mapping that stands for a list, such as {wood: 3, concrete: 1}
        if isinstance(node, list) and isinstance(key, int) and (last or key < len(node)):
            node = node[key] if key < len(node) else None
        elif isinstance(node, Mapping) and (key in node or (last and key not in _TAGS and key not in node.values())):
            node = node.get(key)
        else:
            continue
        parts.append(str(key))
    return parts


_TAGS: Mapping[str | int, type[BaseModel]] = {
    "constant": Constant,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "truncnormal": TruncNormal,
    "integers": Integers,
    "choice": Choice,
    "empirical": Empirical,
    "expr": Expr,
    **LIGHTS,
}


def _nearest(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    names = _model_keys(model, loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed are {', '.join(names)}"


def _model_keys(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """Names that an author may write at a location, found by walking the annotations."""
    for key in loc:
        models = _models(model)
        chosen = [m for m in models if any(get_args(f.annotation) == (key,) for f in m.model_fields.values())]
        if chosen and len(models) > 1:  # the tag of a union of models
            model = chosen[0]
            continue
        models = [m for m in models if key in m.model_fields]
        model = models[0].model_fields[str(key)].annotation if models else _TAGS.get(key, model)
    fields = {name: field for m in _models(model)[:1] for name, field in m.model_fields.items()}
    return [name for name, field in fields.items() if field.json_schema_extra != {"readOnly": True}]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in getattr(annotation, "__args__", ()) for m in _models(a)]


def _keys(node: Any) -> list[str]:
    if isinstance(node, BaseModel):
        return list(type(node).model_fields)
    if isinstance(node, Mapping):
        return [str(k) for k in node]
    return [str(i) for i in range(len(node))] if isinstance(node, list | tuple) else []


def _child(node: Any, key: str) -> Any:
    if isinstance(node, BaseModel):
        return getattr(node, key)
    return node[key] if isinstance(node, Mapping) else node[int(key)]


def _short(value: Any, limit: int = 60) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
