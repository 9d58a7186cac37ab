"""VisA's layout (Zou et al. 2022): one folder of pictures and a table that says what each is for.

::

    split_csv/1cls.csv                       object,split,label,image,mask; paths from the export's root
    NAME/Data/Images/Normal/000017.png       sound images
    NAME/Data/Images/Anomaly/000009.png      images with defects
    NAME/Data/Masks/Anomaly/000009.png       0, and where a defect is the number of its category, from 1
    NAME/image_anno.csv                      image,label,mask: the categories of each image, as VisA has them

Categories are numbered in the order of the dataset's `defect_categories`. Where two defects overlap the later one
counts. What goes where is said in `anomaly`. Some readers make folders for VisA's own twelve objects only and fail on
others: they take the tree that `mvtec-ad` writes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .anomaly import GOOD, Case, Tally, binary_png, cases, defect_mask
from .job import Images, Job, Written

__all__ = ["finish", "image", "table_bytes"]

Json = dict[str, Any]

COLUMNS = ("object", "split", "label", "image", "mask")


def image(job: Job, record: Json) -> Json:
    """Write an image, its mask and its twin; gives their rows of both tables."""
    name = job.info.name
    found, count = cases(job, record)
    splits: list[tuple[str, ...]] = []
    labels: list[tuple[str, ...]] = []
    for case in found:
        sound = case.kind == GOOD
        path, mask = f"{name}/Data/Images/{'Normal' if sound else 'Anomaly'}/{case.name}.png", ""
        job.copy(case.image, job.out / path)
        if not sound:
            mask = f"{name}/Data/Masks/Anomaly/{case.name}.png"
            job.put(job.out / mask, binary_png(_numbers(case, job.info.defect_categories)))
        kinds = ",".join(dict.fromkeys(d["category"] for d in case.defects)) or "normal"
        splits.append((name, "train" if case.train else "test", "normal" if sound else "anomaly", path, mask))
        labels.append((path, kinds, mask))
    return {"splits": splits, "labels": labels, **count}


def finish(job: Job, images: Images) -> Written:
    """Write the tables."""
    tally = Tally()
    splits: list[Sequence[str]] = []
    labels: list[Sequence[str]] = []
    for split in job.indices:
        for item in images(split):
            tally.add(item)
            splits += item["splits"]
            labels += item["labels"]
    job.put(job.out / "split_csv" / "1cls.csv", table_bytes(COLUMNS, splits))
    job.put(job.out / job.info.name / "image_anno.csv", table_bytes(("image", "label", "mask"), labels))
    return tally.written()


def table_bytes(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file with a head, a comma between fields and a line feed after rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def _numbers(case: Case, categories: tuple[str, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    out = np.zeros((case.record["height"], case.record["width"]), np.uint8)
    for item in case.defects:
        out[defect_mask(case, item)] = categories.index(item["category"]) + 1
    return out
