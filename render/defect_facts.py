"""The labels of an image's defects, from the renderer's bits, the ray engine, and how much the picture changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.kinds import KINDS
from ..assets.defects.patch import on_patch
from ..assets.mesh import Mesh
from ..errors import LabelError
from ..scenes.defect_rays import absent, defect_bits, in_object, seen_points
from ..scenes.rays import RayView
from ..scenes.scene import Scene, SceneObject
from .defect_labels import DefectLabel
from .defect_measures import Marked, area_mm2, label_of, sides_mm, tidy
from .frame import Frame
from .labels import TOLERATED_PIXELS, Verification

__all__ = ["compare_defects", "defect_labels"]

Bools = npt.NDArray[np.bool_]


def defect_labels(
    scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, rays: RayView
) -> tuple[DefectLabel, ...]:  # fmt: skip
    """The labels of all defects, seen or not, in the scene's order; `rays` must have been cast with `triangles`."""
    if not any(o.defects for o in scene.objects):
        return ()
    if frame.defects is None or frame.change is None or frame.noise is None:
        raise LabelError("the frame says nothing of its scene's defects: render it with an engine that does")
    marred = [o.id for o in scene.objects if o.defects]
    lost = absent(scene, meshes, rays, frame.ids)
    area = area_mm2(scene, meshes, frame.ids, frame.depth_m, rays, marred)
    return tuple(
        _label(scene, item, defect, (frame.ids == item.id) & (frame.defects >> np.uint32(k) & 1 > 0), frame,
               lost.get(defect.id), area)
        for item in scene.objects
        for k, defect in enumerate(item.defects)
    )  # fmt: skip


def compare_defects(
    found: Verification, scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, rays: RayView
) -> Verification:
    """A verification of ids, with the pixels added in which the engines disagree on defects.

    A defect of `TOLERATED_PIXELS` more in one engine that the other does not see at all is missing.
    """
    if frame.defects is None:
        return found
    ours = defect_bits(scene, meshes, rays)
    apart = (frame.defects != ours) & (frame.ids == rays.ids)  # where ids differ it is counted already
    missing = list(found.missing)
    for item in scene.objects:
        for k, defect in enumerate(item.defects):
            here, there = (int(np.count_nonzero((bits >> np.uint32(k) & 1 > 0) & (ids == item.id)))
                           for bits, ids in ((frame.defects, frame.ids), (ours, rays.ids)))  # fmt: skip
            if min(here, there) == 0 and max(here, there) > TOLERATED_PIXELS:
                missing.append(defect.id)
    disagreeing = found.disagreeing + int(np.count_nonzero(apart))
    return found.model_copy(update={
        "disagreeing": disagreeing, "agreement": 1.0 - disagreeing / found.pixels, "missing": tuple(missing),
        "passed": disagreeing <= max(found.tolerance * found.pixels, TOLERATED_PIXELS) and not missing,
    })  # fmt: skip


def _label(
    scene: Scene, item: SceneObject, defect: Defect, mask: Bools, frame: Frame, lost: Bools | None,
    area: npt.NDArray[np.float32],
) -> DefectLabel:  # fmt: skip
    assert frame.change is not None and frame.noise is not None
    depth = KINDS[defect.kind].depth
    marked = Marked(
        defect.id, defect.kind, defect.severity, item.id, mask, lost, _sides_mm(scene, item, defect, mask, frame),
        None if depth is None else tidy(depth(defect)),
    )  # fmt: skip
    return label_of(scene, marked, frame.change, frame.noise, area)


def _sides_mm(scene: Scene, item: SceneObject, defect: Defect, mask: Bools, frame: Frame) -> tuple[float, float]:
    """As `defect_measures.sides_mm`, of what is seen of a defect on its patch."""
    there = np.nonzero(mask)
    points = in_object(item, scene.camera, seen_points(scene.camera, frame.depth_m, there))
    return sides_mm(on_patch(defect, points)[:, :2])
