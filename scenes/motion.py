"""Where things are a little earlier or later: constant velocity and spin, in closed form.

One rule serves sequences, motion blur and optical flow. Motion is prescribed, not simulated: what shares a velocity
keeps its distances, what has its own may pass through others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from .scene import Camera, Scene, SceneObject, matrix
from .scene_lights import Light

__all__ = ["camera_after", "moved", "object_after", "scene_after"]

Mat = npt.NDArray[np.float64]


def moved(pose: Mat, velocity_m_s: Sequence[float], spin_rad_s: Sequence[float], seconds: float) -> Mat:
    """A (4, 4) world_T_body pose after some seconds, which may be negative.

    The origin moves along `velocity_m_s`; the body turns about its origin by the rotation vector `spin_rad_s`·t, both
    in world axes (the exponential of a constant twist whose linear part is the origin's velocity).
    """
    turn = Rotation.from_rotvec(np.asarray(spin_rad_s, dtype=np.float64) * seconds).as_matrix()
    later = pose.copy()
    later[:3, :3] = turn @ pose[:3, :3]
    later[:3, 3] += np.asarray(velocity_m_s, dtype=np.float64) * seconds
    return later


def object_after(item: SceneObject, seconds: float) -> SceneObject:
    """An object where it is after some seconds; itself when it does not move."""
    if not seconds or not _moves(item):
        return item
    pose = moved(item.pose, item.velocity_m_s, item.spin_rad_s, seconds)
    return item.model_copy(update={"world_T_object": matrix(pose)})


def camera_after(camera: Camera, seconds: float) -> Camera:
    """A camera where it is after some seconds; itself when it does not move."""
    if not seconds or not _moves(camera):
        return camera
    to_pivot = np.eye(4)
    to_pivot[:3, 3] = camera.pivot_m
    rig = moved(np.linalg.inv(camera.extrinsics) @ to_pivot, camera.velocity_m_s, camera.spin_rad_s, seconds)
    return camera.model_copy(update={"cam_T_world": matrix(to_pivot @ np.linalg.inv(rig))})


def light_after(light: Light, camera: Camera, seconds: float) -> Light:
    """A light where it is after some seconds: those fixed to the camera keep their place before it."""
    if not light.on_camera or camera_after(camera, seconds) is camera:
        return light
    carried = np.linalg.inv(camera_after(camera, seconds).extrinsics) @ camera.extrinsics
    return light.model_copy(update={"world_T_light": matrix(carried @ np.asarray(light.world_T_light))})


def scene_after(scene: Scene, seconds: float) -> Scene:
    """The scene after some seconds: what its neighbours in a sequence show, for optical flow."""
    return scene.model_copy(
        update={
            "objects": tuple(object_after(item, seconds) for item in scene.objects),
            "camera": camera_after(scene.camera, seconds),
            "lights": tuple(light_after(light, scene.camera, seconds) for light in scene.lights),
        }
    )


def _moves(what: Any) -> bool:
    return any(what.velocity_m_s) or any(what.spin_rad_s)
