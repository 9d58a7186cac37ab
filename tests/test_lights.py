"""Lights and worlds: what a recipe says of them, and the light that arrives, against closed forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import scenewright as sw
from scenewright.assets.material import Material
from scenewright.errors import RecipeError
from scenewright.scenes.cameras import orbit_camera
from scenewright.scenes.lights import camera_pose, orbit_pose
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.motion import scene_after
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings, Scene, Surface, matrix
from scenewright.scenes.scene_lights import AreaLight, Light, RingLight, Sky, SpotLight, SunLight, World

from .small_recipe import RECIPE, make

BLACK = World(color=(0.0, 0.0, 0.0))
KINDS: list[dict[str, Any]] = [
    {"kind": "softbox", "shape": "disk"},
    {"kind": "bar", "count": 2},
    {"kind": "spot", "cone_deg": 30},
    {"kind": "sun"},
    {"kind": "ring"},
    {"kind": "dark_field"},
    {"kind": "backlight"},
]


def linear(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Scene-linear values of an 8-bit sRGB picture of the `standard` view (IEC 61966-2-1)."""
    s = picture / 255.0
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def middle(lights: tuple[Light, ...], world: World = BLACK, camera_elevation: float = 90.0) -> float:
    """Radiance of the middle of a white paper table under these lights, seen by a camera."""
    paper = Material(
        family="paper",
        values={"colour": (0.5, 0.5, 0.5), "creases": 0.0, "wear": 0.0, "dust": 0.0, "roughness": 0.8},
    )
    scene = Scene(
        recipe="t", recipe_sha256="0" * 64, seed=0, index=0, group=0, categories=("a",),
        surface=Surface(size=(2.0, 2.0), material=paper), world=world, lights=lights, objects=(),
        camera=orbit_camera((32, 32), 50, 36, (0, 0, 0), (0.5, 0.0, math.radians(camera_elevation))),
        render=RenderSettings(samples=32, denoise=False, view_transform="standard"),
    )  # fmt: skip
    return float(linear(sw.render_scene(scene).rgb)[12:20, 12:20].mean())


def sun(irradiance: float, elevation: float = math.pi / 2) -> SunLight:
    return SunLight(world_T_light=matrix(orbit_pose((1.0, 0.3, elevation))), angle=0.01, irradiance_w_m2=irradiance)


@pytest.mark.parametrize("spec", KINDS, ids=[k["kind"] for k in KINDS])
def test_each_kind_is_drawn(spec: dict[str, Any]) -> None:
    """Every kind of light gives as many lights as it says, and a scene that survives JSON."""
    scene = sample(make(lights=[spec]), 0)
    assert len(scene.lights) == spec.get("count", 1)
    assert Scene.from_json(scene.to_json()) == scene


def test_several_stand_evenly_around_the_target() -> None:
    """Four bars are a quarter turn apart, all at the same distance and facing the target."""
    scene = sample(make(lights=[{"kind": "bar", "count": 4, "distance": 0.5, "target": [0.1, 0, 0]}]), 0)
    places = np.array([light.world_T_light for light in scene.lights])
    offsets = places[:, :3, 3] - [0.1, 0, 0]
    assert np.allclose(np.linalg.norm(offsets, axis=1), 0.5)
    assert np.allclose(places[:, :3, 2], offsets / 0.5), "local −z points at the target"
    assert np.allclose(offsets.sum(axis=0)[:2], 0)


def test_probability_is_balanced_and_recorded() -> None:
    """A light of probability 1/4 is in a quarter of every block of images; the record says in which."""
    recipe = make(lights=[{"kind": "sun", "probability": 0.25}])
    scenes = [sample(recipe, i) for i in range(16)]
    assert sum(len(s.lights) for s in scenes) == 4
    assert all(bool(s.lights) == s.parameters["lights.0.on"].value for s in scenes)


def test_colour_replaces_temperature() -> None:
    """A light has the colour that is given, not that of a black body."""
    lights = [{"kind": "spot", "colour": [1, 0.2, 0.1], "temperature_k": 3000}]
    assert sample(make(lights=lights), 0).lights[0].color == (1, 0.2, 0.1)


def test_a_light_on_the_camera_moves_with_it() -> None:
    """Between two frames a ring on a moving camera keeps its place before the lens; others stay where they are."""
    moving = {"camera": {"velocity_m_s": [0.1, 0, 0], "spin_deg_s": [0, 0, 20]}}
    scene = sample(make(lights=[{"kind": "ring", "offset_m": [0, 0.02, 0.01]}, {"kind": "sun"}], motion=moving), 0)
    later = scene_after(scene, 0.5)
    assert np.allclose(later.lights[0].world_T_light, camera_pose(later.camera, (0, 0.02, 0.01)), atol=1e-8)
    assert later.lights[1] == scene.lights[1] and later.camera != scene.camera


