"""The camera in Blender: intrinsics, aperture, lens distortion, and the twin that sees only what is sharp and still."""

from __future__ import annotations

import bpy
import mathutils
import numpy as np
import numpy.typing as npt

from ..scenes.scene import Camera
from . import portal
from .motion import freeze

__all__ = ["add", "add_twin", "is_portal"]

#: OpenCV looks along +z with y down, Blender along −z with y up.
_CV_TO_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])
#: What the label render takes over from the beauty render's settings.
FRAMING = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
#: Rays from things in the scene pass the portal; it is there for the camera alone.
_OTHERS = ("visible_diffuse", "visible_glossy", "visible_transmission", "visible_volume_scatter", "visible_shadow")


def add(target: bpy.types.Scene, camera: Camera) -> bpy.types.Object:
    """Put the camera into a Blender scene, with the portal that bends its rays where it has a lens."""
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.lens = camera.focal_m * 1000
    data.sensor_width = data.lens * camera.width / camera.fx
    # Blender's shifts count in image widths; its y points up, and non-square pixels stretch it.
    data.shift_x = (camera.width / 2 - camera.cx) / camera.width
    data.shift_y = (camera.cy - camera.height / 2) / camera.width * (camera.fx / camera.fy)
    data.clip_start, data.clip_end = 0.0005, 1000.0
    if camera.fstop is not None:
        data.dof.use_dof = True
        data.dof.aperture_fstop, data.dof.focus_distance = camera.fstop, camera.focus_m
    item = _linked(target, bpy.data.objects.new("camera", data))
    item.matrix_world = mathutils.Matrix(_pose(camera).tolist())
    target.camera = item
    if camera.lens is not None:
        _hang(target, portal.mesh(camera, thin_lens=True))
    render = target.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = camera.width, camera.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, camera.fy / camera.fx), max(1.0, camera.fx / camera.fy)
    return item


def add_twin(target: bpy.types.Scene, beauty: bpy.types.Scene, camera: Camera) -> None:
    """Put the same camera without blur of any kind into the label scene."""
    item = _linked(target, beauty.camera.copy())
    item.data = item.data.copy()
    item.data.dof.use_dof = False
    freeze(item, _pose(camera))
    target.camera = item
    if camera.lens is not None:
        _hang(target, portal.mesh(camera, thin_lens=False))
    for field in FRAMING:
        setattr(target.render, field, getattr(beauty.render, field))


def _pose(camera: Camera) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.inv(camera.extrinsics) @ _CV_TO_BLENDER)


def is_portal(item: bpy.types.Object) -> bool:
    """Whether an object hangs before a camera and is no part of the scene."""
    return item.parent is not None and item.parent.type == "CAMERA"


def _hang(target: bpy.types.Scene, mesh: bpy.types.Mesh) -> None:
    item = _linked(target, bpy.data.objects.new("portal", mesh))
    item.parent = target.camera
    item.matrix_local = mathutils.Matrix(_CV_TO_BLENDER.tolist())
    for kind in _OTHERS:
        setattr(item, kind, False)


def _linked(target: bpy.types.Scene, item: bpy.types.Object) -> bpy.types.Object:
    target.collection.objects.link(item)
    return item
