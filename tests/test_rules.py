"""Parameters that depend on others: rules, and values that are computed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scenewright.errors import RecipeError
from scenewright.scenes import rules
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Draw

from .small_recipe import COUNT, DISC, RECIPE, make


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
    """An expression that leaves a parameter's range is an error that names it, in that image at the latest."""
    high = {"dist": "expr", "value": "(3 - world.strength) * 60"}
    # Seed 0 puts the first image below the limit, or loading would refuse the recipe.
    recipe = make(camera={"elevation_deg": high}, world={"strength": {"dist": "uniform", "low": 1, "high": 2}})
    said = []
    for index in range(16):
        try:
            sample(recipe, index)
        except RecipeError as e:
            said.append(str(e))
    assert len(said) == 8, "half of the strengths lie below 1.5"
    assert all(re.match(r"camera.elevation_deg: must be between 1 and 90, got \d", text) for text in said)
    with pytest.raises(RecipeError, match=r"camera.elevation_deg: must be between 1 and 90, got"):
        make(camera={"elevation_deg": {"dist": "expr", "value": "2000 * world.strength"}})
    with pytest.raises(RecipeError, match=r"camera.elevation_deg: cannot compute '1 / .* division by zero"):
        make(camera={"elevation_deg": {"dist": "expr", "value": "1 / (world.rotation_deg - 0)"}})


def test_a_rule_that_can_never_be_computed_is_refused_when_the_recipe_is_loaded() -> None:
    """Comparing a word with a number is not left to the first image."""
    with pytest.raises(RecipeError, match=r"rules.0.when: cannot compute 'surface.material < 3': '<' not supported"):
        make(rules=[{"when": "surface.material < 3", "set": {"camera.roll_deg": 4}}])


def test_measured_columns_stay_out_of_what_is_remembered(tmp_path: Path) -> None:
    """A recipe with a long CSV and a computed value keeps nothing of the CSV for each image."""
    (tmp_path / "lamps.csv").write_text("kelvin\n" + "\n".join(str(3000 + k / 16) for k in range(16_000)))
    lights = [{"temperature_k": {"dist": "empirical", "csv": "lamps.csv", "column": "kelvin"}}]
    raw = {**RECIPE, "lights": lights, "camera": {"roll_deg": {"dist": "expr", "value": "world.strength * 9"}}}
    assert len(rules._json(recipe_from_dict(raw, tmp_path))) < 20_000
