"""Recipes that are right: what may be written, what a scene then is, and what stays still when a recipe grows."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
import yaml

from scenewright.assets.material import FileRef
from scenewright.errors import RecipeError
from scenewright.scenes.distributions import Expr
from scenewright.scenes.load import built_in_recipes, load, recipe_from_dict, recipe_sha256
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.rules import drawable
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Draw, Scene
from scenewright.scenes.tree import get_in

X = {"dist": "uniform", "low": 0.01, "high": 0.02}
DISC = {"segments": 12, "edge_m": 0}  # few faces: resting poses come quickly
RECIPE: dict[str, Any] = {
    "name": "t",
    "objects": {
        "count": {"dist": "integers", "low": 1, "high": 3},
        "assets": [
            {"category": "box", "shape": "box", "params": {"x_m": X, "edge_m": 0}},
            {
                "category": "disc",
                "shape": "cylinder",
                "params": DISC,
                "scale": {"dist": "loguniform", "low": 0.5, "high": 1},
            },
        ],
    },
    "placement": {"area": [0.3, {"dist": "uniform", "low": 0.2, "high": 0.4}]},
    "surface": {"materials": {"wood": 3, "concrete": 1}},
    "world": {"strength": {"dist": "truncnormal", "mean": 1, "std": 0.5, "low": 0.2, "high": 2}},
    "lights": [{"power": {"dist": "empirical", "edges": [1, 2, 8], "counts": [3, 1]}}],
    "camera": {"focal_mm": {"dist": "choice", "options": {35: 1, 50: 3}}},
    "render": {"engine": "flat", "size": [64, 48]},
}
COUNT = 24


def make(**changes: Any) -> Recipe:
    return recipe_from_dict({**RECIPE, **changes}, Path())


def written(folder: Path, text: str, *overrides: str) -> Recipe:
    path = folder / "r.yaml"
    path.write_text(text)
    return load(path, overrides)


YAML = """\
name: t
objects:
  count: 2
  assets:
    - {category: box, shape: box, scale: &tenth 1e-1}
    - {category: crate, shape: box, scale: *tenth}
