"""`render.engine: eevee`: what it refuses, what a record says of it, and that its labels are those of Cycles."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import scenewright as sw
from scenewright.datasets.records import read_record, record_path
from scenewright.errors import RecipeError, RenderError
from scenewright.pipeline import rerender
from scenewright.render import egl
from scenewright.render.lamps import lamps
from scenewright.render.panorama_lamps import BRIGHT, spots
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import EEVEE_SAMPLES, sample
from scenewright.scenes.scene import Scene, matrix
from scenewright.scenes.scene_lights import AreaLight, RingLight

from .small_recipe import RECIPE

EEVEE = {**RECIPE["render"], "engine": "eevee"}


def make(**changes: Any) -> Recipe:
    """The small recipe under EEVEE with other sections."""
    return recipe_from_dict({**RECIPE, "render": EEVEE, **changes}, Path())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"camera": {"distortion": {"model": "fisheye"}}}, r"camera\.distortion"),
        ({"defects": {"rate": 0.5, "kinds": ["scratch"]}}, "defects"),
        ({"world": {"sky": {"elevation_deg": 10}}}, r"world\.sky"),
        ({"world": {"source": {"dist": "choice", "options": ["hdri", "sky"]}}}, r"world\.sky"),
    ],
)
def test_what_eevee_cannot_do_is_refused(changes: dict[str, Any], path: str) -> None:
    """A recipe that asks EEVEE for what only Cycles does is refused when it is read, with the path and what to do."""
    with pytest.raises(RecipeError, match=rf"{path}: not with render\.engine: eevee .*leave it out, or use cycles"):
        make(**changes)


@pytest.mark.parametrize("preset", EEVEE_SAMPLES)
def test_a_scene_has_eevees_settings_alone(preset: str) -> None:
    """A scene for EEVEE stores its own settings and none of Cycles', and comes back from JSON as it was."""
    scene = sample(make(render={**EEVEE, "preset": preset}), 0)
    plain = scene.render.model_dump()
    assert plain["samples"] == EEVEE_SAMPLES[preset]
    assert not {"denoise", "noise_threshold", "min_samples", "prefilter"} & plain.keys()
    assert Scene.from_json(scene.to_json()) == scene


@pytest.mark.parametrize(
    ("stdout", "code", "message"),
    [
        (egl.ANSWER + '{"problem": "no libEGL", "remedy": "install it"}', 0, "no libEGL: install it. Or use .*cycles"),
        ("", -6, r"ended the process \(-6\) and said: it crashed: .*NVIDIA_DRIVER_CAPABILITIES"),
    ],
)
def test_missing_opengl_is_explained(monkeypatch: pytest.MonkeyPatch, stdout: str, code: int, message: str) -> None:
    """Without OpenGL, and with a driver that crashes, the error says what to install, before Blender is asked."""
    done = subprocess.CompletedProcess([], code, stdout, "it crashed")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(RenderError, match=message):
        egl.ask()


def test_a_panoramas_spot_is_a_lamp_of_its_light_and_size() -> None:
    """A bright disc in an even panorama comes out with its direction, its angle, and π a² times what it has above."""
    rows, radius, bright = 180, math.radians(6), 500.0
    up, around = (np.pi * (0.5 - (np.arange(rows) + 0.5) / rows), np.pi - np.pi * (np.arange(2 * rows) + 0.5) / rows)
    z, turn = np.meshgrid(up, around, indexing="ij")
    towards = np.stack([np.cos(z) * np.cos(turn), np.cos(z) * np.sin(turn), np.sin(z)], axis=-1)
    direction = np.array([0.48, -0.64, 0.6])
    panorama = np.where(towards @ direction > math.cos(radius), bright, 1.0)[..., None] * np.ones(3, np.float32)
    (spot,), limit = spots(panorama.astype(np.float32))
    cap = math.tau * (1 - math.cos(radius))
    mean = 1 + (bright - 1) * cap / (4 * math.pi)
    assert limit == pytest.approx(BRIGHT * mean, rel=0.02)
    assert np.degrees(np.arccos(np.dot(spot.direction, direction))) < 0.2
    assert spot.angle == pytest.approx(2 * radius, rel=0.03)
    assert spot.irradiance == pytest.approx((cap * (bright - limit),) * 3, rel=0.03)


