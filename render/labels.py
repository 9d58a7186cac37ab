"""Labels of one image, from the scene, the renderer's id image and the ray engine's amodal masks. No bpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..assets.mesh import Mesh
from ..errors import LabelError
from ..scenes.cameras import image, project
from ..scenes.scene import Camera, LabelRules, Scene, SceneObject, Vec3, matrix
from ..scenes.scene_lights import Matrix4
from .boxes3d import corners
from .label_json import LabelJson
from .rle import Crop, MaskRle, encode_crops, encode_ids

if TYPE_CHECKING:  # whoever only reads labels, training code above all, need not load the ray engine
    from ..scenes.rays import AmodalMask, RayView

__all__ = ["Box", "InstanceLabel", "Verification", "compare", "label", "left_out"]

Ids = npt.NDArray[np.integer[Any]]
Box = tuple[int, int, int, int]
KeyPoint = tuple[float, float, Literal[0, 1, 2]]

#: Decimals of stored metres and pixels, so that the last bit of a matrix product is not part of a label.
DECIMALS = 9

#: A disagreement of this share of the pixels is rounding at edges: 2 of 307,200 were measured; see `compare`.
TOLERANCE = 1e-4

#: Small images have more outline for their area: so many pixels may always differ. 2 to 6 were measured at 320×240.
TOLERATED_PIXELS = 8

#: An object this large in one engine's ids must be in the other's.
SEEN_PIXELS = 4


class InstanceLabel(LabelJson):
    """What is known about one object of one image; masks are COCO's compressed run lengths (column-major).

    Attributes:
        id: the object's value in the id image.
        area: visible pixels; `bbox` is their tight extent [x, y, w, h], `rle` their mask, both None without pixels.
        amodal_area: pixels inside the image that the object covers when nothing hides it; `amodal_bbox` and
            `amodal_rle` alike.
        visibility: area / amodal_area, 0 for an object without pixels.
        truncation: the share of the unhidden object that lies outside the image; None where it covers no pixel even of
            an image without border (behind the camera, or smaller than the pixel grid).
        distance_m: from the camera's centre to the object's origin.
        cam_T_object: rigid, object frame (metres, scale applied) → OpenCV camera frame.
        size_m: edge lengths of the object's box in its own frame, scale applied.
        keypoints_px: name → (x, y, v), pixels and COCO's visibility: 2 visible, 1 hidden, 0 outside the image; None
            where the camera has no image of it, behind it above all. Hidden is what a surface lies before, the object's
            own included (`scenes.rays.RayView.in_sight`).
        box3d_m: the eight corners of its box in the camera frame, metres, in the order of `boxes3d`; `box3d_px` their
            pixels, None for one without an image. Both None unless the scene's `outputs` name "boxes3d".
        see_through: parts of its mesh that do not count in anything above, or not where they have holes, for the policy
            for its category is to look through them (`LabelRules`); None where there are none.
        annotated: whether COCO gets it; `left_out` says why not.
    """

    attributes: ClassVar = (
        "visibility", "truncation", "amodal_bbox", "amodal_area", "amodal_rle", "distance_m", "cam_T_object", "size_m",
        "keypoints_px", "box3d_m", "box3d_px", "see_through",
    )  # fmt: skip
    #: A label has these only when the scene's `outputs` ask for them, or where there are such parts.
    optional: ClassVar = ("box3d_m", "box3d_px", "see_through")
    id: int
    category: str
    category_id: int
    area: int
    bbox: Box | None
    rle: str | None
    amodal_area: int
    amodal_bbox: Box | None
    amodal_rle: str | None
    visibility: float
    truncation: float | None
    distance_m: float
    cam_T_object: Matrix4
    size_m: Vec3
    keypoints_px: dict[str, KeyPoint | None]
    annotated: bool
    left_out: str | None
    box3d_m: tuple[Vec3, ...] | None = None
    box3d_px: tuple[tuple[float, float] | None, ...] | None = None
    see_through: tuple[str, ...] | None = None


class Verification(BaseModel):
    """How far the renderer's ids and the ray engine's agree.

    Attributes:
        pixels: pixels compared; `disagreeing` of them differ.
        agreement: share of the pixels that are equal.
        tolerance: the share that may differ.
        missing: ids that one engine sees in `SEEN_PIXELS` pixels or more and the other nowhere.
        passed: within tolerance, and nothing missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    pixels: int
    disagreeing: int
    agreement: float
    tolerance: float
    missing: tuple[int, ...] = ()
    passed: bool


