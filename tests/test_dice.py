"""The recipe `dice`, and what it needs: trays with a lining, and containers that some images lack."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.assets.library import build
from scenewright.errors import AssetError, RecipeError
from scenewright.scenes.load import load, recipe_from_dict
from scenewright.scenes.sample import sample

TRAY = {"x_m": 0.2, "y_m": 0.15, "height_m": 0.05, "wall_m": 0.003, "floor_m": 0.002, "corner_m": 0.0, "draft_deg": 0.0}


def test_the_band_of_a_tray_ends_where_it_says() -> None:
    """The lining covers the inner walls from the floor to `band_m` under the rim, all around: its area is known."""
    mesh = build("tray", {**TRAY, "band_m": 0.012})
    lining = mesh.faces[mesh.face_part == mesh.part_names.index("lining")]
    corners = mesh.vertices[lining]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    assert area == pytest.approx(2 * (0.2 + 0.15) * (0.05 - 0.012), rel=1e-6)
    assert np.ptp(corners[..., 2]) == pytest.approx(0.038, abs=1e-9)


@pytest.mark.parametrize("band", [0.001, 0.05])
def test_a_band_lies_on_the_wall(band: float) -> None:
    """A band that ends within the rim's rounding, or at the floor, is refused."""
    with pytest.raises(AssetError, match="band_m must lie between the rim's rounding and height_m"):
        build("tray", {**TRAY, "band_m": band})


def test_a_container_that_some_images_lack() -> None:
    """With `present` at 30 %, about three of ten images have the container, and the others stand on the surface."""
    recipe = recipe_from_dict(
        {
            "name": "t",
            "objects": {"count": 1, "assets": [{"category": "die", "shape": "die"}]},
            "container": {
                "kind": "tray",
                "present": {"dist": "choice", "options": [True, False], "weights": [0.3, 0.7]},
            },
        },
        None,
    )
    scenes = [sample(recipe, i) for i in range(40)]
    assert 10 <= sum(len(s.fixtures) for s in scenes) <= 14
    assert {len(s.fixtures): s.stuff_categories for s in scenes} == dict.fromkeys((0, 1), ("surface", "tray"))
    without = next(s for s in scenes if not s.fixtures)
    assert without.parameters["container.present"].value is False


def test_present_is_true_or_false() -> None:
    """A number is no answer to whether a container is there."""
    raw = {
        "name": "t",
        "objects": {"count": 1, "assets": [{"category": "die", "shape": "die"}]},
        "container": {"kind": "tray", "present": 0.3},
    }
    with pytest.raises(RecipeError, match=r"must be true or false, got 0\.3"):
        recipe_from_dict(raw, None)


def test_dice_are_thrown_and_show_all_values() -> None:
    """Over some images of `dice` each value comes up, categories have the photographs' order, magnets none."""
    recipe = load("dice")
    assert recipe.category_names == ("one", "two", "three", "four", "five", "six")
    objects = [o for i in range(12) for o in sample(recipe, i).objects]
    assert {o.category for o in objects if o.category_id} == set(recipe.category_names)
    assert {o.category for o in objects if not o.category_id} == {"magnet"}
