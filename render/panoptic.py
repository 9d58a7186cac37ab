"""The panoptic map: every pixel in one segment, which is an object or all of one kind of stuff.

(h, w) uint32 segment ids: an object's segment has the object's id, stuff has `OBJECTS` + its class − N (32001 for the
surface; N categories), 0 is void: background, distractors, and objects that COCO does not get. Stored as COCO's
panoptic format does it: 8 bits per channel, id = red + 256 · green + 65536 · blue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ..scenes.ids import OBJECTS
from ..scenes.scene import Scene
from .labels import InstanceLabel
from .rle import encode_ids
from .semantic import semantic

__all__ = ["StuffLabel", "from_colors", "panoptic", "segments", "stuff_labels", "to_colors"]

SegmentIds = npt.NDArray[np.uint32]


class StuffLabel(BaseModel):
    """One kind of stuff in one image: segment, class, visible pixels, and their tight extent [x, y, w, h]."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: int
    category: str
    category_id: int
    area: int
    bbox: tuple[int, int, int, int]


def panoptic(
    scene: Scene, instances: Iterable[InstanceLabel], ids: npt.NDArray[np.uint16], stuff: npt.NDArray[np.uint8]
) -> SegmentIds:
    """Segment ids of a frame whose objects have these labels."""
    kept = np.zeros(max((o.id for o in scene.objects), default=0) + 1, np.uint32)
    annotated = [item.id for item in instances if item.annotated]
    kept[annotated] = annotated
    classes = semantic(scene, np.zeros_like(ids), np.where(ids > 0, 0, stuff).astype(np.uint8)).astype(np.uint32)
    others = classes + np.uint32(OBJECTS - len(scene.categories))
    return np.asarray(np.where(classes > 0, others, kept[ids]), dtype=np.uint32)


def stuff_labels(scene: Scene, segment_ids: SegmentIds) -> tuple[StuffLabel, ...]:
    """The segments of a panoptic map that are stuff, by class."""
    masks = encode_ids(np.where(segment_ids > OBJECTS, segment_ids, 0).astype(np.uint16))
    return tuple(
        StuffLabel(
            id=segment, category=scene.stuff_categories[segment - OBJECTS - 1],
            category_id=segment - OBJECTS + len(scene.categories), area=mask.area, bbox=mask.bbox,
        ) for segment, mask in sorted(masks.items()) if mask.bbox is not None
    )  # fmt: skip


def segments(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """COCO's `segments_info` of one image, from its record as plain JSON: things in the scene's order, then stuff."""
    things = [item for item in record["instances"] if item["annotated"]]
    return [
        {key: item[key] for key in ("id", "category_id", "area", "bbox")} | {"iscrowd": 0}
        for item in (*things, *record["stuff"])
    ]


def to_colors(segment_ids: SegmentIds) -> npt.NDArray[np.uint8]:
    """(h, w, 3) red, green, blue of segment ids below 2²⁴."""
    return np.asarray(np.stack([segment_ids >> shift & 255 for shift in (0, 8, 16)], axis=2), dtype=np.uint8)


def from_colors(colors: npt.NDArray[np.uint8]) -> SegmentIds:
    """(h, w) segment ids: the inverse of `to_colors`."""
    red, green, blue = np.moveaxis(colors.astype(np.uint32), 2, 0)
    return np.asarray(red + 256 * green + 65536 * blue, dtype=np.uint32)
