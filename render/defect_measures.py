"""What is measured of a defect inside a mask, whether the renderer or a diffusion model has made it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..assets.defects.kinds import KINDS
from ..assets.mesh import Mesh
from ..scenes.cameras import pixel_directions
from ..scenes.defect_rays import seen_points
from ..scenes.rays import RayView
from ..scenes.scene import Scene
from .defect_labels import ABOVE_NOISE, NOTICED, DefectLabel, defect_left_out, grade
from .rle import encode_mask

__all__ = ["Marked", "area_mm2", "label_of", "sides_mm", "tidy"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

#: A surface seen at a flatter angle than this (cosine) counts as at it: an area must stay finite.
FLATTEST = 0.05
DECIMALS = 6


@dataclass(frozen=True)
class Marked:
    """A defect and where it is seen.

    Attributes:
        id, kind, severity, parent_id: as in `DefectLabel`.
        mask: (h, w) pixels that are the defect's.
        lost: (h, w) pixels that would show the parent if it were sound, or None without any.
        sides_mm: `sides_mm` of what is seen.
        depth_mm: how far it goes in at most, or None.
    """

    id: int
    kind: str
    severity: float
    parent_id: int
    mask: Bools
    lost: Bools | None
    sides_mm: tuple[float, float]
    depth_mm: float | None


def label_of(scene: Scene, marked: Marked, change: Floats, noise: Floats, area: Floats) -> DefectLabel:
    """The label of a defect by the rules of its scene.

    `change` (h, w) is the CIE76 ΔE*ab by which defects change the picture, NaN where nobody looked, `noise` that of its
    measurement; `area` is as of `area_mm2`.
    """
    kind, both = KINDS[marked.kind], marked.mask if marked.lost is None else marked.mask | marked.lost
    seen, gone = encode_mask(marked.mask), encode_mask(marked.lost) if marked.lost is not None else None
    visible, difference = _change(change, noise, both)
    absent_area = gone.area if gone else 0
    reason = defect_left_out(seen.area, absent_area, visible, scene.defect_rules)
    names = (*scene.categories, *scene.stuff_categories, *scene.defect_categories)
    first = len(scene.categories) + len(scene.stuff_categories)
    return DefectLabel(
        id=marked.id, kind=marked.kind, category=kind.category,
        category_id=names.index(kind.category, first) + 1, area=seen.area,
        bbox=seen.bbox if seen.area else None, rle=seen.counts if seen.area else None, parent_id=marked.parent_id,
        severity=marked.severity, grade=grade(marked.severity), visible_fraction=visible,
        area_mm2=tidy(float(area[marked.mask].sum())), length_mm=marked.sides_mm[0], width_mm=marked.sides_mm[1],
        depth_mm=marked.depth_mm, colour_difference=difference,
        absent_area=absent_area, absent_rle=gone.counts if gone else None, annotated=reason is None, left_out=reason,
    )  # fmt: skip


def _change(change: Floats, noise: Floats, mask: Bools) -> tuple[float, float]:
    """The share of a mask that changes visibly, and the mean colour difference in it, where somebody looked."""
    mask = mask & ~np.isnan(change)
    if not mask.any():
        return 0.0, 0.0
    changed = change[mask]
    spread = float(np.sqrt(np.mean(np.square(noise[mask], dtype=np.float64))))
    visible = np.count_nonzero(changed > max(NOTICED, ABOVE_NOISE * spread)) / len(changed)
    return tidy(visible), tidy(float(changed.mean(dtype=np.float64)))


def sides_mm(flat: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Longer and shorter side of the smallest rectangle about points (n, 2) of a plane, mm; 0 for none."""
    if not len(flat):
        return 0.0, 0.0
    sides = cv2.minAreaRect(flat.astype(np.float32))[1]
    return tidy(max(sides)), tidy(min(sides))


def area_mm2(
    scene: Scene, meshes: Mapping[int, Mesh], ids: npt.NDArray[np.uint16], depth_m: Floats, rays: RayView,
    objects: Collection[int],
) -> Floats:  # fmt: skip
    """(h, w) mm² of surface that a pixel shows: its solid angle · distance² / |cosine|.

    Of the objects that are named, where the ids (h, w) and the rays, cast with `triangles`, agree; 0 elsewhere. The
    solid angle is that between the rays half a pixel to the sides, by the difference of the rays of its neighbours.
    """
    toward = pixel_directions(scene.camera)
    unit = toward / np.linalg.norm(toward, axis=2, keepdims=True)
    angle = np.abs(np.einsum("hwk,hwk->hw", np.cross(np.gradient(unit, axis=1), np.gradient(unit, axis=0)), unit))
    out = np.zeros(ids.shape, np.float32)
    assert rays.triangle is not None
    for item in scene.objects:
        if item.id not in objects:
            continue
        there = np.nonzero((ids == item.id) & (rays.ids == item.id))
        a, b, c = meshes[item.id].vertices[meshes[item.id].faces[rays.triangle[there]]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a) @ (scene.camera.extrinsics[:3, :3] @ item.pose[:3, :3]).T
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
        cosine = np.maximum(np.abs(np.einsum("nk,nk->n", normal, unit[there])), FLATTEST)
        far = np.linalg.norm(seen_points(scene.camera, depth_m, there), axis=1)
        out[there] = 1e6 * angle[there] * far**2 / cosine
    return out


def tidy(x: float) -> float:
    """Rounded, and no -0.0: last bits depend on the processor."""
    return round(float(x), DECIMALS) + 0.0
