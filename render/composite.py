"""Rendered light over a photograph, in linear light: one formula for every engine. Imports no bpy."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.backplates import plate
from ..scenes.scene import Scene

__all__ = ["behind", "over", "tidy_shadow"]

Light = npt.NDArray[np.float32]

#: The denoiser may go as far as the noisy pixels around do: 9 × 9 of them.
NEIGHBOURHOOD = 9


def behind(scene: Scene) -> Light:
    """(h, w, 3) linear light, 0 … 1, of the scene's photograph, which must have one, in the frame of its picture."""
    assert scene.backplate is not None, "only a scene with a backplate has a photograph"
    camera = scene.camera
    return plate(scene.backplate.image, scene.backplate.crop_px, (camera.width, camera.height))


def over(rgba: Light, shadow: Light, photograph: Light) -> Light:
    """(h, w, 3) of the objects, (h, w, 4) premultiplied by their cover, over a photograph times (h, w, 3) `shadow`.

    `shadow` is the light of the table with the objects over that without: below 1 in their shadow, above 1 where they
    reflect light onto it, and 1 where there is nothing of either.
    """
    return np.asarray(rgba[..., :3] + (1 - rgba[..., 3:]) * (photograph * shadow), np.float32)


def tidy_shadow(denoised: Light, noisy: Light) -> Light:
    """A denoised shadow, held to what the noisy one has around each pixel.

    The denoiser overshoots along the borders of the picture and of the table, where nothing casts a shadow and the
    noisy one is 1 throughout: there the photograph must come out as it went in.
    """
    kernel = np.ones((NEIGHBOURHOOD, NEIGHBOURHOOD), np.uint8)
    return np.clip(denoised, cv2.erode(noisy, kernel), cv2.dilate(noisy, kernel))
