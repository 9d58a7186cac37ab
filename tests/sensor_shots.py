"""Pictures for tests of the sensor stage, and what single effects make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

import scenewright as sw
from scenewright.render.frame import Frame
from scenewright.render.sensor import develop
from scenewright.scenes.scene import Scene
from scenewright.scenes.sensor import Sensor

from .small_recipe import make

SIZE = (96, 128)
NOISE = {
    "effect": "noise", "iso": 400, "base_iso": 100, "full_well_e": 8000, "read_noise_e": 4, "row_noise_e": 0,
    "bits": 12, "binning": 1, "prnu": 0, "red_gain": 2, "blue_gain": 1.5, "seed": 7, "pattern_seed": 3,
}  # fmt: skip
SENSOR: TypeAdapter[Sensor] = TypeAdapter(Sensor)


def photo() -> npt.NDArray[np.float32]:
    """(h, w, 3) smooth colour with edges, linear."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 16.0
    picture = np.stack([0.4 + 0.3 * np.sin(x), 0.4 + 0.3 * np.cos(y + x), np.where(x > 4, 0.7, 0.1)], axis=-1)
    return np.asarray(picture, np.float32)


def scene_with(*effects: dict[str, Any], camera: dict[str, Any] | None = None) -> Scene:
    scene = sw.sample(make(render={"engine": "flat", "size": [SIZE[1], SIZE[0]]}), 0)
    seen = scene.camera.model_copy(update=camera or {})
    return scene.model_copy(update={"sensor": SENSOR.validate_python(effects), "camera": seen})


def identity(scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return linear


class Seen:
    """A view transform that keeps the light it is given."""

    def __call__(self, scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self.light = linear
        return np.clip(linear, 0, 1)


def frame_of(picture: npt.NDArray[np.float32]) -> Frame:
    shape = picture.shape[:2]
    rgb = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    ids, stuff = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    return Frame(rgb=rgb, ids=ids, stuff=stuff, depth_m=np.ones(shape, np.float32), linear=picture)


def light(picture: npt.NDArray[np.float32], *effects: dict[str, Any], **camera: float) -> npt.NDArray[np.float32]:
    """What linear effects make of linear light."""
    seen = Seen()
    develop(frame_of(picture), scene_with(*effects, camera=camera), seen)
    return seen.light


def display(picture: npt.NDArray[np.float32], *effects: dict[str, Any]) -> npt.NDArray[np.uint8]:
    """What effects on the finished picture make of it."""
    return develop(frame_of(picture), scene_with(*effects), identity)[0].rgb


def flat(value: float, size: tuple[int, int] = SIZE) -> npt.NDArray[np.float32]:
    return np.full((*size, 3), value, np.float32)
