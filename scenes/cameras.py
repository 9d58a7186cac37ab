"""Cameras: intrinsics from a lens and a sensor, poses that look at a point, projection."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .scene import Camera, matrix

__all__ = ["camera_center", "look_at", "orbit_camera", "project"]

Vec = npt.NDArray[np.float64]


def orbit_camera(
    size: tuple[int, int],
    focal_mm: float,
    sensor_width_mm: float,
    target: npt.ArrayLike,
    orbit: tuple[float, float, float],
    roll: float = 0.0,
    fstop: float | None = None,
) -> Camera:
    """A camera on a sphere around `target` (metres, world), with square pixels and its axis through the image's middle.

    Args:
        size: width, height in pixels.
        focal_mm: focal length; with `sensor_width_mm` it gives fx = fy = focal / sensor · width.
        sensor_width_mm: width of the light-sensitive area that the image's width covers.
        target: the point in the middle of the image, also the point in focus.
        orbit: distance (metres), azimuth and elevation (radians; azimuth 0 is +x, elevation π/2 looks straight down).
        roll: radians about the viewing axis, clockwise as seen in the image.
        fstop: aperture number of the thin lens, None for a pinhole.
    """
    distance, azimuth, elevation = orbit
    t = np.asarray(target, dtype=np.float64)
    away = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    # Straight down has no horizon: the azimuth still says which way is up in the image.
    up = np.array([-np.cos(azimuth), -np.sin(azimuth), 0.0]) if away[2] > 0.99999 else np.array([0.0, 0.0, 1.0])
    pose = look_at(t + distance * away, t, up, roll)
    f = focal_mm / sensor_width_mm * size[0]
    return Camera(
        width=size[0], height=size[1], fx=f, fy=f, cx=size[0] / 2, cy=size[1] / 2, cam_T_world=matrix(pose),
        focal_m=focal_mm / 1000, fstop=fstop, focus_m=distance,
    )  # fmt: skip


def look_at(eye: Vec, target: Vec, up: Vec, roll: float = 0.0) -> Vec:
    """(4, 4) cam_T_world of a camera at `eye` that looks at `target` with `up` upwards in the image (OpenCV axes)."""
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(roll), np.sin(roll)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ np.stack([x, y, z])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ eye
    return pose


def camera_center(camera: Camera) -> Vec:
    """(3,) the camera's position in the world, metres."""
    e = camera.extrinsics
    return np.asarray(-e[:3, :3].T @ e[:3, 3])


def project(camera: Camera, points: npt.ArrayLike) -> tuple[Vec, Vec]:
    """Pixel coordinates (n, 2) and depths (n,) metres of (n, 3) world points; depth ≤ 0 is behind the camera.

    u = fx·x/z + cx, v = fy·y/z + cy in the camera frame (Hartley & Zisserman 2004, §6.1); NaN on the camera's plane and
    behind it.
    """
    e = camera.extrinsics
    cam = np.asarray(points, dtype=np.float64).reshape(-1, 3) @ e[:3, :3].T + e[:3, 3]
    z = np.where(cam[:, 2] > 0, cam[:, 2], np.nan)
    uv = np.stack([camera.fx * cam[:, 0] / z + camera.cx, camera.fy * cam[:, 1] / z + camera.cy], axis=1)
    return uv, cam[:, 2]