def label(scene: Scene, meshes: Mapping[int, Mesh], frame_ids: Ids, rays: RayView) -> tuple[InstanceLabel, ...]:
    """The labels of all objects of a scene, distractors included, in the scene's order.

    The amodal mask is the ray engine's mask of the object alone, united with the object's visible pixels: the two
    engines may round an edge differently, and nothing is to be more visible than whole. So visibility ≤ 1.

    Args:
        scene: what was rendered.
        meshes: object id → mesh, unscaled, in metres.
        frame_ids: (h, w) ids of the rendered frame, 0 is none.
        rays: the ray engine's view of the same scene.

    Raises:
        LabelError: the ids are of another size than the camera, or name an object that the scene has not.
    """
    size = (scene.camera.height, scene.camera.width)
    if frame_ids.shape != size:
        raise LabelError(f"ids of shape {frame_ids.shape} for a camera of {size}: render the scene again")
    visible = encode_ids(frame_ids)
    strangers = sorted(visible.keys() - {o.id for o in scene.objects})
    if strangers:
        raise LabelError(f"the id image holds {strangers[:5]}, which are no objects of the scene: render it again")
    crops = [_amodal(o.id, visible.get(o.id), frame_ids, rays.amodal.get(o.id)) for o in scene.objects]
    whole = encode_crops([crop for crop, _ in crops], size)
    return tuple(
        _instance(scene, o, meshes[o.id], rays, visible.get(o.id), (mask, total))
        for o, mask, (_, total) in zip(scene.objects, whole, crops, strict=True)
    )


def compare(ids: Ids, ray_ids: Ids, tolerance: float = TOLERANCE) -> Verification:
    """Whether two id images (h, w) of one scene agree, and on who is there.

    All but `tolerance` of the pixels must be equal; `TOLERATED_PIXELS` may always differ.
    """
    if ids.shape != ray_ids.shape:
        raise LabelError(f"id images of {ids.shape} and {ray_ids.shape} cannot be compared: both must be one camera's")
    different = ids != ray_ids
    disagreeing = int(np.count_nonzero(different))
    missing: tuple[int, ...] = ()
    if disagreeing:
        bins = int(max(ids.max(), ray_ids.max())) + 1
        here, there = (np.bincount(a.ravel(), minlength=bins) for a in (ids, ray_ids))
        lost = (np.minimum(here, there) == 0) & (np.maximum(here, there) >= SEEN_PIXELS)
        missing = tuple(i for i in np.flatnonzero(lost).tolist() if i)
    return Verification(
        pixels=ids.size,
        disagreeing=disagreeing,
        agreement=1.0 - disagreeing / ids.size,
        tolerance=tolerance,
        missing=missing,
        passed=disagreeing <= max(tolerance * ids.size, TOLERATED_PIXELS) and not missing,
    )


def left_out(category_id: int, area: int, visibility: float, rules: LabelRules) -> str | None:
    """Why COCO does not get an object, or None when it does."""
    if category_id == 0:
        return "distractor"
    if area == 0:
        return "no visible pixel"
    if area < rules.min_pixels:
        return f"below min_pixels: {area} < {rules.min_pixels}"
    if visibility < rules.min_visibility:
        return f"below min_visibility: {visibility:.3f} < {rules.min_visibility:g}"
    return None