def test_flicker_is_per_image() -> None:
    """Frames of one group flicker each on their own, and the offsets have the standard deviation asked for."""
    recipe = make(render={**RECIPE["render"], "flicker_ev": 0.2}, motion={"frames": 4})
    off = [sample(recipe, i).render.exposure_ev for i in range(64)]
    assert len(set(off[:4])) == 4
    assert 0.13 < np.std(off) < 0.27  # four standard errors of the deviation of 64 numbers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lights": [{"kind": "lamp"}]}, r"lights\.0: `kind` of a light must be one of softbox, bar, spot, sun"),
        ({"lights": [{"kind": "ring", "radus": 1}]}, r"lights\.0\.radus: unknown key; did you mean 'radius'"),
        ({"lights": [{"kind": "spot", "cone_deg": 180}]}, r"lights\.0\.cone_deg: must be between 1 and 170, got 180"),
        ({"lights": [{"colour": 0.5}]}, r"lights\.0\.colour: must be a linear RGB triple"),
        ({"world": {"sky": {}, "hdri": "studio"}}, "hdri and sky are given: say which is meant by `source`"),
    ],
)
def test_wrong_lights_are_explained(changes: dict[str, Any], message: str) -> None:
    """What a recipe gets wrong about lights is named with its place and the choices."""
    with pytest.raises(RecipeError, match=message):
        recipe_from_dict({**RECIPE, **changes}, Path())


@pytest.mark.parametrize(
    ("light", "message"),
    [
        ({"kind": "backlight", "size": [3, 0.2]}, r"lights\.0: the panel reaches 1\.5 m along x, the surface 0\.798"),
        ({"kind": "ring", "radius": 0.01, "width": 0.05}, "no room for a strip of 0.05 m"),
        ({"kind": "dark_field", "height": 0.005}, "reaches into the surface: raise height"),
    ],
)
def test_impossible_lights_are_explained(light: dict[str, Any], message: str) -> None:
    """Lights whose numbers do not go together are refused when they are drawn."""
    with pytest.raises(RecipeError, match=message):
        sample(make(lights=[light]), 0)


def test_a_world_has_one_source() -> None:
    """What a recipe's world names is what the scene has, and a choice of sources mixes them evenly."""
    assert sample(make(world={"sky": {"elevation_deg": 10}}), 0).world.sky is not None
    assert sample(make(world={"colour": [0.2, 0.3, 0.4]}), 0).world.color == (0.2, 0.3, 0.4)
    mixed = make(world={"source": {"dist": "choice", "options": ["hdri", "sky"]}})
    assert sum(sample(mixed, i).world.sky is not None for i in range(8)) == 4


@pytest.mark.render
def test_lights_give_the_light_of_their_closed_forms() -> None:
    """A small softbox, a spot and a ring light a table as their closed forms say, in proportion to a sun.

    Irradiance below the light, at distance d: softbox P / (π d²); spot P / (2π (1 − cos(c/2)) d²); ring
    P / π · d² / (r² + d²)² (Lambert's law for a strip that faces down).
    """
    above = matrix(orbit_pose((1.0, 0.0, math.pi / 2)))
    cone = math.radians(60)
    reference = middle((sun(1.0),))
    cases: list[tuple[Light, float]] = [
        (AreaLight(world_T_light=above, size=(0.05, 0.05), power_w=4.0), 4 / math.pi),
        (
            SpotLight(world_T_light=above, cone=cone, blend=0.0, radius_m=0.01, power_w=1.0),
            1 / (math.tau * (1 - math.cos(cone / 2))),
        ),
        (RingLight(world_T_light=above, radius_m=0.5, width_m=0.02, power_w=6.0), 6 / math.pi / (0.25 + 1) ** 2),
    ]
    for light, irradiance in cases:
        assert middle((light,)) == pytest.approx(reference * irradiance, rel=0.04), light.kind
    assert middle((sun(1.0, math.radians(30)),)) == pytest.approx(reference / 2, rel=0.06), "the sun's cosine"


@pytest.mark.render
def test_a_higher_sun_makes_a_brighter_day() -> None:
    """Under a sky a table is brighter the higher the sun stands."""
    days = [middle((), World(sky=Sky(elevation=math.radians(e)), strength=0.03)) for e in (2, 15, 60)]
    assert days[0] < days[1] < days[2]


