"""White balance: grey looks grey in the light that the picture is balanced for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from scenewright.assets.material import Material
from scenewright.scenes.black_body import black_body
from scenewright.scenes.build import shape_mesh
from scenewright.scenes.cameras import orbit_camera
from scenewright.scenes.lights import softbox
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings, Scene, SceneObject, World, matrix

from .small_recipe import RECIPE
from .test_engines import Cycles, process

KELVIN = (2000.0, 3000.0, 6500.0, 9000.0)


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("white"), threads=1) as shoot:
        yield shoot


def grey_card(light_k: float, balance_k: float, tint: float = 0.0) -> Scene:
    """A grey card under a softbox and nothing else, as the standard view transform shows it."""
    ref, _ = shape_mesh("box", {"x_m": 0.2, "y_m": 0.2, "z_m": 0.01})
    even = {"roughness": 0.52, "texture": 0.0, "wear": 0.0, "dust": 0.0, "colour": (0.3, 0.3, 0.3)}
    card = SceneObject(
        id=1, category="card", category_id=1, mesh=ref, world_T_object=matrix(np.eye(4)),
        materials={"body": Material(family="plastic", values=even)},
    )  # fmt: skip
    return Scene(
        recipe="card", recipe_sha256="", seed=0, index=0, group=0, categories=("card",), surface=None,
        world=World(hdri="studio", strength=0.0), objects=(card,),
        lights=(softbox(6.0, (0.3, 0.3), (0.6, 0.5, 1.0), light_k),),
        camera=orbit_camera((32, 24), 50, 36, (0, 0, 0), (0.25, 0.0, 1.4)),
        render=RenderSettings(
            preset="test", samples=16, view_transform="standard", white_balance_k=balance_k, white_balance_tint=tint
        ),
    )  # fmt: skip


@pytest.mark.render
@pytest.mark.parametrize("kelvin", KELVIN)
def test_a_grey_card_is_grey_in_the_light_that_it_is_balanced_for(cycles: Cycles, kelvin: float) -> None:
    """Red, green and blue are within 2 % of each other under a black body of the same temperature."""
    r, g, b = cycles(grey_card(kelvin, kelvin)).rgb.reshape(-1, 3).mean(axis=0)
    assert 60 < g < 230
    assert max(r, g, b) < 1.02 * min(r, g, b)


@pytest.mark.render
def test_balance_and_tint_go_the_right_way(cycles: Cycles) -> None:
    """Unbalanced, 3000 K is orange; balanced for 9000 K it is more so; a positive tint takes green out."""
    red, _, blue = np.moveaxis(
        np.array([cycles(grey_card(3000, k)).rgb.reshape(-1, 3).mean(axis=0) for k in (3000, 6500, 9000)]), 1, 0
    )
    ratio = red / blue
    assert ratio[0] < 1.1 and ratio[1] > 1.5 and ratio[2] > ratio[1]
    r, g, b = cycles(grey_card(6500, 6500, 50.0)).rgb.reshape(-1, 3).mean(axis=0)
    assert g < min(r, b)


def test_white_balance_is_a_parameter_of_the_recipe() -> None:
    """It may be a distribution, is recorded, and by default changes nothing."""
    warm = {"dist": "uniform", "low": 2800, "high": 5000}
    render = {**RECIPE["render"], "white_balance_k": warm, "white_balance_tint": 5}
    scenes = [sample(recipe_from_dict({**RECIPE, "render": render}, None), index) for index in range(4)]
    assert len({s.render.white_balance_k for s in scenes}) == 4
    assert all(s.parameters["render.white_balance_k"].value == s.render.white_balance_k for s in scenes)
    plain = sample(recipe_from_dict(RECIPE, None), 0).render
    assert (plain.white_balance_k, plain.white_balance_tint) == (6500, 0)


@pytest.mark.parametrize(
    ("kelvin", "x", "y"), [(2000, 0.5267, 0.4133), (3000, 0.4369, 0.4041), (10000, 0.2807, 0.2884)]
)
def test_black_bodies_have_the_chromaticity_of_the_cie_tables(kelvin: float, x: float, y: float) -> None:
    """Linear Rec.709 of a black body, before 6500 K is called white, has the tabulated CIE 1931 x and y to 0.002."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    white = np.array([0.3135, 0.3237])  # of 6500 K
    reference = np.linalg.solve(to_xyz, np.array([white[0] / white[1], 1, (1 - white.sum()) / white[1]]))
    found = to_xyz @ (np.array(black_body(kelvin)) * reference)
    np.testing.assert_allclose(found[:2] / found.sum(), [x, y], atol=0.002)
