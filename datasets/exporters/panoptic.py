"""COCO panoptic in COCO's own layout, where panopticapi finds the PNGs by the name of the JSON file.

::

    train/000017.png                        the picture, val/ likewise
    annotations/panoptic_train.json         images, segments_info, categories of things and of stuff
    annotations/panoptic_train/000017.png   segment id = red + 256 · green + 65536 · blue

What is in them is what `datasets/panoptic.py` says. The dataset must have the output `panoptic`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..coco import image_entry
from ..panoptic import panoptic_annotation, panoptic_head, panoptic_path
from ..records import read_info
from ..stream import CocoFile
from .job import Images, Job, Written

__all__ = ["check", "finish", "image"]

Json = dict[str, Any]


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset without panoptic maps."""
    if "panoptic" not in read_info(dataset).outputs:
        raise UsageError(f"{dataset} has no panoptic maps: generate one with `outputs: [panoptic]` in its recipe")


def image(job: Job, record: Json) -> Json:
    """Write a picture and its map."""
    entry, annotation = image_entry(record, job.info.license), panoptic_annotation(record)
    folder = panoptic_path(job.out, record["split"]).with_suffix("")
    job.copy(record["image"], job.out / record["split"] / entry["file_name"])
    job.copy(record["maps"]["panoptic"], folder / annotation["file_name"])
    return {"image": entry, "annotation": annotation}


def finish(job: Job, images: Images) -> Written:
    """Write the JSON files."""
    told = Written()
    if job.info.defect_categories:
        told.notes.append(
            "defects are left out: a panoptic map has one segment for each pixel, and a defect is its part's"
        )
    for split in job.indices:
        with ExitStack() as stack:
            file = CocoFile(stack, panoptic_path(job.out, split), panoptic_head(job.info))
            for item in images(split):
                file.add(item["image"], [item["annotation"]])
                told.annotations += len(item["annotation"]["segments_info"])
            file.finish()
    return told