def test_an_even_panorama_has_no_lamps() -> None:
    """Light that comes from everywhere alike stays the world's."""
    assert spots(np.full((90, 180, 3), 3.0, np.float32))[0] == ()


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_lamps_of_a_ring_give_its_light(tilt: float) -> None:
    """Lamps in place of a ring light what lies on its axis as its closed form says, whatever its tilt and place.

    A strip of power P whose normal leans by t to the axis gives P cos θ cos φ / (π d²), θ between its normal and the
    way to the point, φ between that way and the axis, d the distance.
    """
    radius, depth = 0.3, 0.5
    pose = np.array([[0.0, 0, 1, 2], [1, 0, 0, 3], [0, 1, 0, 4], [0, 0, 0, 1]])
    ring = RingLight(world_T_light=matrix(pose), radius_m=radius, width_m=0.02, tilt=tilt, power_w=6.0)
    point, total = (pose @ [0, 0, -depth, 1])[:3], 0.0
    for lamp in lamps(ring):
        assert isinstance(lamp, AreaLight)
        place = np.asarray(lamp.world_T_light)
        assert np.allclose(place[:3, :3] @ place[:3, :3].T, np.eye(3)) and np.linalg.det(place[:3, :3]) > 0
        way = point - place[:3, 3]
        d = np.linalg.norm(way)
        total += lamp.power_w * (-place[:3, 2] @ way / d) * (-pose[:3, 2] @ way / d) / (math.pi * d**2)
    d2 = radius**2 + depth**2
    leaning = (depth * math.cos(tilt) + radius * math.sin(tilt)) / math.sqrt(d2)
    assert total == pytest.approx(6 / math.pi * leaning * depth / math.sqrt(d2) / d2, rel=1e-6)


@pytest.fixture(scope="module")
def gl() -> egl.Gl:
    """Who renders OpenGL here."""
    try:
        return egl.ask()
    except RenderError as e:
        pytest.skip(str(e))


@pytest.mark.render
def test_labels_are_those_of_cycles(gl: egl.Gl, tmp_path: Path) -> None:
    """EEVEE's dataset has Cycles' labels bit for bit, names its renderer, and renders again to the same pixels.

    Its picture is as bright as Cycles', and each object in it has about the colour that it has there.
    """
    shown = {**RECIPE["render"], "preset": "draft"}
    recipes = [make(render={**shown, "engine": name}) for name in ("eevee", "cycles")]
    folders = [tmp_path / name for name in ("eevee", "cycles")]
    for recipe, folder in zip(recipes, folders, strict=True):
        assert sw.generate(recipe, 1, folder).complete
    ours, theirs = (read_record(record_path(folder, 0)) for folder in folders)
    assert ours.device == f"eevee: {gl.renderer}"
    assert (ours.hashes.ids, ours.hashes.depth, ours.instances) == (
        theirs.hashes.ids, theirs.hashes.depth, theirs.instances,
    )  # fmt: skip
    frame, same = rerender(folders[0], 0, sw.render_scene)
    assert same
    other = cv2.imread(str(folders[1] / theirs.image))
    assert other is not None
    assert frame.rgb.mean() == pytest.approx(other.mean(), rel=0.25)
    regions = [frame.ids == k for k in range(len(ours.instances) + 1)]
    colors, expected = (np.array([p[r].mean(axis=0) for r in regions]) for p in (frame.rgb, other[..., ::-1]))
    assert np.corrcoef(colors.ravel(), expected.ravel())[0, 1] > 0.9