camera: {distance: &far {dist: uniform, low: 1, high: 2}}
lights: [{distance: *far}, {distance: *far}]
render: {engine: flat, size: [64, 48]}
description: 2024-02-30
"""


def test_yaml_aliases_and_numbers(tmp_path: Path) -> None:
    """Aliases share values, 1e-1 is a number, and what looks like a date is text."""
    recipe = written(tmp_path, YAML)
    assert recipe.category_names == ("box", "crate")
    assert [a.scale.values() for a in recipe.objects.assets] == [(0.1,), (0.1,)]
    assert recipe.lights[1].distance.values() == (1, 2) and recipe.description == "2024-02-30"


def test_an_override_changes_one_place(tmp_path: Path) -> None:
    """`--set` on one of three places that share an alias leaves the two others alone."""
    recipe = written(tmp_path, YAML, "lights.1.distance.high=1.5", "objects.assets.1.weight=3", "camera.roll_deg=5")
    assert recipe.lights[1].distance.values() == (1, 1.5) and recipe.objects.assets[1].weight == 3
    assert recipe.lights[0].distance.values() == recipe.camera.distance.values() == (1, 2)
    assert recipe.camera.roll_deg.values() == (5,), "a key that the file leaves out can be set"


def test_options_of_a_choice_may_be_numbers(tmp_path: Path) -> None:
    """`{35: 1, 50: 3}` weighs the numbers 35 and 50, in the file, in an override and in a rule."""
    options = "{dist: choice, options: {35: 1, 50: 3}}"
    rule = f"rules: [{{when: camera.roll_deg < 1, set: {{camera.focal_mm: {options}}}}}]\n"
    for recipe in (written(tmp_path, YAML, f"camera.focal_mm={options}"), written(tmp_path, YAML + rule)):
        again = recipe_from_dict(json.loads(json.dumps(recipe.model_dump(mode="json"))), None)
        focal = [sample(again, i).parameters["camera.focal_mm"].value for i in range(4)]
        assert sorted(focal) == [35, 50, 50, 50]


def test_the_last_override_wins_and_takes_whole_distributions(tmp_path: Path) -> None:
    """Overrides apply in their order, and a value may be any YAML."""
    recipe = written(tmp_path, YAML, "objects.count=5", "objects.count={dist: choice, options: [7, 8]}")
    assert recipe.objects.count.values() == (7, 8)


def test_categories_are_numbered_as_declared() -> None:
    """COCO ids follow `categories` where it is given, else the first appearance, and distractors have none."""
    assert make().category_names == ("box", "disc")
    declared = make(
        categories=["disc", "unused", "box"],
        distractors={"count": 2, "assets": [{"category": "box", "shape": "cylinder", "params": DISC}]},
    )
    assert declared.category_names == ("disc", "unused", "box")
    for index in range(4):
        for item in sample(declared, index).objects:
            clutter = item.category == "box" and item.mesh.shape == "cylinder"
            assert item.category_id == (0 if clutter else {"disc": 1, "box": 3}[item.category])


def test_materials_have_short_forms() -> None:
    """One name, a list, and a mapping to weights all mean the same as the long form."""
    long = [{"family": "zinc", "weight": 2.0}, {"family": "brass", "weight": 1.0}]
    for short, same in (
        ("zinc", [{"family": "zinc"}]),
        (["zinc", {"family": "brass"}], [{"family": "zinc"}, {"family": "brass"}]),
        ({"zinc": 2, "brass": 1}, long),
        ({"all": {"zinc": 2, "brass": 1}}, {"all": long}),
        ({"body": "zinc"}, {"body": [{"family": "zinc"}]}),
    ):
        assets = [{"category": "a", "shape": "box", "materials": m} for m in (short, same)]
        left, right = (make(objects={"count": 1, "assets": [a]}).objects.assets[0].materials for a in assets)
        assert left == right


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    """A recipe keeps the hash of every mesh that a pattern matches; another content is another recipe."""
    for name, size in (("b.stl", 20), ("a.stl", 30)):
        trimesh.creation.box((size,) * 3).export(tmp_path / name)
    raw = {**RECIPE, "objects": {"count": 1, "assets": [{"category": "a", "path": "*.stl"}]}}
    recipe = recipe_from_dict(raw, tmp_path)
    assert [f.name for f in recipe.files["*.stl"]] == ["a.stl", "b.stl"]
    assert recipe_sha256(recipe) == recipe_sha256(recipe_from_dict(raw, tmp_path))
    trimesh.creation.box((10, 10, 10)).export(tmp_path / "b.stl")
    assert recipe_sha256(recipe) != recipe_sha256(recipe_from_dict(raw, tmp_path))


def test_a_csv_is_read_once(tmp_path: Path) -> None:
    """A dataset goes on without the CSV that its recipe named, since the values are part of the recipe."""
    (tmp_path / "m.csv").write_text("power\n3\n1\n2\n")
    raw = {**RECIPE, "lights": [{"power": {"dist": "empirical", "csv": "m.csv", "column": "power"}}]}
    recipe = recipe_from_dict(raw, tmp_path)
    (tmp_path / "m.csv").unlink()
    again = recipe_from_dict(recipe.model_dump(mode="json"), None)
    assert {sample(again, i).parameters["lights.0.power"].value for i in range(8)} == {1, 2, 3}


@pytest.mark.parametrize("name", [*built_in_recipes(), "test"])
def test_a_recipe_survives_its_dataset(name: str) -> None:
    """What dataset.json stores gives an equal recipe with an equal hash back."""
    recipe = make() if name == "test" else load(name)
    again = recipe_from_dict(json.loads(json.dumps(recipe.model_dump(mode="json"))), None)
    assert again == recipe and recipe_sha256(again) == recipe_sha256(recipe)


def test_the_layout_of_the_file_is_no_part_of_a_recipe(tmp_path: Path) -> None:
    """Order of keys, comments and defaults that are written out give the same hash, another value another one."""
    first = written(tmp_path, "name: t\nobjects: {count: 1, assets: [{category: a, shape: box}]}\n")
    same = written(
        tmp_path, "objects: {assets: [{shape: box, category: a, weight: 1}], count: 1}\nversion: 1 # !\nname: t\n"
    )
    assert recipe_sha256(first) == recipe_sha256(same)
    assert recipe_sha256(first) != recipe_sha256(
        written(tmp_path, (tmp_path / "r.yaml").read_text(), "objects.count=2")
    )


# --- the schema for editors -------------------------------------------------------------------------------------------


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
SHORT_FORMS: list[dict[str, Any]] = [
    *({"surface": {"materials": m}} for m in WOODS),
    *({"objects": {"count": 1, "assets": [{"category": "a", "shape": "mug", "materials": m}]}} for m in ZINCS),
    {"camera": {"focal_mm": {"dist": "choice", "options": [35, 50], "weights": [1, 2]}}},
]
WRONG: list[dict[str, Any]] = [
    {"camra": {}},
    {"version": 2},
    {"camera": {"distance": {"dist": "uniform", "low": 1}}},
    {"camera": {"distance": {"dist": "gauss", "low": 1}}},
    {"camera": {"distance": [1]}},
    {"objects": {"count": 1, "assets": [{"category": "a", "shape": "bx"}]}},
    {"objects": {"count": 1, "assets": [{"category": "a", "path": "x", "unit": "yd"}]}},
    {"objects": {"assets": []}},
    {"surface": {"materials": "wod"}},
    {"surface": {"materials": {"wood": "lots"}}},
    {"labels": {"min_visibility": 2}},
    {"lights": {}},
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


def test_the_schema_describes_the_fields() -> None:
    """Completion shows choices and help; nothing internal is offered for writing."""
    schema = Recipe.model_json_schema()
    defs = schema["$defs"]
    assert "hex_bolt" in defs["AssetSpec"]["properties"]["shape"]["enum"]
    family = defs["MaterialSpec"]["anyOf"][0]["enum"]
    assert "wood" in family and "textured" not in family
    assert schema["properties"]["files"]["readOnly"] and schema["additionalProperties"] is False
    assert "never labelled" in json.dumps(schema["properties"]["distractors"])


# --- rules and expressions --------------------------------------------------------------------------------------------


def test_a_rule_acts_exactly_where_its_condition_holds() -> None:
    """A distractor only when the light is low."""
    recipe = make(
        distractors={"count": 0, "assets": [{"category": "clutter", "shape": "cylinder", "params": DISC}]},
        rules=[{"when": "world.strength < 0.9", "set": {"distractors.count": 1}}],
    )
    dark = []
    for index in range(COUNT):
        scene = sample(recipe, index)
        dark.append(scene.parameters["world.strength"].value < 0.9)  # type: ignore[operator]
        assert sum(o.category_id == 0 for o in scene.objects) == int(dark[-1])
    assert 4 < sum(dark) < COUNT - 4, "both cases came up"


def test_later_rules_win() -> None:
    """Of two rules that set the same parameter, the later one counts."""
    rules = [{"when": "camera.focal_mm > 1", "set": {"camera.roll_deg": r}} for r in (1, 2)]
    assert sample(make(rules=rules), 0).parameters["camera.roll_deg"].value == 2


def test_rules_read_what_rules_and_the_surface_set() -> None:
    """A chain of conditions is followed in the order of need, not of the file."""
    recipe = make(
        rules=[
            {"when": "camera.roll_deg == 3", "set": {"render.exposure_ev": 1}},
            {"when": "surface.material == 'wood'", "set": {"camera.roll_deg": 3}},
        ]
    )
    seen = {sample(recipe, i).parameters["surface.material"].value for i in range(COUNT)}
    assert seen == {"wood", "concrete"}
    for index in range(COUNT):
        values = {path: draw.value for path, draw in sample(recipe, index).parameters.items()}
        assert values["render.exposure_ev"] == (1 if values["surface.material"] == "wood" else 0)


def test_an_expression_computes_from_other_parameters() -> None:
    """A count that depends on the area, with no quantile of its own."""
    recipe = make(objects={**RECIPE["objects"], "count": {"dist": "expr", "value": "round(10 * placement.area[1])"}})
    for index in range(8):
        scene = sample(recipe, index)
        area = float(scene.parameters["placement.area.1"].value)  # type: ignore[arg-type]
        assert scene.parameters["objects.count"] == Draw(value=round(10 * area), quantile=None)
        assert len(scene.objects) == round(10 * area)


def test_a_rule_can_switch_on_depth_of_field() -> None:
    """A lens that a rule gives to some images, in a recipe whose camera has none."""
    recipe = make(rules=[{"when": "world.strength < 0.9", "set": {"camera.fstop": 4}}])
    stops = []
    for index in range(COUNT):
        scene = sample(recipe, index)
        stops.append(scene.camera.fstop)
        assert stops[-1] == (4 if scene.parameters["world.strength"].value < 0.9 else None)  # type: ignore[operator]
        assert ("camera.fstop" in scene.parameters) == (stops[-1] is not None)
    assert set(stops) == {4, None}


def test_an_area_that_is_computed_stays_on_the_table() -> None:
    """Where neither the area nor the table is known before the draw, the image is refused, not drawn in the air."""
    recipe = make(placement={"area": [{"dist": "expr", "value": "2 * surface.size[0]"}, 0.2]})
    with pytest.raises(RecipeError, match=r"^placement.area.0: must not exceed surface.size.0, got 3.2 m on"):
        sample(recipe, 0)
    both = [{"when": "camera.roll_deg < 1", "set": {"placement.area.0": 1.8, "surface.size.0": 2}}]
    assert sample(make(rules=both), 0).surface.size == (2, 1.2)  # type: ignore[union-attr]


def test_a_computed_value_is_held_to_the_same_limits() -> None:
    """An expression that leaves a parameter's range is an error of that image, with the path."""
    recipe = make(camera={"elevation_deg": {"dist": "expr", "value": "200 * world.strength"}})
    with pytest.raises(Exception, match=r"^camera.elevation_deg: must be between 1 and 90, got"):
        sample(recipe, 0)
    recipe = make(camera={"elevation_deg": {"dist": "expr", "value": "1 / (world.rotation_deg - 0)"}})
    with pytest.raises(Exception, match=r"^camera.elevation_deg: cannot compute '1 / .* division by zero"):
        sample(recipe, 0)


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_a_scene_is_a_function_of_recipe_seed_and_index() -> None:
    """The same three give an equal scene, any other gives another."""
    assert sample(make(), 3, 7) == sample(make(), 3, 7)
    assert sample(make(), 3, 7) != sample(make(), 4, 7) != sample(make(), 3, 8)


