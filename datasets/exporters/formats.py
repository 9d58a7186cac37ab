"""Every format that a dataset can be exported to, and the call that does it. What is in a format's files is said in the
module that writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ..records import read_info
from ..splits import SPLITS
from ..stream import damaged
from . import anomaly, bop, label_studio, mvtec, pairs, panoptic, polygons, visa, yolo
from .job import Images, Job, Progress, Written, close_job, completed, open_job

__all__ = ["FORMATS", "Export", "Format", "completed_export", "export_dataset", "finished", "format_for", "images_of"]

Json = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """A format: what writes it, what refuses a dataset before anything is written, and whether it has twins in it.

    `image` writes the files that belong to one image, whichever process it runs in, and gives what those of the whole
    dataset need to know of it, as plain JSON; `finish` is told all of that and writes these.
    """

    image: Callable[[Job, Json], Json]
    finish: Callable[[Job, Images], Written]
    check: Callable[[Path], None] = lambda _: None
    twins: bool = False


FORMATS: dict[str, Format] = {
    "bop": Format(bop.image, bop.finish, bop.check),
    "coco-polygons": Format(polygons.image_coco, polygons.finish_coco),
    "label-studio": Format(label_studio.image, label_studio.finish),
    "mvtec-ad": Format(mvtec.image, mvtec.finish, anomaly.check, twins=True),
    "pairs": Format(pairs.image, pairs.finish, pairs.check, twins=True),
    "panoptic": Format(panoptic.image, panoptic.finish, panoptic.check),
    "rf-detr": Format(polygons.image_rf_detr, polygons.finish_rf_detr),
    "visa": Format(visa.image, visa.finish, anomaly.check, twins=True),
    "yolo": Format(yolo.image_outlines, yolo.finish),
    "yolo-detect": Format(yolo.image_boxes, yolo.finish),
}


@dataclass(frozen=True)
class Export:
    """What an export holds: images by split, objects (segments for `panoptic`), and what the format could not hold."""

    images: dict[str, int]
    annotations: int
    notes: tuple[str, ...]


def export_dataset(
    dataset: Path, form: str, out: Path, splits: Iterable[str] = SPLITS, progress: Progress | None = None
) -> Export:
    """Export splits of the dataset in the folder `dataset` as `form`, a key of `FORMATS`, to the folder `out`.

    An export that was stopped is continued by the same call, and ends with the same files. `progress` is told what
    begins and how much of it there is, and gives a function to call after each.

    Raises:
        UsageError: no such format or split, or the dataset lacks what the format needs.
        DatasetError: a dataset that cannot be read, or an `out` that holds something else or cannot be written.
    """
    chosen = format_for(dataset, form)
    with open_job(dataset, form, out, splits, progress or (lambda *_: lambda: None), chosen.twins) as job:
        return finished(job, chosen, lambda split: images_of(job, chosen, split))


def format_for(dataset: Path, form: str) -> Format:
    """The format of that name, for this dataset.

    Raises:
        UsageError: no such format, or the dataset lacks what it needs.
    """
    if form not in FORMATS:
        raise UsageError(f"{form!r} is no format: choose from {', '.join(FORMATS)}")
    read_info(dataset)
    chosen = FORMATS[form]
    chosen.check(dataset)
    return chosen


def images_of(job: Job, form: Format, split: str) -> Iterator[Json]:
    """Write the images of a split, and give what `Format.image` gives for each."""
    for record in job.records(split):
        with damaged(record.get("index")):
            image = form.image(job, record)
        yield image


def finished(job: Job, form: Format, images: Images) -> Export:
    """Write the files of the whole dataset, and end the export."""
    written = form.finish(job, images)
    counts = close_job(job, written)
    return Export(counts, written.annotations, tuple(written.notes))


def completed_export(out: Path) -> Export | None:
    """What the folder of an export holds; None while it is not complete."""
    about = completed(out)
    return None if about is None else Export(about["images"], about["annotations"], tuple(about["notes"]))
