"""The camera of a recipe: intrinsics from datasheets and calibrations, distortion, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scenewright.errors import RecipeError
from scenewright.scenes.lenses import BrownConrady, Fisheye
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample

from .small_recipe import RECIPE

MATRIX: dict[str, Any] = {"fx": 600, "fy": 590, "cx": 319.5, "cy": 239.5, "size": [640, 480], "origin": "center"}


def with_camera(size: tuple[int, int] = (64, 48), **camera: Any) -> Recipe:
    render = {**RECIPE["render"], "size": list(size)}
    return recipe_from_dict({**RECIPE, "camera": camera, "render": render}, Path())


def test_a_datasheet_gives_the_focal_length_in_pixels() -> None:
    """8 mm over pixels of 2 µm is 4000 px; an image at a quarter of the sensor's 2560 pixels has a quarter of that."""
    whole = sample(with_camera((2560, 1920), focal_mm=8, pixel_pitch_um=2), 0).camera
    small = sample(with_camera((640, 480), focal_mm=8, pixel_pitch_um=2, sensor_px=[2560, 1920]), 0).camera
    assert (whole.fx, whole.fy, whole.cx, whole.cy) == (4000, 4000, 1280, 960)
    assert (small.fx, small.fy, small.cx, small.cy) == (1000, 1000, 320, 240)
    width = sample(with_camera((640, 480), focal_mm=8, sensor_width_mm=5.12), 0).camera
    assert width.fx == pytest.approx(1000)


def test_a_matrix_is_scaled_with_the_image_about_its_corner() -> None:
    """At half the size fx, fy are half, and OpenCV's centre of 640 pixels, 319.5, is the centre of 320, 160."""
    same = sample(with_camera((640, 480), matrix=MATRIX), 0).camera
    half = sample(with_camera((320, 240), matrix=MATRIX), 0).camera
    corner = sample(with_camera((320, 240), matrix={**MATRIX, "origin": "corner"}), 0).camera
    assert (same.fx, same.fy, same.cx, same.cy) == (600, 590, 320, 240)
    assert (half.fx, half.fy, half.cx, half.cy) == (300, 295, 160, 120)
    assert (corner.cx, corner.cy) == (159.75, 119.75)


def test_the_principal_point_moves() -> None:
    """An offset is drawn for each image, in pixels right and down from the middle, and recorded."""
    wide = {"dist": "uniform", "low": -3, "high": 3}
    scenes = [sample(with_camera(principal_offset_px=[wide, 2]), index) for index in range(8)]
    assert len({s.camera.cx for s in scenes}) == 8 and {s.camera.cy for s in scenes} == {26.0}
    for scene in scenes:
        assert scene.camera.cx == 32 + float(scene.parameters["camera.principal_offset_px.0"].value)  # type: ignore[arg-type]


def test_distortion_is_drawn_and_recorded() -> None:
    """Each coefficient may be a distribution; what is not given is 0."""
    barrel = {"model": "brown_conrady", "k1": {"dist": "uniform", "low": -0.2, "high": -0.1}, "p2": 0.001}
    scenes = [sample(with_camera(focal_mm=50, distortion=barrel), index) for index in range(4)]
    for scene in scenes:
        k1 = scene.parameters["camera.distortion.k1"].value
        assert scene.camera.lens == BrownConrady(k1=k1, p2=0.001) and -0.2 <= float(k1) <= -0.1  # type: ignore[arg-type]
    assert len({s.camera.lens for s in scenes}) == 4
    fish = sample(with_camera(distortion={"model": "fisheye", "k2": 0.01}), 0).camera
    assert fish.lens == Fisheye(k2=0.01)


def test_a_rule_may_set_a_coefficient() -> None:
    """What stands under the distortion is an image-level parameter like any other."""
    recipe = recipe_from_dict(
        {
            **RECIPE,
            "camera": {"focal_mm": 50, "distortion": {"model": "fisheye"}},
            "rules": [{"when": "surface.material == 'wood'", "set": {"camera.distortion.k1": -0.01}}],
        },
        Path(),
    )
    scenes = [sample(recipe, index) for index in range(8)]
    found = {(s.parameters["surface.material"].value, s.camera.lens) for s in scenes}
    assert found == {("wood", Fisheye(k1=-0.01)), ("concrete", Fisheye())}


def test_a_lens_goes_through_json() -> None:
    """A scene with a lens is the same after it was stored."""
    scene = sample(with_camera(distortion={"model": "brown_conrady", "k1": -0.05}), 0)
    again = type(scene).from_json(scene.to_json())
    assert again == scene and isinstance(again.camera.lens, BrownConrady)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ("distortion: {k1: 1}", "camera.distortion: needs 'model'"),
        ("distortion: {model: fishy}", "'model' must be one of 'brown_conrady', 'fisheye'"),
        ("distortion: {model: fisheye, k9: 1}", "k9: unknown key; allowed are model, k1, k2, k3, k4"),
        ("distortion: {model: brown_conrady, k9: 1}", "k9: unknown key; allowed are model, k1, k2, p1, p2, k3"),
        ("distortion: {model: fisheye, k1: x}", "camera.distortion.k1: must be a number, got 'x'"),
        ("distortion: 3", "camera.distortion: must be a mapping, got 3"),
        ("matrix: {fx: 60, fy: 60, cx: 0, cy: 0, size: [64, 48]}", "camera.matrix.origin: is missing"),
        ("matrix: {fx: 60, fy: 60, cx: 0, cy: 0, size: [64, 64], origin: corner}", "has other proportions"),
        ("{matrix: MATRIX, sensor_width_mm: 36}", "matrix already says what sensor_width_mm would"),
        ("{matrix: MATRIX, pixel_pitch_um: 3}", "matrix already says what pixel_pitch_um would"),
        ("{matrix: MATRIX, principal_offset_px: [1, 0]}", "matrix already says where the optical axis is"),
        ("{sensor_width_mm: 20, pixel_pitch_um: 3}", "both say how large a pixel is"),
        ("sensor_px: [640, 480]", "sensor_px needs pixel_pitch_um"),
        ("{pixel_pitch_um: 3, sensor_px: [640, 400]}", "camera.sensor_px is 640 x 400, and render.size 64 x 48"),
        ("pixel_pitch_um: 0", "camera.pixel_pitch_um: must be 0.1 or more, got 0"),
    ],
)
def test_contradictions_are_refused(camera: str, message: str) -> None:
    """Whatever says something twice, or not enough, is an error that names the place."""
    text = camera.replace("MATRIX", yaml.safe_dump(MATRIX, default_flow_style=True).strip())
    with pytest.raises(RecipeError) as caught:
        with_camera(**yaml.safe_load(text if text.startswith("{") else f"{{{text}}}"))
    assert message in str(caught.value)


def test_a_lens_that_folds_the_image_is_refused_when_it_is_drawn() -> None:
    """The message says how far the lens reaches and what to change."""
    recipe = with_camera(focal_mm=20, distortion={"model": "brown_conrady", "k1": -0.4})
    with pytest.raises(RecipeError, match=r"images nothing beyond 0\.609 focal lengths .* bring k1 nearer to 0"):
        sample(recipe, 0)
    assert np.isclose(2 / 3 / np.sqrt(1.2), 0.609, atol=5e-4)