def _amodal(object_id: int, visible: MaskRle | None, ids: Ids, alone: AmodalMask | None) -> tuple[Crop, int]:
    """One object's unhidden mask, cropped, and the pixels that it would cover if the image had no border."""
    if alone is None or alone.mask.size == 0:
        alone_total = alone.total if alone else 0
        if visible is None or visible.bbox is None:
            return Crop(0, 0, np.zeros((0, 0), dtype=bool)), alone_total
        x, y, w, h = visible.bbox
        return Crop(x, y, ids[y : y + h, x : x + w] == object_id), alone_total + visible.area
    if visible is None or visible.bbox is None:
        return Crop(alone.x, alone.y, alone.mask), alone.total
    x, y, w, h = visible.bbox
    seen = ids[y : y + h, x : x + w] == object_id
    bh, bw = alone.mask.shape
    left, top = min(x, alone.x), min(y, alone.y)
    union = np.zeros((max(y + h, alone.y + bh) - top, max(x + w, alone.x + bw) - left), dtype=bool)
    union[alone.y - top :, alone.x - left :][:bh, :bw] = alone.mask
    before = int(np.count_nonzero(alone.mask))
    union[y - top :, x - left :][:h, :w] |= seen
    return Crop(left, top, union), alone.total + int(np.count_nonzero(union)) - before


def _instance(
    scene: Scene, item: SceneObject, mesh: Mesh, rays: RayView, visible: MaskRle | None, unhidden: tuple[MaskRle, int]
) -> InstanceLabel:
    whole, total = unhidden
    area = visible.area if visible else 0
    visibility = area / whole.area if whole.area else 0.0
    reason = left_out(item.category_id, area, visibility, scene.labels)
    cam_t_object = scene.camera.extrinsics @ item.pose
    box = _box3d(scene.camera, cam_t_object, mesh.extents * item.scale) if "boxes3d" in scene.outputs else {}
    return InstanceLabel(
        id=item.id,
        category=item.category,
        category_id=item.category_id,
        area=area,
        bbox=visible.bbox if visible else None,
        rle=visible.counts if visible else None,
        amodal_area=whole.area,
        amodal_bbox=whole.bbox,
        amodal_rle=whole.counts if whole.area else None,
        visibility=visibility,
        truncation=1.0 - whole.area / total if total else None,
        distance_m=_tidy(float(np.linalg.norm(cam_t_object[:3, 3]))),
        cam_T_object=matrix(np.round(cam_t_object, DECIMALS) + 0.0),
        size_m=_triple(mesh.extents * item.scale),
        keypoints_px=_keypoints(scene.camera, item, mesh, rays),
        annotated=reason is None,
        left_out=reason,
        see_through=(*item.see_through, *item.cut_out) or None,
        **box,
    )


def _box3d(camera: Camera, pose: npt.NDArray[np.float64], size: npt.NDArray[np.float64]) -> dict[str, Any]:
    points = corners(pose, size)
    pixels = image(camera, points)
    shown = tuple(None if np.isnan(p).any() else (_tidy(p[0]), _tidy(p[1])) for p in pixels)
    return {"box3d_m": tuple(_triple(p) for p in points), "box3d_px": shown}


def _keypoints(camera: Camera, item: SceneObject, mesh: Mesh, rays: RayView) -> dict[str, KeyPoint | None]:
    if not mesh.keypoints:
        return {}
    points = np.array(list(mesh.keypoints.values()), dtype=np.float64) * item.scale
    pixels, _ = project(camera, points @ item.pose[:3, :3].T + item.pose[:3, 3])
    shown: list[KeyPoint | None] = []
    for (x, y), clear in zip(pixels, rays.in_sight[item.id], strict=True):
        inside = 0 <= x < camera.width and 0 <= y < camera.height
        shown.append(None if np.isnan(x) else (_tidy(x), _tidy(y), (2 if clear else 1) if inside else 0))
    return dict(zip(mesh.keypoints, shown, strict=True))


def _tidy(x: float) -> float:
    return round(float(x), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def _triple(v: npt.NDArray[np.float64]) -> Vec3:
    return (_tidy(v[0]), _tidy(v[1]), _tidy(v[2]))
