"""Where defects are seen, by the ray engine: the second witness for their masks, and what they have cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.defects.kinds import KINDS
from ..assets.defects.patch import marks, on_patch
from ..assets.mesh import Mesh
from .build import meshes_of
from .cameras import pixel_directions
from .rays import RayView, cast
from .scene import Camera, Scene, SceneObject

__all__ = ["absent", "defect_bits", "in_object", "seen_points"]

Bits = npt.NDArray[np.uint32]
Vec = npt.NDArray[np.float64]


def defect_bits(scene: Scene, meshes: Mapping[int, Mesh], view: RayView) -> Bits:
    """(h, w) uint32: bit k is set where the first surface belongs to the k-th defect of the object that is seen there.

    `view` must have been cast with `triangles`.
    """
    out = np.zeros(view.ids.shape, np.uint32)
    for item in scene.objects:
        if not item.defects:
            continue
        there = np.nonzero(view.ids == item.id)
        points, face = (
            in_object(item, scene.camera, seen_points(scene.camera, view.depth_m, there)),
            _faces(view)[there],
        )
        for k, mark in enumerate(marks(meshes[item.id], item.defects)):
            out[there] |= mark.covers(face, points).astype(np.uint32) << np.uint32(k)
    return out


def absent(
    scene: Scene, meshes: Mapping[int, Mesh], view: RayView, ids: npt.NDArray[np.uint16]
) -> dict[int, npt.NDArray[np.bool_]]:  # fmt: skip
    """Defect id → (h, w) pixels that would show its object if that were sound, and show something else.

    Only for defects that change the form and cost any such pixel: the object as it is does not cover it even alone, for
    else something that stands before it hides it. `ids` are the renderer's, (h, w), which may see the object in pixels
    of its outline where the rays pass it by; those are not absent. A pixel that several may have cost belongs to the
    one whose patch it is nearest to, in sizes of the patch.
    """
    formed = {o.id: [d for d in o.defects if KINDS[d.kind].damage is not None] for o in scene.objects}
    if not any(formed.values()):
        return {}
    twin = scene.twin
    sound = cast(twin, meshes_of(twin))
    out: dict[int, npt.NDArray[np.bool_]] = {}
    for item in scene.objects:
        gone = (sound.ids == item.id) & (view.ids != item.id) & (ids != item.id)
        alone = view.amodal[item.id]
        h, w = alone.mask.shape
        gone[alone.y : alone.y + h, alone.x : alone.x + w] &= ~alone.mask
        there = np.nonzero(gone)
        if not formed[item.id] or not len(there[0]):
            continue
        points = in_object(item, scene.camera, seen_points(scene.camera, sound.depth_m, there))
        far = [np.abs(on_patch(d, points) / [d.size_mm[0] / 2, d.size_mm[1] / 2, d.reach_mm]).max(axis=1)
               for d in formed[item.id]]  # fmt: skip
        nearest = np.argmin(far, axis=0)
        for k, defect in enumerate(formed[item.id]):
            mask = np.zeros(view.ids.shape, bool)
            mask[there[0][nearest == k], there[1][nearest == k]] = True
            if mask.any():
                out[defect.id] = mask
    return out


def seen_points(camera: Camera, depth_m: npt.NDArray[np.float32], there: tuple[npt.NDArray[np.intp], ...]) -> Vec:
    """(n, 3) points in the camera frame, metres, that pixels (rows, columns) see."""
    toward = pixel_directions(camera)[there]
    return np.asarray(toward * (depth_m[there].astype(np.float64) / toward[:, 2])[:, None])


def in_object(item: SceneObject, camera: Camera, points: Vec) -> Vec:
    """(n, 3) points of the camera frame in the frame of an object's unscaled mesh, metres."""
    cam_t_object = camera.extrinsics @ item.pose
    return np.asarray((points - cam_t_object[:3, 3]) @ cam_t_object[:3, :3] / item.scale)


def _faces(view: RayView) -> npt.NDArray[np.int32]:
    if view.triangle is None:
        raise ValueError("masks of defects need cast(…, triangles=True)")
    return view.triangle
