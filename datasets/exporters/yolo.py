"""The layout that YOLO trains from: a text file per image, a line per object, classes from 0.

::

    images/train/000017.png
    labels/train/000017.txt    yolo: class x1 y1 x2 y2 …; yolo-detect: class x_center y_center width height
    data.yaml                  where the images are, and the names of the classes

Numbers are shares of the image's width and height. An outline runs along the edges of pixels. YOLO has one outline per
object and no holes: a slit of no width leads to each hole and to each further part (`outlines`), so that the outline
encloses the mask's area exactly. Ultralytics draws outlines with OpenCV's `fillPoly`, whose pen is a pixel wide: that
makes any mask about half a pixel larger all around, and fills the slits. An image without objects has an empty file.
"""

from __future__ import annotations

from typing import Any

import yaml

from ..coco import all_categories
from ..records import DatasetInfo
from .job import Images, Job, Written
from .outlines import one_polygon
from .polygons import HoleCount, annotated, outlined, slits

__all__ = ["finish", "image_boxes", "image_outlines"]

Json = dict[str, Any]

#: Decimals of a share: a hundredth of a pixel in an image of 16384.
DECIMALS = 7


def image_outlines(job: Job, record: Json) -> Json:
    """Write an image with an outline of each object."""
    found, scale, classes = outlined(record), (record["width"], record["height"]), _classes(job.info)
    lines = [_line(classes, item, (one_polygon(parts) / scale).ravel().tolist()) for item, parts in found]
    return {"lines": _put(job, record, lines), **slits(found)}


def image_boxes(job: Job, record: Json) -> Json:
    """Write an image with the box of each object."""
    classes = _classes(job.info)
    return {"lines": _put(job, record, [_line(classes, item, _box(item, record)) for item in annotated(record)])}


def _classes(info: DatasetInfo) -> dict[int, int]:
    """Category id → class: objects, then defects, without the room that COCO's ids leave for stuff."""
    return {category["id"]: k for k, category in enumerate(all_categories(info))}


def _put(job: Job, record: Json, lines: list[str]) -> int:
    """Write a picture and its lines; gives their count."""
    split, name = record["split"], record["image"].rpartition("/")[2]
    job.copy(record["image"], job.out / "images" / split / name)
    text = "".join(f"{line}\n" for line in lines)
    job.put((job.out / "labels" / split / name).with_suffix(".txt"), text.encode())
    return len(lines)


def finish(job: Job, images: Images) -> Written:
    """Write `data.yaml`. That has no `path`: then its own folder is the root, wherever that is moved."""
    told, holes = Written(), HoleCount()
    for split in job.indices:
        for image in images(split):
            told.annotations += image["lines"]
            holes.add(image)
    data = {split: f"images/{split}" for split in job.indices} | {
        "names": {k: category["name"] for k, category in enumerate(all_categories(job.info))}
    }
    job.put(job.out / "data.yaml", yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode())
    told.notes += holes.notes(one_polygon=True)
    return told


def _box(item: Json, record: Json) -> list[float]:
    """Middle and size, as shares of the image."""
    (x, y, w, h), width, height = item["bbox"], record["width"], record["height"]
    return [(x + w / 2) / width, (y + h / 2) / height, w / width, h / height]


def _line(classes: dict[int, int], item: Json, shares: list[float]) -> str:
    return " ".join(
        [str(classes[item["category_id"]]), *(f"{round(share, DECIMALS):.{DECIMALS}g}" for share in shares)]
    )
