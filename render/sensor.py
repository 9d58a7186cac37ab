"""The sensor stage: from what the renderer gives to what a camera would have stored. Imports no bpy.

Effects on linear light come first, then the renderer's own view transform, then effects on the finished picture, each
once and in the order of `Scene.sensor`. Nothing is drawn here but from seeds that stand in the scene, so that the same
scene gives the same pixels again. Labels are not touched: no effect moves a pixel's content by more than a blur.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..scenes import sensor as effects
from ..scenes.scene import Camera, Scene
from . import sensor_display, sensor_light, sensor_optics
from .frame import Frame

__all__ = ["View", "develop", "needs_linear"]

Picture = npt.NDArray[np.float32]
#: A renderer's view transform: (h, w, 3) scene-linear Rec.709 → (h, w, 3) sRGB, float32 from 0 to 1.
View = Callable[[Scene, Picture], Picture]


def needs_linear(scene: Scene) -> bool:
    """Whether the scene's sensor has an effect that works on linear light."""
    return any(effect.domain == "linear" for effect in scene.sensor)


def develop(frame: Frame, scene: Scene, view: View) -> tuple[Frame, tuple[dict[str, Any], ...]]:
    """The frame with its colours as the scene's sensor gives them, and what transforms of albumentations drew.

    `frame.linear` must be there where `needs_linear` says so, and stays as it is: radiance before the camera.
    """
    if not scene.sensor:
        return frame, ()
    linear = [e for e in scene.sensor if e.domain == "linear"]
    if linear:
        assert frame.linear is not None, "an effect on linear light needs Frame.linear"
        light = frame.linear
        for effect in linear:
            light = _on_light(light, effect, scene)
        picture = view(scene, light)
    else:
        picture = frame.rgb.astype(np.float32) / 255
    replays: list[dict[str, Any]] = []
    for effect in scene.sensor:
        if isinstance(effect, effects.Albumentations):
            picture, drawn = sensor_display.transform(picture, effect)
            replays.append(drawn)
        elif effect.domain == "display":
            picture = _on_picture(picture, effect, scene.camera)
    return replace(frame, rgb=sensor_display.to_8_bits(picture)), tuple(replays)


def _on_light(light: Picture, effect: effects.SensorEffect, scene: Scene) -> Picture:
    match effect:
        case effects.Exposure():
            return light * np.float32(2.0**effect.ev)
        case effects.WhiteBalance():
            return sensor_light.gains(light, effect.red, 1.0, effect.blue)
        case effects.Banding():
            return sensor_light.banding(light, effect)
        case effects.Noise():
            return sensor_light.noise(light, effect, 2.0**scene.render.exposure_ev)
        case effects.Demosaic():
            return sensor_light.demosaic(light, effect)
        case effects.Defocus():
            return sensor_optics.defocus(light, effect)
        case _:
            return _by_lens(light, effect, scene.camera)


def _on_picture(picture: Picture, effect: effects.SensorEffect, camera: Camera) -> Picture:
    match effect:
        case effects.Denoise():
            return sensor_display.denoise(picture, effect)
        case effects.Tone():
            return sensor_display.tone(picture, effect)
        case effects.Sharpen():
            return sensor_display.sharpen(picture, effect)
        case effects.Jpeg():
            return sensor_display.jpeg(picture, effect)
        case effects.Quantize():
            return sensor_display.quantize(picture, effect)
        case _:
            return _by_lens(picture, effect, camera)


def _by_lens(picture: Picture, effect: effects.SensorEffect, camera: Camera) -> Picture:
    """Effects of either domain."""
    match effect:
        case effects.Vignetting():
            return sensor_optics.vignetting(picture, effect, camera)
        case effects.ChromaticAberration():
            return sensor_optics.chromatic_aberration(picture, effect, camera)
        case effects.Blur():
            return sensor_optics.blur(picture, effect)
        case _:
            raise AssertionError(f"{effect.effect} is carried out nowhere")
