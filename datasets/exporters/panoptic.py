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

from ...errors import UsageError
from ..coco import image_entry
from ..panoptic import panoptic_annotation, panoptic_head, panoptic_path
from ..records import read_info
from ..stream import CocoFile, damaged
from .job import Job, Written

__all__ = ["check", "write"]


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset without panoptic maps."""
    if "panoptic" not in read_info(dataset).outputs:
        raise UsageError(f"{dataset} has no panoptic maps: generate one with `outputs: [panoptic]` in its recipe")


def write(job: Job) -> Written:
    """Write the export."""
    told = Written()
    if job.info.defect_categories:
        told.notes.append(
            "defects are left out: a panoptic map has one segment for each pixel, and a defect is its part's"
        )
    for split in job.indices:
        path = panoptic_path(job.out, split)
        with ExitStack() as stack:
            file = CocoFile(stack, path, panoptic_head(job.info))
            for record in job.records(split):
                with damaged(record.get("index")):
                    image, annotation = image_entry(record, job.info.license), panoptic_annotation(record)
                    job.copy(record["image"], job.out / split / image["file_name"])
                    job.copy(record["maps"]["panoptic"], path.with_suffix("") / annotation["file_name"])
                file.add(image, [annotation])
                told.annotations += len(annotation["segments_info"])
            file.finish()
    return told