def test_a_scene_survives_json() -> None:
    """A scene file alone is the whole scene, floats included."""
    scene = sample(make(), 5)
    assert Scene.from_json(scene.to_json()) == scene


def test_every_draw_is_recorded_with_its_quantile() -> None:
    """The value of each parameter is its distribution's at the recorded quantile, and a fixed one has none."""
    recipe = make()
    for index in range(8):
        scene = sample(recipe, index)
        assert set(drawable(recipe)) < set(scene.parameters)
        objects = [item.parameters for item in scene.objects]
        assert all(f"objects.assets.{('box', 'disc').index(o.category)}.scale" in o.parameters for o in scene.objects)
        for path, draw in [pair for found in (scene.parameters, *objects) for pair in found.items()]:
            if path in ("surface.material", "objects.assets") or path.endswith("materials.body"):
                continue  # choices among parts of the recipe have a test of their own
            parts = path.split(".params.")
            dist = get_in(recipe, parts[0])
            dist = dist.params[parts[1]] if len(parts) > 1 else dist
            assert not isinstance(dist, Expr)
            assert (draw.quantile is None) == (len(dist.values()) == 1)
            assert draw.value == dist.ppf(draw.quantile or 0.0)


def test_choices_among_parts_of_the_recipe_are_recorded(tmp_path: Path) -> None:
    """Which asset, which of a pattern's files, which material and which panorama of a folder: all with quantiles."""
    for name, size in (("a.stl", 20), ("b.stl", 30), ("c.stl", 25)):
        trimesh.creation.box((size, 10, 10)).export(tmp_path / name)
    (tmp_path / "sky").mkdir()
    for name in ("dawn.hdr", "noon.hdr"):
        cv2.imwrite(str(tmp_path / "sky" / name), np.ones((8, 16, 3), np.float32))
    assets: list[dict[str, Any]] = [
        {"category": "part", "path": "*.stl", "weight": 3, "materials": {"zinc": 3, "brass": 1}},
        {"category": "box", "shape": "box", "materials": "wood"},
    ]
    raw = {**RECIPE, "objects": {"count": 2, "assets": assets}, "world": {"hdri": "sky"}}
    scenes = [sample(recipe_from_dict(raw, tmp_path), i) for i in range(COUNT)]
    for scene in scenes:
        sky = scene.parameters["world.hdri.file"]
        assert isinstance(scene.world.hdri, FileRef)
        assert scene.world.hdri.name == sky.value == ("dawn.hdr", "noon.hdr")[(sky.quantile or 0) >= 0.5]
    assert sum(s.parameters["world.hdri.file"].value == "noon.hdr" for s in scenes) == COUNT / 2, "balanced"
    seen = set()
    for item in (item for scene in scenes for item in scene.objects):
        kind, drawn = item.parameters["objects.assets"], item.parameters
        assert assets[int(kind.value)]["category"] == item.category  # type: ignore[arg-type]
        assert kind.value == ((kind.quantile or 0) >= 0.75)
        family = drawn[f"objects.assets.{kind.value}.materials.body"]
        assert family.value == item.materials["body"].family
        if kind.value == 1:
            assert (family.value, family.quantile) == ("wood", None)
            continue
        file = drawn["objects.assets.0.path"]
        assert family.value == ("brass" if (family.quantile or 0) >= 0.75 else "zinc")
        assert item.mesh.file and item.mesh.file.name == file.value == "abc"[int((file.quantile or 0) * 3)] + ".stl"
        seen |= {family.value, file.value}
    assert seen == {"zinc", "brass", "a.stl", "b.stl", "c.stl"}


