"""The camera of an image: its place, its lens and how it moves."""

from __future__ import annotations

import math

import numpy as np

from .cameras import check_lens, orbit_camera
from .lenses import BrownConrady, Fisheye
from .recipe import Recipe
from .recipe_camera import SENSOR_WIDTH_MM, FisheyeSpec
from .rules import ImageDraws
from .scene import Camera, Vec3, matrix

__all__ = ["camera", "intrinsics", "lens", "right_view", "twist"]


def camera(recipe: Recipe, draw: ImageDraws) -> Camera:
    """The camera, drawn; of a stereo pair the left one.

    Raises:
        RecipeError: the lens that was drawn folds the image.
    """
    orbit = (
        draw("camera.distance"),
        math.radians(draw("camera.azimuth_deg")),
        math.radians(draw("camera.elevation_deg")),
    )
    still = orbit_camera(
        recipe.render.size, draw("camera.focal_mm"), recipe.camera.sensor_width_mm or SENSOR_WIDTH_MM,
        [draw(f"camera.target.{i}") for i in range(3)], orbit, math.radians(draw("camera.roll_deg")),
        draw.optional("camera.fstop"),
    )  # fmt: skip
    velocity, spin = twist(draw, "motion.camera")
    more = {"velocity_m_s": velocity, "spin_rad_s": spin, "lens": lens(recipe, draw)}
    return check_lens(still.model_copy(update={**intrinsics(recipe, draw), **more}))


def intrinsics(recipe: Recipe, draw: ImageDraws) -> dict[str, float]:
    """What the recipe says of fx, fy, cx and cy beyond a sensor width, in pixels of the rendered image."""
    spec, (width, height) = recipe.camera, recipe.render.size
    if spec.matrix is not None:
        fx, fy, cx, cy = (draw(f"camera.matrix.{name}") for name in ("fx", "fy", "cx", "cy"))
        half = 0.5 if spec.matrix.origin == "center" else 0.0
        x, y = width / spec.matrix.size[0], height / spec.matrix.size[1]
        return {"fx": fx * x, "fy": fy * y, "cx": (cx + half) * x, "cy": (cy + half) * y}
    found = {
        "cx": width / 2 + draw("camera.principal_offset_px.0"),
        "cy": height / 2 + draw("camera.principal_offset_px.1"),
    }
    if spec.pixel_pitch_um is not None:
        f = draw("camera.focal_mm") * 1000 / spec.pixel_pitch_um * (width / (spec.sensor_px or (width, height))[0])
        found |= {"fx": f, "fy": f}
    return found


def lens(recipe: Recipe, draw: ImageDraws) -> BrownConrady | Fisheye | None:
    """The lens with its coefficients drawn; None without distortion."""
    spec = recipe.camera.distortion
    if spec is None:
        return None
    names = (name for name in type(spec).model_fields if name != "model")
    found = {name: float(draw(f"camera.distortion.{name}")) for name in names}
    return Fisheye(**found) if isinstance(spec, FisheyeSpec) else BrownConrady(**found)


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
    pivot = (-baseline_m, 0.0, 0.0)  # both turn about the left one's centre, as one rig
    return left.model_copy(update={"cam_T_world": matrix(np.asarray(pose)), "pivot_m": pivot})
