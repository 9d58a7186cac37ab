"""The labels of an image's defects, from the renderer's bits, the ray engine, and how much the picture changes."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.kinds import KINDS
from ..assets.defects.patch import on_patch
from ..assets.mesh import Mesh
from ..errors import LabelError
from ..scenes.cameras import pixel_directions
from ..scenes.defect_rays import absent, defect_bits, in_object, seen_points
from ..scenes.rays import RayView
from ..scenes.scene import Scene, SceneObject
from .defect_labels import ABOVE_NOISE, NOTICED, DefectLabel, defect_left_out, grade
from .frame import Frame
from .labels import TOLERATED_PIXELS, Verification
from .rle import encode_mask

__all__ = ["compare_defects", "defect_labels"]

Bools = npt.NDArray[np.bool_]

#: A surface seen at a flatter angle than this (cosine) counts as at it: an area must stay finite.
FLATTEST = 0.05
DECIMALS = 6


def defect_labels(
    scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, rays: RayView
) -> tuple[DefectLabel, ...]:  # fmt: skip
    """The labels of all defects, seen or not, in the scene's order; `rays` must have been cast with `triangles`."""
    if not any(o.defects for o in scene.objects):
        return ()
    if frame.defects is None or frame.change is None or frame.noise is None:
        raise LabelError("the frame says nothing of its scene's defects: render it with an engine that does")
    lost, area = absent(scene, meshes, rays, frame.ids), _area_mm2(scene, meshes, frame, rays)
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
    area_mm2: npt.NDArray[np.float32],
) -> DefectLabel:  # fmt: skip
    kind, both = KINDS[defect.kind], mask if lost is None else mask | lost
    seen, gone = encode_mask(mask), encode_mask(lost) if lost is not None else None
    visible, difference = _change(frame, both)
    length, width = _sides_mm(scene, item, defect, mask, frame)
    absent_area = gone.area if gone else 0
    reason = defect_left_out(seen.area, absent_area, visible, scene.defect_rules)
    names = (*scene.categories, *scene.stuff_categories, *scene.defect_categories)
    first = len(scene.categories) + len(scene.stuff_categories)
    return DefectLabel(
        id=defect.id, kind=defect.kind, category=kind.category,
        category_id=names.index(kind.category, first) + 1, area=seen.area,
        bbox=seen.bbox if seen.area else None, rle=seen.counts if seen.area else None, parent_id=item.id,
        severity=defect.severity, grade=grade(defect.severity), visible_fraction=visible,
        area_mm2=_tidy(float(area_mm2[mask].sum())), length_mm=length, width_mm=width,
        depth_mm=None if kind.depth is None else _tidy(kind.depth(defect)), colour_difference=difference,
        absent_area=absent_area, absent_rle=gone.counts if gone else None, annotated=reason is None, left_out=reason,
    )  # fmt: skip


def _change(frame: Frame, mask: Bools) -> tuple[float, float]:
    """The share of a mask that changes visibly, and the mean colour difference in it, where somebody looked."""
    assert frame.change is not None and frame.noise is not None
    mask = mask & ~np.isnan(frame.change)
    if not mask.any():
        return 0.0, 0.0
    change = frame.change[mask]
    noise = float(np.sqrt(np.mean(np.square(frame.noise[mask], dtype=np.float64))))
    visible = np.count_nonzero(change > max(NOTICED, ABOVE_NOISE * noise)) / len(change)
    return _tidy(visible), _tidy(float(change.mean(dtype=np.float64)))


def _sides_mm(scene: Scene, item: SceneObject, defect: Defect, mask: Bools, frame: Frame) -> tuple[float, float]:
    """Longer and shorter side of the smallest rectangle about what is seen of a defect, on its patch."""
    there = np.nonzero(mask)
    if not len(there[0]):
        return 0.0, 0.0
    points = in_object(item, scene.camera, seen_points(scene.camera, frame.depth_m, there))
    flat = on_patch(defect, points)[:, :2].astype(np.float32)
    sides = cv2.minAreaRect(flat)[1]
    return _tidy(max(sides)), _tidy(min(sides))


def _area_mm2(
    scene: Scene, meshes: Mapping[int, Mesh], frame: Frame, rays: RayView
) -> npt.NDArray[np.float32]:  # fmt: skip
    """(h, w) mm² of surface that a pixel shows, 0 where there is no object: its solid angle · distance² / |cosine|.

    The solid angle is that between the rays half a pixel to the sides, by the difference of the rays of its neighbours.
    """
    toward = pixel_directions(scene.camera)
    unit = toward / np.linalg.norm(toward, axis=2, keepdims=True)
    angle = np.abs(np.einsum("hwk,hwk->hw", np.cross(np.gradient(unit, axis=1), np.gradient(unit, axis=0)), unit))
    out = np.zeros(frame.ids.shape, np.float32)
    assert rays.triangle is not None
    for item in scene.objects:
        if not item.defects:
            continue
        there = np.nonzero((frame.ids == item.id) & (rays.ids == item.id))
        a, b, c = meshes[item.id].vertices[meshes[item.id].faces[rays.triangle[there]]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a) @ (scene.camera.extrinsics[:3, :3] @ item.pose[:3, :3]).T
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
        cosine = np.maximum(np.abs(np.einsum("nk,nk->n", normal, unit[there])), FLATTEST)
        far = np.linalg.norm(seen_points(scene.camera, frame.depth_m, there), axis=1)
        out[there] = 1e6 * angle[there] * far**2 / cosine
    return out


def _tidy(x: float) -> float:
    return round(float(x), DECIMALS) + 0.0
