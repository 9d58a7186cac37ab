"""The camera of an image: its place, its lens and how it moves."""

from __future__ import annotations

import math

import numpy as np

from .cameras import orbit_camera
from .recipe import Recipe
from .rules import ImageDraws
from .scene import Camera, Vec3, matrix

__all__ = ["camera", "right_view", "twist"]


def camera(recipe: Recipe, draw: ImageDraws) -> Camera:
    """The camera, drawn; of a stereo pair the left one."""
    spec = recipe.camera
    orbit = (
        draw("camera.distance"),
        math.radians(draw("camera.azimuth_deg")),
        math.radians(draw("camera.elevation_deg")),
    )
    still = orbit_camera(
        recipe.render.size, draw("camera.focal_mm"), spec.sensor_width_mm,
        [draw(f"camera.target.{i}") for i in range(3)], orbit, math.radians(draw("camera.roll_deg")),
        draw.optional("camera.fstop"),
    )  # fmt: skip
    velocity, spin = twist(draw, "motion.camera")
    return still.model_copy(update={"velocity_m_s": velocity, "spin_rad_s": spin})


def twist(draw: ImageDraws, path: str) -> tuple[Vec3, Vec3]:
    """Velocity (m/s) and spin (rad/s) of the motion at a path of the recipe."""
    vx, vy, vz = (float(draw(f"{path}.velocity_m_s.{i}")) for i in range(3))
    wx, wy, wz = (math.radians(draw(f"{path}.spin_deg_s.{i}")) for i in range(3))
    return (vx, vy, vz), (wx, wy, wz)


def right_view(left: Camera, baseline_m: float) -> Camera:
    """The right camera of a rectified pair: the left one, moved along its own x axis.

    A point at depth z lies fx · baseline / z pixels farther left in it (Hartley & Zisserman 2004, §11.12).
    """
    pose = left.extrinsics.copy()
    pose[0, 3] -= baseline_m
    return left.model_copy(update={"cam_T_world": matrix(np.asarray(pose))})
