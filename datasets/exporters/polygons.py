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
from ..stream import CocoFile
from .job import Images, Job, Written
from .outlines import Part, joined, parts_of

__all__ = [
    "HoleCount", "annotated", "finish_coco", "finish_rf_detr", "image_coco", "image_rf_detr", "outlined", "slits",
]  # fmt: skip

Json = dict[str, Any]

#: A split's folders in RF-DETR's layout.
RF_DETR = {"train": ("train",), "val": ("valid", "test")}


class HoleCount:
    """Counts objects that a single outline holds by slits only."""

    def __init__(self) -> None:
        self.holes = self.apart = 0

    def add(self, image: Json) -> None:
        """Count what `slits` tells of an image; nothing where that was not asked."""
        self.holes += image.get("holes", 0)
        self.apart += image.get("apart", 0)

    def notes(self, one_polygon: bool) -> list[str]:
        """What to tell a person; `one_polygon` when the format wants each object as one outline."""
        notes = []
        if self.holes:
            notes.append(f"objects with holes: {self.holes}; a polygon has none, a slit of no width leads to each")
        if self.apart and one_polygon:
            notes.append(f"objects seen in several parts: {self.apart}; slits of no width join them to one outline")
        return notes


def slits(found: list[tuple[Json, list[Part]]]) -> Json:
    """How many objects of an image, by the parts of their masks, have holes, and how many are in several parts."""
    return {
        "holes": sum(any(part.holes for part in parts) for _, parts in found),
        "apart": sum(len(parts) > 1 for _, parts in found),
    }


def outlined(record: Json) -> list[tuple[Json, list[Part]]]:
    """The annotated objects and defects of a record with the parts of their visible masks."""
    size = (record["height"], record["width"])
    return [(item, parts_of(item["rle"], item["bbox"], size)) for item in annotated(record)]


def annotated(record: Json) -> list[Json]:
    """The annotated objects of a record, then its annotated defects."""
    return [item for item in (*record["instances"], *record.get("defects", ())) if item["annotated"]]


def image_coco(job: Job, record: Json) -> Json:
    """Write an image in COCO's own layout."""
    return _image(job, record, [job.out / record["split"]])


def image_rf_detr(job: Job, record: Json) -> Json:
    """Write an image in RF-DETR's layout."""
    return _image(job, record, [job.out / place for place in RF_DETR[record["split"]]])


def finish_coco(job: Job, images: Images) -> Written:
    """Write the JSON files of COCO's own layout."""
    return _finish(job, images, lambda split: [coco_path(job.out, split)])


def finish_rf_detr(job: Job, images: Images) -> Written:
    """Write the JSON files of RF-DETR's layout."""
    return _finish(job, images, lambda split: [job.out / place / "_annotations.coco.json" for place in RF_DETR[split]])


def _image(job: Job, record: Json, folders: list[Path]) -> Json:
    image, found = image_entry(record, job.info.license), outlined(record)
    annotations = [_annotation(record, item, parts) for item, parts in found]
    job.copy(record["image"], *(folder / image["file_name"] for folder in folders))
    return {"image": image, "annotations": annotations, **slits(found)}


def _finish(job: Job, images: Images, places: Callable[[str], list[Path]]) -> Written:
    """Write each split; `places` gives the JSON files that get it."""
    told, holes = Written(), HoleCount()
    top = head(job.info) | {"categories": all_categories(job.info)}
    for split in job.indices:
        with ExitStack() as stack:
            files = [CocoFile(stack, path, top) for path in places(split)]
            for image in images(split):
                for file in files:
                    file.add(image["image"], image["annotations"])
                told.annotations += len(image["annotations"])
                holes.add(image)
            for file in files:
                file.finish()
    told.notes += holes.notes(one_polygon=False)
    return told


def _annotation(record: Json, item: Json, parts: list[Part]) -> Json:
    return {
        "id": annotation_id(record["index"], item["id"]), "image_id": record["index"] + 1,
        "category_id": item["category_id"], "bbox": item["bbox"], "area": item["area"], "iscrowd": 0,
        "segmentation": [joined(part).ravel().tolist() for part in parts],
    }  # fmt: skip
