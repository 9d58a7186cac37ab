"""Cameras: intrinsics from a lens and a sensor, poses that look at a point, projection and its inverse."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import RecipeError
from .lenses import BrownConrady, Fisheye
from .scene import Camera, matrix

__all__ = [
    "BORDER_PX",
    "camera_center",
    "check_lens",
    "image",
    "look_at",
    "orbit_camera",
    "pixel_directions",
    "project",
    "rays",
]

Vec = npt.NDArray[np.float64]

#: The renderer's filter and its table of directions look this far beyond the image.
BORDER_PX = 4


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

    u = fx·x/z + cx, v = fy·y/z + cy in the camera frame (Hartley & Zisserman 2004, §6.1), or with a lens of its
    normalized image point instead of (x/z, y/z). NaN on the camera's plane and behind it, and where the lens has no
    image; a fisheye lens images points behind the camera too.
    """
    e = camera.extrinsics
    cam = np.asarray(points, dtype=np.float64).reshape(-1, 3) @ e[:3, :3].T + e[:3, 3]
    return image(camera, cam), cam[:, 2]


def image(camera: Camera, directions: Vec) -> Vec:
    """Pixel coordinates (n, 2) of (n, 3) directions or points in the camera frame, NaN where they have none."""
    if camera.lens is not None:
        return camera.lens.distort(directions) * [camera.fx, camera.fy] + [camera.cx, camera.cy]
    z = np.where(directions[:, 2] > 0, directions[:, 2], np.nan)
    u, v = camera.fx * directions[:, 0] / z + camera.cx, camera.fy * directions[:, 1] / z + camera.cy
    return np.stack([u, v], axis=1)


def rays(camera: Camera, pixels: Vec) -> Vec:
    """(n, 3) directions in the camera frame through (n, 2) pixel coordinates: the inverse of `project`.

    They have z = 1; a fisheye lens, which may see beyond 90°, gives unit vectors. NaN where the lens sees nothing.
    """
    at = (pixels - [camera.cx, camera.cy]) / [camera.fx, camera.fy]
    return np.column_stack([at, np.ones(len(at))]) if camera.lens is None else camera.lens.undistort(at)


def pixel_directions(camera: Camera) -> Vec:
    """(h, w, 3) directions in the camera frame through the pixel centres, scaled as in `rays`."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return rays(camera, np.stack([x.ravel(), y.ravel()], axis=1)).reshape(camera.height, camera.width, 3)


def check_lens(camera: Camera) -> Camera:
    """The camera itself, when its lens images some direction onto every pixel.

    Raises:
        RecipeError: the radial function stops rising inside the image, which would fold over itself there.
    """
    if camera.lens is None:
        return camera
    w, h, b = camera.width, camera.height, BORDER_PX
    # What a lens can see is a disc about the principal point: it holds the image if it holds the border.
    x, y = np.linspace(-b, w + b, 65), np.linspace(-b, h + b, 65)
    sides = [(x, np.full(65, -b)), (x, np.full(65, h + b)), (np.full(65, -b), y), (np.full(65, w + b), y)]
    border = np.concatenate([np.column_stack(side) for side in sides])
    if np.isnan(rays(camera, border)).any():
        far = np.hypot((border[:, 0] - camera.cx) / camera.fx, (border[:, 1] - camera.cy) / camera.fy).max()
        raise RecipeError(
            f"camera.distortion: the lens images nothing beyond {camera.lens.reach:.3f} focal lengths from the "
            f"principal point, where its radial function stops rising, and the image's corners lie {far:.3f} away: "
            f"take a longer focal length, or bring {_steepest(camera.lens)} nearer to 0"
        )
    return camera


def _steepest(lens: BrownConrady | Fisheye) -> str:
    """The coefficients to blame for a fold: the negative ones, which bend the radial function down."""
    names = [name for name in ("k1", "k2", "k3", "k4") if getattr(lens, name) < 0] or ["p1", "p2", "k4", "k5", "k6"]
    return " and ".join([name for name in names if getattr(lens, name, 0.0)] or ["the coefficients"])
