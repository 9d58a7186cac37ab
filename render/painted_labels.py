"""The labels of defects that were painted into a picture: their masks are what the picture shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.patch import on_patch
from ..scenes.build import meshes_of
from ..scenes.defect_rays import in_object, seen_points
from ..scenes.rays import RayView, cast
from ..scenes.scene import Scene, SceneObject
from .defect_labels import DefectLabel
from .defect_measures import Marked, area_mm2, label_of, sides_mm

__all__ = ["Painted", "painted_labels"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Painted:
    """A defect that was painted: `mask` (h, w) is what has changed, `defect` what the scene says of it, if anything."""

    id: int
    kind: str
    severity: float
    parent_id: int
    mask: Mask
    defect: Defect | None


def painted_labels(
    scene: Scene, ids: npt.NDArray[np.uint16], sound: Image, image: Image, painted: Sequence[Painted]
) -> tuple[DefectLabel, ...]:
    """Labels in the order of what was painted, for a picture (h, w, 3), its sound one and its ids (h, w).

    Paint has no depth and takes nothing away. Where the surface lies is what the rays say of the sound scene.
    """
    if not painted:
        return ()
    sound_scene = scene.twin
    meshes = meshes_of(sound_scene)
    rays = cast(sound_scene, meshes, triangles=True)
    change = _change(sound, image)
    area = area_mm2(scene, meshes, ids, rays.depth_m, rays, {p.parent_id for p in painted})
    objects = {o.id: o for o in scene.objects}
    still = np.zeros_like(change)
    labels = []
    for p in painted:
        sides = _sides(scene, objects[p.parent_id], p, rays)
        marked = Marked(p.id, p.kind, p.severity, p.parent_id, p.mask, None, sides, None)
        labels.append(label_of(scene, marked, change, still, area))
    return tuple(labels)


def _change(before: Image, after: Image) -> npt.NDArray[np.float32]:
    """(h, w) CIE76 ΔE*ab between two sRGB pictures, of 3 × 3 pixels' mean, as `probe.change` measures renders."""
    first, second = (cv2.cvtColor(i.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for i in (before, after))
    return np.asarray(np.linalg.norm(cv2.blur(second - first, (3, 3)), axis=2), np.float32)


def _sides(scene: Scene, item: SceneObject, painted: Painted, rays: RayView) -> tuple[float, float]:
    """On the defect's patch; where it has none, on the plane that is nearest to what is seen of it."""
    there = np.nonzero(painted.mask & (rays.ids == item.id))
    points = in_object(item, scene.camera, seen_points(scene.camera, rays.depth_m, there))
    if painted.defect is not None:
        return sides_mm(on_patch(painted.defect, points)[:, :2])
    if len(points) < 3:
        return sides_mm(np.zeros((0, 2)))
    centred = (points - points.mean(axis=0)) * item.scale * 1000
    return sides_mm(centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T)
