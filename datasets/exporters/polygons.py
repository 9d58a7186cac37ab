"""COCO with polygons instead of run lengths, for readers that take no compressed RLE: two layouts of the same files.

::

    annotations/instances_train.json, train/000017.png, …   coco-polygons: Hugging Face DETR processors, for example
    train/_annotations.coco.json, train/000017.png, …       rf-detr: train, valid and test

Polygons run along the edges of pixels, one for each part of an object, with a slit to each of its holes (`outlines`):
pycocotools gives the exact mask for them. Ids, boxes and areas are those of `instances_<split>.json`; the images carry
no `generation` and the annotations no `attributes`. RF-DETR calls `val` "valid", and its own test wants a "test", which
a dataset has not: `test` holds the images of `val` again, and its score says nothing more than that of `valid`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..coco import all_categories, annotation_id, coco_path, head, image_entry
from ..stream import CocoFile, damaged
from .job import Job, Written
from .outlines import Part, joined, parts_of

__all__ = ["HoleCount", "annotated", "outlined", "write_coco_polygons", "write_rf_detr"]

Json = dict[str, Any]

#: A split's folders in RF-DETR's layout.
RF_DETR = {"train": ("train",), "val": ("valid", "test")}


class HoleCount:
    """Counts objects that a single outline holds by slits only."""

    def __init__(self) -> None:
        self.holes = self.apart = 0

    def add(self, found: list[Part]) -> None:
        """Count one object, by the parts of its mask."""
        self.holes += any(part.holes for part in found)
        self.apart += len(found) > 1

    def notes(self, one_polygon: bool) -> list[str]:
        """What to tell a person; `one_polygon` when the format wants each object as one outline."""
        notes = []
        if self.holes:
            notes.append(f"objects with holes: {self.holes}; a polygon has none, a slit of no width leads to each")
        if self.apart and one_polygon:
            notes.append(f"objects seen in several parts: {self.apart}; slits of no width join them to one outline")
        return notes


def outlined(record: Json) -> list[tuple[Json, list[Part]]]:
    """The annotated objects and defects of a record with the parts of their visible masks."""
    size = (record["height"], record["width"])
    return [(item, parts_of(item["rle"], item["bbox"], size)) for item in annotated(record)]


def annotated(record: Json) -> list[Json]:
    """The annotated objects of a record, then its annotated defects."""
    return [item for item in (*record["instances"], *record.get("defects", ())) if item["annotated"]]


def write_coco_polygons(job: Job) -> Written:
    """Write the export in COCO's own layout."""
    return _write(job, lambda split: [(coco_path(job.out, split), job.out / split)])


def write_rf_detr(job: Job) -> Written:
    """Write the export in RF-DETR's layout."""
    return _write(job, lambda split: [(job.out / p / "_annotations.coco.json", job.out / p) for p in RF_DETR[split]])


def _write(job: Job, places: Callable[[str], list[tuple[Path, Path]]]) -> Written:
    """Write each split; `places` gives the JSON files and image folders that get it."""
    told, holes = Written(), HoleCount()
    top = head(job.info) | {"categories": all_categories(job.info)}
    for split in job.indices:
        with ExitStack() as stack:
            here = [(CocoFile(stack, path, top), folder) for path, folder in places(split)]
            for record in job.records(split):
                with damaged(record.get("index")):
                    image, found = image_entry(record, job.info.license), outlined(record)
                    annotations = [_annotation(record, item, parts) for item, parts in found]
                for file, folder in here:
                    job.copy(record["image"], folder / image["file_name"])
                    file.add(image, annotations)
                told.annotations += len(annotations)
                for _, parts in found:
                    holes.add(parts)
            for file, _ in here:
                file.finish()
    told.notes += holes.notes(one_polygon=False)
    return told


def _annotation(record: Json, item: Json, parts: list[Part]) -> Json:
    return {
        "id": annotation_id(record["index"], item["id"]), "image_id": record["index"] + 1,
        "category_id": item["category_id"], "bbox": item["bbox"], "area": item["area"], "iscrowd": 0,
        "segmentation": [joined(part).ravel().tolist() for part in parts],
    }  # fmt: skip
