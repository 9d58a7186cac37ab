"""Motion blur: where objects and camera are while the shutter is open, as key frames.

One Blender frame lasts as long as the shutter is open, so Blender's exposure of one frame, centred on the image's own
frame, runs from half a frame before to half a frame after it. Lights, surface and fixtures stand still.
"""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import mathutils
import numpy as np
import numpy.typing as npt

from ..scenes.motion import moved
from ..scenes.scene import Camera, Scene, SceneObject

__all__ = ["expose", "freeze"]

#: The frame of the image. Key frames lie around it, between half a frame before and after.
MIDDLE = 10
#: Poses between which Cycles interpolates: a path without turn is straight; else there are 2³ steps.
STRAIGHT, TURNING = 2, 9


def expose(target: bpy.types.Scene, scene: Scene) -> None:
    """Open the shutter of a built Blender scene for `scene.timing.shutter_s`; nothing where nothing moves."""
    shutter = scene.timing.shutter_s
    bodies = {obj.id: obj for obj in scene.objects if _moves(obj)}
    movers = [(item, bodies[item.pass_index]) for item in target.collection.objects if item.pass_index in bodies]
    if not shutter or not (movers or _moves(scene.camera)):
        return
    for item, body in movers:
        _keys(item, body.pose, np.diag([body.scale] * 3 + [1.0]), body, shutter)
        item.cycles.use_deform_motion = False
    if _moves(scene.camera):
        still = np.linalg.inv(scene.camera.extrinsics)
        # From OpenCV's axes to Blender's, as the camera stands already.
        axes = np.linalg.inv(still) @ np.array(target.camera.matrix_world)
        _keys(target.camera, still, axes, scene.camera, shutter)
    render = target.render
    render.use_motion_blur, render.motion_blur_position, render.motion_blur_shutter = True, "CENTER", 1.0
    target.frame_set(MIDDLE)


def freeze(twin: bpy.types.Object, pose: npt.ArrayLike) -> None:
    """Stop a copy of an object where it is in the middle of the exposure: labels are of that moment."""
    twin.animation_data_clear()
    twin.matrix_world = mathutils.Matrix(np.asarray(pose).tolist())


def _keys(
    item: bpy.types.Object, pose: npt.NDArray[np.float64], local: npt.NDArray[np.float64],
    body: SceneObject | Camera, shutter_s: float,
) -> None:  # fmt: skip
    """Key frames of the pose, each followed by the fixed transform `local`."""
    steps = TURNING if any(body.spin_rad_s) else STRAIGHT
    item.rotation_mode = "QUATERNION"
    before: mathutils.Quaternion | None = None
    for part in np.linspace(-0.5, 0.5, steps):
        there = moved(pose, body.velocity_m_s, body.spin_rad_s, float(part) * shutter_s) @ local
        place, turn, _ = mathutils.Matrix(there.tolist()).decompose()
        if before is not None:
            turn.make_compatible(before)  # the same turn may be q or −q: the short way is meant
        item.location, item.rotation_quaternion, before = place, turn, turn
        for path in ("location", "rotation_quaternion"):
            item.keyframe_insert(path, frame=MIDDLE + float(part))
    for curve in item.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    item.cycles.use_motion_blur = True
    item.cycles.motion_steps = 1 if steps == STRAIGHT else 3


def _moves(body: SceneObject | Camera) -> bool:
    vectors: Sequence[Sequence[float]] = (body.velocity_m_s, body.spin_rad_s)
    return any(any(vector) for vector in vectors)