@pytest.mark.parametrize(
    "grown",
    [
        {"camera": {**RECIPE["camera"], "fstop": {"dist": "uniform", "low": 2, "high": 8}}},
        {"lights": [*RECIPE["lights"], {"azimuth_deg": {"dist": "uniform", "low": 0, "high": 360}}]},
        {"rules": [{"when": "world.strength > 0.1", "set": {"camera.roll_deg": 4}}]},
        {"distractors": {"count": 1, "assets": [{"category": "clutter", "shape": "cylinder", "params": DISC}]}},
    ],
    ids=["lens", "light", "rule", "distractor"],
)
def test_a_recipe_grows_without_moving_what_was_there(grown: dict[str, Any]) -> None:
    """A new parameter, light or rule leaves every other draw and object as it was, a distractor all but poses."""
    old, new = make(), make(**grown)
    for index in range(6):
        before, after = sample(old, index), sample(new, index)
        kept = after.objects[: len(before.objects)]
        if "distractors" in grown:  # they take room, so they may push others aside
            poses = [{"world_T_object": o.world_T_object} for o in before.objects]
            kept = tuple(o.model_copy(update=pose) for o, pose in zip(kept, poses, strict=True))
        assert kept == before.objects
        changed = {p for p, draw in before.parameters.items() if after.parameters[p] != draw}
        assert changed <= {"camera.roll_deg"}
        assert (after.surface, after.world) == (before.surface, before.world)


