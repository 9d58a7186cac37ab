"""The sensor stage from recipe to record: what is drawn and refused, what a dataset keeps, rendering it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scenewright as sw
from scenewright.datasets.records import read_record, record_path
from scenewright.datasets.validate import validate
from scenewright.errors import RecipeError
from scenewright.farm.one_scene import render_scene
from scenewright.pipeline import rerender
from scenewright.scenes.recipe_sensor import SensorSpec
from scenewright.scenes.scene import Scene
from scenewright.scenes.sensor import SensorEffect
from scenewright.scenes.sensor_presets import SENSORS

from .small_recipe import make

X = {"dist": "uniform", "low": 100, "high": 400}


@pytest.mark.parametrize("name", SENSORS)
def test_cameras_by_name(name: str) -> None:
    """Each camera gives scenes that survive JSON, in which all but its occasional effects are there, in its order."""
    recipe = make(sensor=name)
    always = [e["effect"] for e in SENSORS[name] if e.get("probability", 1) == 1]
    for index in range(4):
        scene = sw.sample(recipe, index)
        assert Scene.from_json(scene.to_json()) == scene
        assert [e.effect for e in scene.sensor if e.effect in always] == always


def test_a_spec_and_its_effect_have_the_same_fields() -> None:
    """What a recipe says of an effect is what the scene holds, beside the probability and the seeds."""
    specs, effects = (
        {m.model_fields["effect"].annotation.__args__[0]: set(m.model_fields) for m in union.__args__[0].__args__}
        for union in (SensorSpec, SensorEffect)
    )
    assert {k: v - {"probability"} for k, v in specs.items()} == {
        k: v - {"seed", "pattern_seed"} for k, v in effects.items()
    }


def test_draws_are_recorded_with_their_quantiles() -> None:
    """A drawn value stands under its path with its quantile, a fixed one without, and the scene holds it."""
    recipe = make(sensor=[{"effect": "noise", "iso": X}, {"effect": "jpeg", "quality": 70.4, "probability": 0.5}])
    scene = sw.sample(recipe, 5)
    drawn = scene.parameters["sensor.0.iso"]
    assert drawn.quantile is not None and drawn.value == pytest.approx(100 + 300 * drawn.quantile)
    assert scene.sensor[0].iso == drawn.value  # type: ignore[union-attr]
    assert scene.parameters["sensor.0.bits"].quantile is None
    applied = [sw.sample(recipe, i) for i in range(64)]
    shares = [s.parameters["sensor.1.applied"].value for s in applied]
    assert sum(map(bool, shares)) == 32  # balanced over the images
    assert [len(s.sensor) == 2 for s in applied] == shares
    assert all(s.sensor[1].quality == 70 for s in applied if len(s.sensor) == 2)  # type: ignore[union-attr]


def test_one_camera_takes_a_group() -> None:
    """Frames of a sequence share the ISO and the sensor's pattern, and each has noise of its own."""
    moving = make(sensor=[{"effect": "noise", "iso": X}], motion={"frames": 3})
    frames = [sw.sample(moving, i).sensor[0] for i in range(6)]
    isos, seeds, patterns = ([getattr(f, name) for f in frames] for name in ("iso", "seed", "pattern_seed"))
    assert isos[0] == isos[1] == isos[2] != isos[3]
    assert len({*seeds}) == 6 and len({*patterns}) == 1


def test_the_sensor_alone_can_be_drawn_anew() -> None:
    """Another draw of the sensor changes its values and its noise, and nothing else."""
    recipe = make(sensor=[{"effect": "noise", "iso": X}])
    first, second = sw.sample(recipe, 2), sw.sample(recipe, 2, anew={"sensor": 1})
    assert first.sensor != second.sensor and first.sensor[0].seed != second.sensor[0].seed  # type: ignore[union-attr]
    same: dict[str, Any] = {"sensor": (), "parameters": {}}
    assert first.model_copy(update=same) == second.model_copy(update=same)


def test_a_sensor_moves_no_other_draw() -> None:
    """A recipe with a sensor draws the scene that it draws without."""
    without, with_it = sw.sample(make(), 3), sw.sample(make(sensor="webcam"), 3)
    same = {"sensor": (), "parameters": {}, "recipe_sha256": ""}
    assert without.model_copy(update=same) == with_it.model_copy(update=same)


