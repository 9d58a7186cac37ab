"""COCO panoptic files, derived from the records: `annotations/panoptic_<split>.json`.

One annotation per image, whose `file_name` lies in the dataset's `panoptic/`, with those of the other split: give that
folder to panopticapi's evaluation (`--gt_folder`). Every segment of a PNG (id = red + 256 · green + 65536 · blue) is
in `segments_info`, every one of those has pixels, and 0 is void: `render/panoptic.py` says what that is. Image ids and
the categories of things are those of `instances_<split>.json`; stuff (the surface, the kinds of fixtures) has the
categories that follow. Colours are for viewers, all different, and none is the black of void.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from ..render.panoptic import segments
from .coco import SplitCounts, categories, head, image_entry
from .contact import category_color
from .place import Place, PlaceT
from .records import DatasetInfo
from .splits import SPLITS
from .stream import CocoFile, damaged

__all__ = ["panoptic_annotation", "panoptic_head", "panoptic_path", "write_panoptic"]

Json = dict[str, Any]


def panoptic_path(folder: PlaceT, split: str) -> PlaceT:
    """Where the panoptic file of a split lies."""
    return folder / "annotations" / f"panoptic_{split}.json"


def write_panoptic(records: Iterable[Json], info: DatasetInfo, folder: Place) -> dict[str, SplitCounts]:
    """Write the panoptic files below `folder` for every split, atomically, from records by index.

    `records` are as `records.record_dicts` gives them. `annotations` of the counts are segments.

    Raises:
        DatasetError: a record lacks something.
    """
    counts = {split: SplitCounts() for split in SPLITS}
    with ExitStack() as stack:
        files = {split: CocoFile(stack, panoptic_path(folder, split), panoptic_head(info)) for split in SPLITS}
        for record in records:
            with damaged(record.get("index")):
                split, annotation = record["split"], panoptic_annotation(record)
                files[split].add(image_entry(record, info.license), [annotation])
                counts[split].images += 1
                counts[split].annotations += len(annotation["segments_info"])
        for file in files.values():
            file.finish()
    return counts


def panoptic_head(info: DatasetInfo) -> Json:
    """What stands before the images: info, licences, and the categories of things and of stuff."""
    things = categories(info.categories)
    first = len(things) + 1
    stuff = [{"id": i, "name": name, "supercategory": "stuff"} for i, name in enumerate(info.stuff_categories, first)]
    kinds = [
        {**kind, "isthing": int(kind["id"] < first), "color": category_color(kind["id"])} for kind in things + stuff
    ]
    return head(info) | {"categories": kinds}


def panoptic_annotation(record: Json) -> Json:
    """The annotation of one image, from its record as plain JSON."""
    name = record["maps"]["panoptic"].rpartition("/")[2]
    return {"image_id": record["index"] + 1, "file_name": name, "segments_info": segments(record)}
