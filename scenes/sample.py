"""`sample(recipe, seed, index)`: one scene, drawn from a recipe. Everything random happens here, in named streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RecipeError
from .lights import lights
from .load import recipe_sha256
from .motion import scene_after
from .recipe import Recipe
from .rules import ImageDraws
from .sample_backplate import backplate
from .sample_camera import camera, right_view
from .sample_container import container
from .sample_defects import with_defects
from .sample_materials import surface
from .sample_objects import objects
from .sample_sensor import sensor
from .sample_world import flicker, world
from .scene import DefectRules, EeveeSettings, RenderSettings, Scene, Settings, Timing
from .sequence import place_of

__all__ = ["PRESETS", "sample"]

#: How many samples a pixel gets; all presets use the denoiser. Quality and cost are measured in the README.
#: Most of a picture's error sits in few pixels, on edges and highlights: there a threshold puts most of its samples.
PRESETS: dict[str, dict[str, Any]] = {
    "draft": {"samples": 4, "prefilter": "fast"},
    "fast": {"samples": 128, "min_samples": 16, "noise_threshold": 0.05},
    "standard": {"samples": 256, "min_samples": 64, "noise_threshold": 0.04},
    "high": {"samples": 1024, "min_samples": 64, "noise_threshold": 0.01},
}

#: Recipes with defects: every pixel gets the same number of samples, about as many as the preset spends on average, so
#: that a sound twin has the noise of its picture and the noise says nothing about where a defect is.
FIXED: dict[str, dict[str, Any]] = {
    name: {"samples": samples, "min_samples": 0, "noise_threshold": 0.0}
    for name, samples in (("draft", 4), ("fast", 32), ("standard", 128), ("high", 512))
}

#: EEVEE's pictures are not denoised: its samples take the noise of soft shadows and of reflections away.
EEVEE_SAMPLES = {"draft": 8, "fast": 32, "standard": 64, "high": 256}


def sample(recipe: Recipe, index: int, seed: int = 0, anew: Mapping[str, int] | None = None) -> Scene:
    """Scene `index` of the dataset that (recipe, seed) names; any scene can be drawn without the others.

    The frames of a sequence and the views of a stereo pair are drawn from the streams of their group (`sequence`).
    `anew` draws parts of it another time and leaves all else as it is: `{"world": 1, "lights": 1}` is the same scene in
    other light, `{"objects.3": 1}` has another fourth object, and each number gives another draw.

    Raises:
        RecipeError: a computed value is impossible, or `anew` names nothing that is drawn.
        PlacementError: the objects do not fit.
        AssetError: a mesh, HDRI, texture or photograph cannot be used.
    """
    place = place_of(recipe, index)
    draw = ImageDraws(recipe, seed, place.group, anew)
    try:
        inside, taken, plate = container(recipe, draw), camera(recipe, draw), backplate(recipe, draw)
        parts: dict[str, Any] = {
            "objects": objects(recipe, draw, inside),
            "fixtures": (inside.fixture,) if inside else (),
            "surface": surface(recipe, draw, plate is not None),
            "backplate": plate,
            "world": world(recipe, draw),
            "camera": taken,
            "lights": lights(draw, taken),
            "render": _settings(recipe, draw, index),
            "sensor": sensor(recipe, draw, index),
            "timing": _timing(recipe, draw, place.frame),
        }
        baseline = draw("camera.stereo.baseline_m") if place.view else 0.0
    except ValueError as e:
        raise RecipeError(str(e)) from None
    scene = Scene(
        recipe=recipe.name, recipe_sha256=recipe_sha256(recipe), seed=seed, index=index, group=place.group,
        view=place.view, categories=recipe.category_names, stuff_categories=recipe.stuff_names, labels=recipe.labels,
        outputs=recipe.outputs, parameters=draw.draws, defect_categories=recipe.defect_categories,
        defect_rules=recipe.defects.rules if recipe.defects else DefectRules(), **parts,
    )  # fmt: skip
    scene = with_defects(recipe, draw, scene)
    scene = scene_after(scene, place.frame * recipe.motion.step_s)
    return scene.model_copy(update={"camera": right_view(scene.camera, baseline)}) if place.view else scene


def _timing(recipe: Recipe, draw: ImageDraws, frame: int) -> Timing:
    motion = recipe.motion
    return Timing(frame=frame, frames=motion.frames, step_s=motion.step_s, shutter_s=draw("motion.shutter_s"))


def _settings(recipe: Recipe, draw: ImageDraws, index: int) -> Settings:
    r, transform = recipe.render, draw("render.view_transform")
    view = {
        "exposure_ev": draw("render.exposure_ev") + flicker(draw, index),
        "view_transform": transform, "look": draw("render.look") if transform == "agx" else "none",
        "white_balance_k": draw("render.white_balance_k"), "white_balance_tint": draw("render.white_balance_tint"),
    }  # fmt: skip
    if r.engine == "eevee":
        return EeveeSettings(preset=r.preset, samples=EEVEE_SAMPLES[r.preset], **view)
    fixed = {} if recipe.defects is None else FIXED[r.preset]
    return RenderSettings(engine=r.engine, preset=r.preset, **{**PRESETS[r.preset], **fixed}, **view)
