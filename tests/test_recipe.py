"""Recipes that are right: what may be written, and what stays the same recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trimesh

from scenewright.scenes.load import built_in_recipes, load, recipe_from_dict, recipe_sha256
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.tree import get_in

from .small_recipe import DISC, RECIPE, make


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
    assert get_in(recipe, "lights.1.distance").values() == (1, 2) and recipe.description == "2024-02-30"


def test_an_override_changes_one_place(tmp_path: Path) -> None:
    """`--set` on one of three places that share an alias leaves the two others alone."""
    recipe = written(tmp_path, YAML, "lights.1.distance.high=1.5", "objects.assets.1.weight=3", "camera.roll_deg=5")
    assert get_in(recipe, "lights.1.distance").values() == (1, 1.5) and recipe.objects.assets[1].weight == 3
    assert get_in(recipe, "lights.0.distance").values() == recipe.camera.distance.values() == (1, 2)
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