def test_a_fixed_parameter_moves_no_other() -> None:
    """Fixing one value of an object leaves its other values, and all other objects, as they were."""
    fixed = copy.deepcopy(RECIPE)
    fixed["objects"]["assets"][0]["params"]["x_m"] = 0.015
    for index in range(6):
        for a, b in zip(
            sample(make(), index).objects, sample(recipe_from_dict(fixed, Path()), index).objects, strict=True
        ):
            assert a.category == b.category and a.materials == b.materials
            assert {**a.mesh.params, "x_m": 0} == {**b.mesh.params, "x_m": 0} or a.mesh.shape == "cylinder"


def test_every_prefix_is_balanced() -> None:
    """Of the first 2^k images, each 2^k-th of a range has exactly one, so a short dataset covers it as a long one."""
    quantiles = [sample(make(), i).parameters["world.strength"].quantile for i in range(16)]
    for k in (2, 4, 8, 16):
        assert sorted(int(q * k) for q in quantiles[:k] if q is not None) == list(range(k))


def test_a_choice_comes_up_by_its_weights() -> None:
    """35 mm in a quarter of the images: exactly 4 of 16."""
    focal = [sample(make(), i).parameters["camera.focal_mm"].value for i in range(16)]
    assert focal.count(35) == 4 and focal.count(50) == 12