def test_rules_and_expressions_reach_the_sensor() -> None:
    """Little light means a high ISO: by a rule, or computed."""
    strength = {"dist": "uniform", "low": 0.2, "high": 1}
    recipe = make(
        world={"strength": strength},
        sensor=[
            {"effect": "noise", "iso": 100},
            {"effect": "exposure", "ev": {"dist": "expr", "value": "world.strength - 1"}},
        ],
        rules=[{"when": "world.strength < 0.5", "set": {"sensor.0.iso": 1600}}],
    )  # fmt: skip
    for index in range(8):
        scene = sw.sample(recipe, index)
        light = float(scene.parameters["world.strength"].value)  # type: ignore[arg-type]
        assert scene.sensor[0].iso == (1600 if light < 0.5 else 100)  # type: ignore[union-attr]
        assert scene.sensor[1].ev == pytest.approx(light - 1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sensor", "said"),
    [
        ("phon", "'phon' is no sensor; there are phone, machine_vision, webcam, dslr"),
        ([{"effect": "nois", "iso": 100}], "'effect' must be one of 'vignetting'"),
        ([{"iso": 100}], "sensor.0: needs 'effect'"),
        ([{"effect": "noise"}], "sensor.0.iso: is missing"),
        ([{"effect": "noise", "iso": 0}], "sensor.0.iso: must be between 1 and 1e+07, got 0"),
        ([{"effect": "noise", "iso": 100, "binin": 2}], "sensor.0.binin: unknown key; did you mean 'binning'?"),
        ([{"effect": "jpeg", "quality": {"dist": "uniform", "low": 0, "high": 9}}], "can be 0.0: narrow"),
        ([{"effect": "jpeg", "quality": 9, "subsampling": "4:1:1"}], "must be '4:4:4' or '4:2:2' or '4:2:0'"),
        ([{"effect": "tone"}, {"effect": "noise", "iso": 100}], "entry 1: noise works on linear light and cannot come"),
        (["phone", {"effect": "exposure", "ev": 1}], "exposure works on linear light and cannot come after denoise"),
        ([{"effect": "albumentations", "transform": "Rotate"}], "Rotate moves or covers pixels"),
        ([{"effect": "albumentations", "transform": "CoarseDropout"}], "CoarseDropout moves or covers pixels"),
        ([{"effect": "albumentations", "transform": "FDA"}], "FDA needs other pictures"),
        ([{"effect": "albumentations", "transform": "GausNoise"}], "did you mean GaussNoise?"),
        (
            [{"effect": "albumentations", "transform": "GaussNoise", "params": {"std": 3}}],
            "Argument(s) 'std' are not valid for transform GaussNoise",
        ),
        (
            [{"effect": "albumentations", "transform": "GaussNoise", "params": {"std_range": [2, 3]}}],
            "sensor.0: GaussNoise refuses {'std_range': (2, 3)}: std_range:",
        ),
        ([{"effect": "albumentations", "transform": "GaussNoise", "params": {"p": 0.5}}], "leave out `p`"),
    ],
)  # fmt: skip
def test_what_is_refused(sensor: Any, said: str) -> None:
    """A wrong sensor is an error when the recipe is loaded, with the rule and the way out."""
    with pytest.raises(RecipeError) as caught:
        make(sensor=sensor)
    assert said in str(caught.value)


def test_arguments_of_albumentations_may_be_drawn() -> None:
    """A distribution is drawn and recorded, a list goes to the transform as it is."""
    params = {"std_range": [0.1, 0.2], "noise_scale_factor": {"dist": "uniform", "low": 0.2, "high": 0.9}}
    noise = {"effect": "albumentations", "transform": "GaussNoise", "params": params}
    scene = sw.sample(make(sensor=[noise]), 1)
    drawn = scene.parameters["sensor.0.params.noise_scale_factor"]
    assert drawn.quantile is not None
    assert scene.sensor[0].params == {"std_range": [0.1, 0.2], "noise_scale_factor": drawn.value}  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::UserWarning:albumentations")
def test_a_dataset_keeps_and_replays_its_sensor(tmp_path: Path) -> None:
    """The picture is the developed one, its record tells what was drawn, rendered again it is the same."""
    added = {"effect": "albumentations", "transform": "RandomGamma", "params": {"gamma_limit": [60, 80]}}
    recipe = make(sensor=["webcam", added])
    folder = tmp_path / "d"
    assert sw.generate(recipe, 3, folder).complete
    assert [f"{f.path}: {f.message}" for f in validate(folder)] == []
    plain = make()
    for index in range(3):
        record = read_record(record_path(folder, index))
        frame, same = rerender(folder, index, lambda scene, device: render_scene(scene, device))
        assert same
        untouched = render_scene(sw.sample(plain, index), "cpu")
        assert not np.array_equal(untouched.rgb, frame.rgb)
        assert np.array_equal(untouched.ids, frame.ids) and np.array_equal(untouched.depth_m, frame.depth_m)
        assert 0.6 <= record.replays[0]["params"]["gamma"] <= 0.8
        assert record.versions["albumentations"] == "2.0.8"
    coco = json.loads((folder / "annotations" / "instances_train.json").read_text("utf-8"))
    coco["images"] += json.loads((folder / "annotations" / "instances_val.json").read_text("utf-8"))["images"]
    assert all(image["generation"]["sensor"][-1]["transform"] == "RandomGamma" for image in coco["images"])
    assert all("sensor.6.iso" in image["generation"]["parameters"] for image in coco["images"])
