"""Blender's own view transform for a picture that it did not render: linear light after a sensor's effects."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np
import numpy.typing as npt

from ..scenes.scene import Scene
from . import blender, passes

__all__ = ["view"]


def view(scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(h, w, 3) sRGB from 0 to 1 of (h, w, 3) scene-linear Rec.709, with the exposure and look of the scene.

    The picture becomes a generated float image, which Blender saves as it saves a render: with 8 bits the unmodified
    linear picture gives back exactly the pixels of the render (measured, and tested). It is read in 16 bits, so that
    effects after it do not work on steps. Negative light, which noise leaves, is black.
    """
    height, width = linear.shape[:2]
    image = bpy.data.images.new("linear", width, height, alpha=False, float_buffer=True)
    target = bpy.data.scenes.new("view")
    try:
        image.colorspace_settings.name = "Linear Rec.709"
        rgba = np.ones((height, width, 4), np.float32)
        rgba[..., :3] = np.maximum(linear, 0)[::-1]  # Blender's first row is the bottom one
        image.pixels.foreach_set(rgba.ravel())
        image.update()
        blender.color_management(target, scene.render)
        settings = target.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "16"
        settings.compression = 0
        with tempfile.TemporaryDirectory() as folder:
            path = passes.save(target, image, Path(folder) / "view.png")
            bgr = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    finally:
        bpy.data.images.remove(image)
        bpy.data.scenes.remove(target)
    return np.ascontiguousarray(bgr[..., ::-1]).astype(np.float32) / 65535