@pytest.mark.render
def test_a_backlight_makes_silhouettes_and_is_labelled_as_surface() -> None:
    """On a backlight a part is far darker than the panel around it, and the panel's pixels are the surface's."""
    recipe = recipe_from_dict(
        {
            "name": "t",
            "objects": {"count": 1, "assets": [{"category": "a", "shape": "box", "materials": "plastic"}]},
            "placement": {"area": [0.01, 0.01]},
            "world": {"colour": [0.01, 0.01, 0.01]},
            "lights": [{"kind": "backlight", "size": [0.6, 0.6], "power": 1.5}],
            "camera": {"elevation_deg": 90, "distance": 0.4},
            "render": {"size": [64, 64], "preset": "draft", "view_transform": "standard"},
        },
        Path(),
    )
    frame = sw.render_scene(sample(recipe, 0))
    light, part = linear(frame.rgb)[frame.ids == 0], linear(frame.rgb)[frame.ids == 1]
    assert (frame.stuff[frame.ids == 0] == 1).all() and len(part) > 20
    assert np.median(light) > 20 * np.median(part)


@pytest.mark.render
def test_a_ring_on_the_camera_shows_as_a_ring_on_a_ball() -> None:
    """A shiny ball mirrors a ring light as a bright circle with a darker middle; no camera sees the ring itself."""
    recipe = recipe_from_dict(
        {
            "name": "t",
            "objects": {
                "count": 1,
                "assets": [{"category": "a", "shape": "sphere", "params": {"radius_m": 0.03}, "pose": "upright",
                            "materials": {"family": "acrylic", "values": {
                                "colour": [0.01, 0.01, 0.01], "roughness": 0.03, "clear": 0, "pearl": 0, "wear": 0,
                                "dust": 0}}}],
            },
            "placement": {"area": [0.001, 0.001]},
            "world": {"colour": [0, 0, 0]},
            "lights": [{"kind": "ring", "radius": 0.12, "width": 0.04, "power": 3}],
            "camera": {"elevation_deg": 90, "distance": 0.3, "focal_mm": 70},
            "render": {"size": [96, 96], "preset": "draft", "view_transform": "standard"},
        },
        Path(),
    )  # fmt: skip
    frame = sw.render_scene(sample(recipe, 0))
    ys, xs = np.nonzero(frame.ids == 1)
    cy, cx, size = ys.mean(), xs.mean(), math.sqrt(len(ys) / math.pi)
    y, x = np.indices(frame.ids.shape)
    away = np.hypot(y - cy, x - cx) / size
    value = linear(frame.rgb).mean(axis=2)
    rings = np.array([value[(away >= a) & (away < a + 0.05)].mean() for a in np.arange(0, 0.7, 0.05)])
    peak = int(rings.argmax())
    assert peak >= 1 and rings[peak] > 5 * rings[0] and rings[peak] > 5 * rings[-1]


@pytest.mark.render
def test_dark_field_lights_edges_and_leaves_faces_dark() -> None:
    """In a dark field, seen from above, the rounded rim of a shiny plate is far brighter than its flat face."""
    recipe = recipe_from_dict(
        {
            "name": "t",
            "objects": {
                "count": 1,
                "assets": [{"category": "a", "shape": "box", "pose": "upright",
                            "params": {"x_m": 0.06, "y_m": 0.06, "z_m": 0.02, "edge_m": 0.004},
                            "materials": {"family": "acrylic", "values": {
                                "colour": [0.01, 0.01, 0.01], "roughness": 0.1, "clear": 0, "pearl": 0, "wear": 0,
                                "dust": 0}}}],
            },
            "placement": {"area": [0.001, 0.001]},
            "world": {"colour": [0, 0, 0]},
            "lights": [{"kind": "dark_field", "radius": 0.15, "height": 0.05, "power": 3}],
            "camera": {"elevation_deg": 90, "distance": 0.4, "focal_mm": 60},
            "render": {"size": [96, 96], "preset": "draft", "view_transform": "standard"},
        },
        Path(),
    )  # fmt: skip
    frame = sw.render_scene(sample(recipe, 0))
    part = np.pad(frame.ids == 1, 1)
    value = np.pad(linear(frame.rgb).mean(axis=2), 1)
    inner = part.copy()
    for _ in range(6):
        inner = inner & np.roll(inner, 1, 0) & np.roll(inner, -1, 0) & np.roll(inner, 1, 1) & np.roll(inner, -1, 1)
    assert np.percentile(value[part & ~inner], 95) > 5 * np.median(value[inner])
