"""Defects in recipes: short forms, limits, and what can never come up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenewright.assets.defects.kind import Grows, Kind
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.materials import FAMILIES
from scenewright.errors import RecipeError
from scenewright.scenes.load import load, recipe_from_dict
from scenewright.scenes.sample import FIXED, sample
from scenewright.scenes.scene import RenderSettings

from .small_recipe import RECIPE, make

RUST = Kind("rust", "for tests", {"width_mm": Grows(1, 2, "mm", most=5)}, lambda v: (1.0, 1.0), frozenset({"zinc"}))
GRIP = Kind("lost", "for tests", {}, lambda v: (1.0, 1.0), features="screw")


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "test_rust", RUST)
    monkeypatch.setitem(KINDS, "test_lost", GRIP)


def zinc_box(**defects: Any) -> Any:
    box = {"category": "box", "shape": "box", "materials": "zinc"}
    return make(objects={"count": 1, "assets": [box]}, defects=defects)


@pytest.mark.parametrize("kinds", ["stain", ["stain"], {"stain": 1}, {"kind": "stain"}, [{"kind": "stain"}]])
def test_short_forms_mean_the_same(kinds: Any) -> None:
    """One kind can be written in five ways."""
    assert make(defects={"kinds": kinds}).defects == make(defects={"kinds": [{"kind": "stain", "weight": 1}]}).defects


@pytest.mark.parametrize(("region", "weights"), [("edge", {"edge": 1}), (["edge", "face"], {"edge": 1, "face": 1})])
def test_regions_have_short_forms(region: Any, weights: dict[str, float]) -> None:
    """A region alone, or several alike."""
    spec = make(defects={"kinds": [{"kind": "stain", "region": region}]}).defects
    assert spec is not None and spec.chosen[0].region == weights


def test_all_kinds_are_the_default() -> None:
    """A recipe that names no kinds has them all, each as often."""
    spec = make(defects={}).defects
    assert spec is not None and [(s.kind, s.weight) for s in spec.chosen] == [(name, 1) for name in KINDS]


@pytest.mark.parametrize(
    ("defects", "says"),
    [
        ({"kinds": "stian"}, "defects.kinds: 'stian' is no kind of defect; choose from "),
        ({"kinds": []}, "defects.kinds: must not be empty"),
        ({"kinds": {"stain": 0}}, "at least one kind needs a weight above 0"),
        ({"kinds": {"stain": -1}}, "must be 0 or more, got -1"),
        ({"kinds": 3}, "must be a kind of defect, a list of them, or a mapping from kind to weight, got 3"),
        ({"kinds": [{"kind": "stain", "params": {"wide_mm": 1}}]}, "stain has no value 'wide_mm'; it has width_mm"),
        ({"kinds": [{"kind": "stain", "params": {"density": 2}}]}, "params.density: must be a number from 1e-06 to"),
        ({"kinds": [{"kind": "stain", "params": {"width_mm": "wide"}}]}, "params.width_mm: must be a number"),
        ({"kinds": [{"kind": "stain", "severity": 0}]}, "defects.kinds.0.severity: must be between 0.01 and 1, got 0"),
        ({"kinds": [{"kind": "stain", "region": {"edge": 0}}]}, "at least one region needs a weight above 0"),
        ({"kinds": [{"kind": "stain", "weight": {"bx": 1}}]}, "defects.kinds.0.weight: there is no category 'bx'"),
        ({"kinds": [{"kind": "test_lost", "region": "edge"}]}, "test_lost is where the asset has a screw: leave"),
        ({"kinds": [{"kind": "stain", "sverity": 1}]}, "defects.kinds.0.sverity: unknown key; did you mean 'severity'"),
        ({"rate": {"surface": 1}}, "defects.rate: there is no category 'surface'; choose from box, disc"),
        ({"rate": 1.5}, "defects.rate: must be 1 or less, got 1.5"),
        ({"rate": {"box": 2}}, "defects.rate.box: must be 1 or less, got 2"),
        ({"count": 25}, "defects.count: must be between 1 and 24, got 25"),
        ({"count": {"dist": "expr", "value": "2"}}, "an expression may only stand at a parameter of the whole image"),
        ({"placement": "seen"}, "defects.placement: must be 'exposure' or 'area', got 'seen'"),
        ({"clustered": -0.1}, "defects.clustered: must be 0 or more"),
        ({"cluster_radius": 0}, "defects.cluster_radius: must be above 0"),
        ({"min_pixels": 0}, "defects.min_pixels: must be 1 or more"),
        ({"min_visible_fraction": 2}, "defects.min_visible_fraction: must be 1 or less"),
        ({"kinds": ["stain", "test_rust"]}, "defects.kinds.1: test_rust occurs on zinc, and this recipe's objects are"),
    ],
)
def test_what_is_impossible_is_said(defects: dict[str, Any], says: str) -> None:
    """Each mistake has its place in the recipe, the rule, and the choices."""
    with pytest.raises(RecipeError) as error:
        make(defects=defects)
    assert says in str(error.value)


def test_places_have_to_be_on_some_asset() -> None:
    """A region, or what a kind is about, that no object can have is refused with those that there are."""
    flange = {"category": "flange", "shape": "flange"}
    objects = {"count": 1, "assets": [flange, {"category": "box", "shape": "box"}]}
    assert make(objects=objects, defects={"kinds": [{"kind": "stain", "region": "hub"}, "test_lost"]}).defects
    with pytest.raises(RecipeError, match=r"kinds.0.region: no asset of this recipe has a region 'thread'; choose"):
        make(objects=objects, defects={"kinds": [{"kind": "stain", "region": "thread"}]})
    with pytest.raises(RecipeError, match="test_lost needs an asset with a screw, and this recipe has none; its"):
        make(defects={"kinds": "test_lost"})


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_on_materials_that_there_are(name: str) -> None:
    """The families of a kind exist: a misspelt one would just never have the defect."""
    assert (KINDS[name].families or set()) <= set(FAMILIES)


def test_rules_do_not_set_defects() -> None:
    """What is drawn for each object cannot depend on the image by a rule."""
    with pytest.raises(RecipeError, match=r"defects.count cannot be set by a rule"):
        make(defects={}, rules=[{"when": "world.strength > 1", "set": {"defects.count": 2}}])


def test_categories_of_defects_are_those_that_can_come_up() -> None:
    """In the order of all kinds, and only where some material of the objects takes them."""
    assert zinc_box(kinds=["test_rust", "stain"]).defect_categories == ("stain", "rust")
    assert "rust" in zinc_box().defect_categories
    assert "rust" not in make(defects={}).defect_categories
    assert make().defect_categories == ()


def test_one_name_has_one_meaning() -> None:
    """A category of objects cannot be called as one of defects."""
    box = {"category": "stain", "shape": "box"}
    with pytest.raises(
        RecipeError, match="'stain' is a category of defects and of objects: rename that of the objects"
    ):
        make(objects={"count": 1, "assets": [box]}, defects={"kinds": "stain"})


def test_a_recipe_with_defects_can_be_stored() -> None:
    """What `dataset.json` holds gives the same recipe, defaults and all."""
    for defects in (
        {},
        {"rate": {"box": 0.5}, "kinds": [{"kind": "stain", "region": "edge", "params": {"density": 0.4}}]},
    ):
        recipe = make(defects=defects)
        assert recipe_from_dict(recipe.model_dump(mode="json", exclude={"files", "libraries"}), Path()) == recipe


@pytest.mark.parametrize("preset", FIXED)
def test_noise_tells_nothing(preset: str) -> None:
    """All pictures of a recipe with defects have a fixed number of samples, also those without a defect."""
    scene = sample(make(defects={"rate": 0}, render={**RECIPE["render"], "preset": preset}), 0)
    assert isinstance(scene.render, RenderSettings)
    assert (scene.render.noise_threshold, scene.render.min_samples) == (0, 0)
    assert scene.render.samples == FIXED[preset]["samples"]
    assert not any(o.defects for o in scene.objects)


def test_limits_of_export_are_the_scenes() -> None:
    """The recipe's least pixels and least visible fraction stand in the scene."""
    rules = sample(make(defects={"min_pixels": 5, "min_visible_fraction": 0.4}), 0).defect_rules
    assert (rules.min_pixels, rules.min_visible_fraction) == (5, 0.4)


@pytest.mark.parametrize("name", ["inspection", "surface"])
def test_recipes_with_defects_wear_nothing_that_is_not_labelled(name: str) -> None:
    """No labelled part is scratched, dusty or chipped by its material: a good image shows no defect."""
    recipe = load(name)
    for n in range(12):
        for item in sample(recipe, n, 0).objects:
            for material in item.materials.values():
                assert {material.values.get(key, 0.0) for key in ("wear", "dust", "chips")} == {0.0}
