"""The schema for editors: it accepts what the loader accepts, and marks what the loader refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from scenewright.errors import RecipeError
from scenewright.scenes.expressions import names
from scenewright.scenes.load import built_in_recipes, recipe_from_dict
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.rules import drawable

from .small_recipe import RECIPE

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "null": (type(None),),
    "array": (list,), "object": (dict,),
}  # fmt: skip


def accepts(schema: Any, value: Any, defs: dict[str, Any]) -> bool:
    """Whether a value fits a JSON schema, for the keywords that decide whether an editor underlines a line."""
    if schema in (True, {}):
        return True
    if "$ref" in schema and not accepts(defs[schema["$ref"].split("/")[-1]], value, defs):
        return False
    for several in ("anyOf", "oneOf"):
        if several in schema and not any(accepts(s, value, defs) for s in schema[several]):
            return False
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if isinstance(value, dict):
        fields, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        return set(schema.get("required", [])) <= set(value) and all(
            accepts(fields[key], v, defs) if key in fields else rest and accepts(rest, v, defs)
            for key, v in value.items()
        )
    if isinstance(value, list):
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        return fits and all(accepts(schema.get("items", True), v, defs) for v in value)
    return not isinstance(value, int | float) or bool(
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    )


WOODS: list[Any] = ["wood", {"wood": 2}, ["wood", {"family": "fabric"}], {"family": "wood", "values": {"wear": 1}}]
ZINCS: list[Any] = ["zinc", ["zinc"], {"zinc": 2}, {"body": "zinc", "lip": {"brass": 1}}, None]
POSES: list[Any] = ["upright", None, {"dist": "choice", "options": {"stable": 1, "upright": 9}}]
BLEMISHES: list[Any] = [
    "stain", ["stain", {"kind": "scratch", "weight": {"box": 1}}], {"stain": 2}, {"kind": "stain", "region": "edge"},
    [{"kind": "stain", "region": ["edge", "face"]}, {"kind": "dust", "region": {"edge": 1}, "params": {"share": 0.5}}],
]  # fmt: skip
SHORT_FORMS: list[dict[str, Any]] = [
    *({"surface": {"materials": m}} for m in WOODS),
    *({"objects": {"count": 1, "assets": [{"category": "a", "shape": "mug", "materials": m}]}} for m in ZINCS),
    *({"objects": {"count": 1, "assets": [{"category": "a", "shape": "mug", "pose": p}]}} for p in POSES),
    {"camera": {"focal_mm": {"dist": "choice", "options": [35, 50], "weights": [1, 2]}}},
    *({"defects": {"kinds": k}} for k in BLEMISHES),
    {"defects": {"rate": {"box": 0.5}, "count": {"dist": "integers", "low": 1, "high": 3}, "placement": "area"}},
    {"dataset": {"license": {"name": "CC-BY-4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}}},
]
PICTURED: list[Any] = [
    {"textures": "t", "values": {"tile_m": 0.5}},
    [{"textures": {"dist": "choice", "options": {"t": 1}}, "mapping": "uv", "normals": "directx"}, "wood"],
]
WRONG: list[dict[str, Any]] = [
    {"camra": {}},
    {"version": 2},
    {"camera": {"distance": {"dist": "uniform", "low": 1}}},
    {"camera": {"distance": {"dist": "gauss", "low": 1}}},
    {"camera": {"distance": [1]}},
    {"objects": {"count": 1, "assets": [{"category": "a", "shape": "bx"}]}},
    {"objects": {"count": 1, "assets": [{"category": "a", "path": "x", "unit": "yd"}]}},
    {"objects": {"count": 1, "assets": [{"category": "a", "shape": "mug", "pose": "lying"}]}},
    {"objects": {"assets": []}},
    {"surface": {"materials": "wod"}},
    {"surface": {"materials": {"wood": "lots"}}},
    {"surface": {"materials": [{"weight": 2}]}},
    {"surface": {"materials": {"textures": "t", "mapping": "sphere"}}},
    {"labels": {"min_visibility": 2}},
    {"dataset": {"license": "CC0-1.0"}},
    {"dataset": {"license": {"url": "https://a.org"}}},
    {"lights": {}},
    {"defects": {"kinds": "stian"}},
    {"defects": {"kinds": [{"kind": "stain", "sverity": 1}]}},
    {"defects": {"rate": 2}},
    {"defects": {"placement": "seen"}},
]


def test_the_schema_knows_what_the_loader_knows() -> None:
    """An editor that checks against the schema accepts what the loader accepts, short forms too, and marks mistakes."""
    schema = Recipe.model_json_schema()
    right = [yaml.safe_load(path.read_text("utf-8")) for path in built_in_recipes().values()]
    for value in [*right, *({**RECIPE, **short} for short in SHORT_FORMS)]:
        recipe_from_dict(value, Path())
        assert accepts(schema, value, schema["$defs"]), value
    for wrong in WRONG:
        with pytest.raises(RecipeError):
            recipe_from_dict({**RECIPE, **wrong}, Path())
        assert not accepts(schema, {**RECIPE, **wrong}, schema["$defs"]), wrong


def test_the_schema_knows_textures(tmp_path: Path) -> None:
    """A material may be a family or a folder of textures."""
    (tmp_path / "t").mkdir()
    cv2.imwrite(str(tmp_path / "t" / "t_color.png"), np.zeros((8, 8, 3), np.uint8))
    schema = Recipe.model_json_schema()
    for materials in PICTURED:
        value = {**RECIPE, "surface": {"materials": materials}}
        recipe_from_dict(value, tmp_path)
        assert accepts(schema, value, schema["$defs"])


def test_the_schema_describes_the_fields() -> None:
    """Completion shows choices and help; nothing internal is offered for writing."""
    schema = Recipe.model_json_schema()
    defs = schema["$defs"]
    assert "hex_bolt" in defs["AssetSpec"]["properties"]["shape"]["enum"]
    family = defs["MaterialSpec"]["anyOf"][0]["enum"]
    assert "wood" in family and "textured" not in family
    assert schema["properties"]["files"]["readOnly"] and schema["additionalProperties"] is False
    assert "never labelled" in json.dumps(schema["properties"]["distractors"])


def test_examples_in_descriptions_are_expressions() -> None:
    """What a description gives as an example can be pasted into a recipe."""
    text = json.dumps(Recipe.model_json_schema())
    conditions = re.findall(r'for example: ([^"]+)"', text)
    computed = re.findall(r"for example `([^`]+)`", text)
    assert len(conditions) == 1 and len(computed) == 1
    for example in conditions + computed:
        assert names(example) <= {*drawable(recipe_from_dict(RECIPE, Path()))}, example
