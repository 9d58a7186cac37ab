"""Dotted paths into nested data ("camera.distance.high", "lights.0.power"), and pydantic's errors told along them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

__all__ = ["explain", "get_in", "set_in"]


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
                raise ValueError(f"{here} is a list of {len(node)}: use a position from 0, got {key!r}")
        elif not isinstance(node, dict):
            raise ValueError(f"{here} is {node!r}, which has no {key!r}: replace {here} as a whole")
        place: Any = int(key) if isinstance(node, list) else key
        if i == len(parts) - 1:
            node[place] = value
        elif isinstance(node, dict):
            node = node.setdefault(key, {})
        else:
            node = node[place]


def explain(error: ValidationError, raw: Any) -> list[str]:
    """A line for each problem: path, rule, value got, and for an unknown key the ones that exist."""
    lines: list[str] = []
    for e in error.errors():
        path = _real_path(e["loc"], raw)
        got = _short(e["input"])
        message = e["msg"].removeprefix("Value error, ")
        if e["type"] == "extra_forbidden":
            message = f"unknown key{_nearest(path, error)}"
        elif e["type"] == "missing":
            message = "is missing"
        elif "got" not in message and e["type"] != "value_error":
            message = f"{message[0].lower()}{message[1:]}, got {got}"
        line = f"{path or 'recipe'}: {message}"
        if line not in lines:
            lines.append(line)
    return lines


def _real_path(loc: tuple[int | str, ...], raw: Any) -> str:
    """Pydantic's location without the union tags that it puts between real keys."""
    parts: list[str] = []
    node = raw
    for n, key in enumerate(loc):
        in_list = isinstance(node, list) and isinstance(key, int) and key < len(node)
        if in_list or (isinstance(node, Mapping) and key in node):
            node = node[key]
        elif isinstance(node, Mapping) and n < len(loc) - 1:
            continue
        parts.append(str(key))
    return ".".join(p for p in parts if p not in _TAGS)


_TAGS = frozenset({"constant", "uniform", "loguniform", "truncnormal", "integers", "choice", "empirical", "expr"})


def _nearest(path: str, error: ValidationError) -> str:
    from .recipe import Recipe  # the messages know the model, the model knows nothing of messages

    names = _model_keys(Recipe, path.split(".")[:-1])
    if not names:
        return ""
    near = difflib.get_close_matches(path.split(".")[-1], names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed are {', '.join(names)}"


def _model_keys(model: Any, parts: list[str]) -> list[str]:
    """Field names of the model at a path, found by walking the annotations."""
    for key in parts:
        models = [m for m in _models(model) if key in m.model_fields]
        if models:
            model = models[0].model_fields[key].annotation
        elif not key.isdigit():
            return []
    return [k for m in _models(model)[:1] for k in m.model_fields if k != "files"]


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
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
