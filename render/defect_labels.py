"""What is known about one defect of one image; `render/defect_facts.py` finds it out. No bpy."""

from __future__ import annotations

from typing import ClassVar

from ..scenes.scene import DefectRules
from .label_json import LabelJson
from .labels import Box

__all__ = ["ABOVE_NOISE", "GRADES", "NOTICED", "DefectLabel", "defect_left_out", "grade", "shows"]

GRADES = 5
#: A colour difference that half of all observers notice side by side: Mahy et al. 1994, "Evaluation of uniform color
#: spaces developed after the adoption of CIELAB and CIELUV".
NOTICED = 2.3
#: A change has to exceed its noise by this factor.
ABOVE_NOISE = 3.0


class DefectLabel(LabelJson):
    """One defect, seen or not; masks are COCO's compressed run lengths (column-major).

    Attributes:
        id: its number in the image, above those of all objects.
        area: pixels in which the first surface is the defect's; `bbox` is their tight extent [x, y, w, h], `rle` their
            mask, both None without pixels. They lie inside the visible mask of the parent.
        parent_id: id of the object that has it.
        severity: what it was drawn from, 0 … 1; `grade` is the fifth of that range, 1 … 5.
        visible_fraction: share of the pixels of both masks in which it changes the picture beyond noise
            (`defect_facts`); a large one is looked at in wider pixels, a large line at its middle (`probe_boxes`).
        area_mm2: of the surface seen in the mask. `length_mm` and `width_mm` are the sides of the smallest rectangle
            about it on the patch.
        depth_mm: how far it goes in at most, where that is part of its kind.
        colour_difference: mean CIE76 ΔE*ab over both masks between this picture and the one without the defect.
        absent_area: pixels that would show the parent if it were sound and now show something else: a tooth that is
            missing against the sky. `absent_rle` is their mask, None without any.
        annotated: whether COCO gets it; `left_out` says why not.
    """

    attributes: ClassVar = (
        "parent_id", "severity", "grade", "visible_fraction", "area_mm2", "length_mm", "width_mm", "depth_mm",
        "colour_difference", "absent_area", "absent_rle",
    )  # fmt: skip
    id: int
    kind: str
    category: str
    category_id: int
    area: int
    bbox: Box | None
    rle: str | None
    parent_id: int
    severity: float
    grade: int
    visible_fraction: float
    area_mm2: float
    length_mm: float
    width_mm: float
    depth_mm: float | None
    colour_difference: float
    absent_area: int
    absent_rle: str | None
    annotated: bool
    left_out: str | None


def grade(severity: float) -> int:
    """1 for the mildest fifth of all severities, 5 for the worst."""
    return min(GRADES, 1 + int(GRADES * severity))


def defect_left_out(area: int, absent: int, visible_fraction: float, rules: DefectRules) -> str | None:
    """Why COCO does not get a defect, or None when it does."""
    if area == 0:
        return "no visible pixel" if not absent else "nothing of it is left to see: only what is absent"
    if area < rules.min_pixels:
        return f"below min_pixels: {area} < {rules.min_pixels}"
    if visible_fraction < rules.min_visible_fraction:
        return f"below min_visible_fraction: {visible_fraction:.3f} < {rules.min_visible_fraction:g}"
    return None


def shows(area: int, absent: int, visible_fraction: float, rules: DefectRules) -> bool:
    """Whether a person can find a defect: as `defect_left_out`, with what is absent counted in, which COCO cannot."""
    return area + absent >= rules.min_pixels and visible_fraction >= rules.min_visible_fraction
