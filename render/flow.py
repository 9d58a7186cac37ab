"""Optical flow: where what a pixel shows is one frame later, or earlier, and whether it can be seen there.

(h, w, 2) float32 pixels, x right and y down, from the pixel's centre: the point that the pixel sees moves with its
object by `scenes.motion`, and is projected by the camera of that time. So it is the flow of surfaces, whatever their
shadows and reflections do; a background without surface lies at infinity, where only the camera's turn moves it. NaN
where the point has no image there. The last frame of a sequence has a forward flow too: motion goes on.

Stored as KITTI does it (Menze & Geiger 2015), 16 bits: red = round(64 · x) + 32768, green = round(64 · y) + 32768, and
blue: 0 no flow (or beyond 511 pixels), 1 outside the image there or hidden by something, 2 seen in both images.
Inverse: x = (red − 32768) / 64, y = (green − 32768) / 64, to 1/128 pixel; readers that ask for blue > 0 get all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..scenes.bodies import bodies
from ..scenes.cameras import image, pixel_directions
from ..scenes.motion import scene_after
from ..scenes.rays import solids
from ..scenes.scene import Scene
from ..scenes.sight import Sight
from .geometry import lengthened

__all__ = ["FlowField", "flow", "from_steps", "to_steps"]

FlowField = npt.NDArray[np.float32]
Seen = npt.NDArray[np.bool_]

ZERO, PER_PX, FARTHEST_PX = 32768, 64, 511.0
#: Stands for infinity: the background's points, metres.
FAR_M = 1e5
#: A surface so much nearer than a point, in the point's distance, hides it; the renderer's depth is exact to 1e-4.
HIDES = 5e-4


def flow(
    scene: Scene, meshes: Mapping[int, Mesh], raw_ids: npt.NDArray[np.uint16], depth_m: npt.NDArray[np.float32],
    seconds: float,
) -> tuple[FlowField, Seen]:  # fmt: skip
    """Flow over some seconds, negative for backward, and (h, w) where the same point is seen there.

    Args:
        scene: what was rendered.
        meshes: object id → mesh, unscaled, in metres.
        raw_ids: (h, w) of the frame (`scenes.ids`).
        depth_m: (h, w) of the frame.
        seconds: `scene.timing.step_s`, or minus it.
    """
    camera, later = scene.camera, scene_after(scene, seconds)
    toward = pixel_directions(camera)
    here = lengthened(toward, depth_m)
    nothing = raw_ids == 0
    here[nothing] = FAR_M * toward[nothing] / np.linalg.norm(toward[nothing], axis=1, keepdims=True)
    there = _moved(scene, later, meshes, raw_ids, here)
    at = image(later.camera, there.reshape(-1, 3)).reshape(*raw_ids.shape, 2)
    y, x = np.mgrid[: camera.height, : camera.width] + 0.5
    with np.errstate(invalid="ignore"):
        inside = ((at >= 0) & (at < [camera.width, camera.height])).all(axis=2)
    sight = Sight(there[inside].astype(np.float32))
    for _, solid in solids(later, meshes):
        solid.hide(sight)
    seen = np.zeros(raw_ids.shape, bool)
    seen[inside] = sight.clear(HIDES * np.linalg.norm(there[inside], axis=1))
    return (at - np.stack([x, y], axis=2)).astype(np.float32), seen


def _moved(
    scene: Scene, later: Scene, meshes: Mapping[int, Mesh], raw_ids: npt.NDArray[np.uint16],
    points: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:  # fmt: skip
    """(h, w, 3) points in the later camera's frame, each moved with its body; the background only turns."""
    world_t_cam, cam_t_world = np.linalg.inv(scene.camera.extrinsics), later.camera.extrinsics
    out = points @ (cam_t_world @ world_t_cam)[:3, :3].T
    for before, after in zip(bodies(scene, meshes), bodies(later, meshes), strict=True):
        there = np.nonzero(raw_ids == before.raw_id)
        step = cam_t_world @ after.pose @ np.linalg.inv(before.pose) @ world_t_cam
        out[there] = points[there] @ step[:3, :3].T + step[:3, 3]
    return np.asarray(out)


def to_steps(pixels: FlowField, seen: Seen) -> npt.NDArray[np.uint16]:
    """(h, w, 3) steps of a flow (h, w, 2) and of where it is seen."""
    known = (np.abs(np.where(np.isnan(pixels), np.inf, pixels)) <= FARTHEST_PX).all(axis=2)
    steps = np.rint(np.where(known[..., None], pixels, 0) * PER_PX) + ZERO
    state = np.where(known, np.where(seen, 2, 1), 0)
    return np.where(known[..., None], np.dstack([steps, state]), 0).astype(np.uint16)


def from_steps(steps: npt.NDArray[np.uint16]) -> tuple[FlowField, Seen]:
    """Flow (h, w, 2), NaN where none is stored, and (h, w) where it is seen: the inverse of `to_steps`."""
    pixels = (steps[..., :2].astype(np.float32) - ZERO) / PER_PX
    return np.where(steps[..., 2:] > 0, pixels, np.nan).astype(np.float32), steps[..., 2] == 2
