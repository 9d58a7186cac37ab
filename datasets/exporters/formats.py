"""Every format that a dataset can be exported to, and the call that does it. What is in a format's files is said in the
module that writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ..records import read_info
from ..splits import SPLITS
from . import anomaly, bop, label_studio, mvtec, pairs, panoptic, polygons, visa, yolo
from .job import Job, Progress, Written, close_job, open_job

__all__ = ["FORMATS", "Export", "Format", "export_dataset"]


@dataclass(frozen=True)
class Format:
    """A format: what writes it, what refuses a dataset before anything is written, and whether it has twins in it."""

    write: Callable[[Job], Written]
    check: Callable[[Path], None] = lambda _: None
    twins: bool = False


FORMATS: dict[str, Format] = {
    "bop": Format(bop.write, bop.check),
    "coco-polygons": Format(polygons.write_coco_polygons),
    "label-studio": Format(label_studio.write),
    "mvtec-ad": Format(mvtec.write, anomaly.check, twins=True),
    "pairs": Format(pairs.write, pairs.check, twins=True),
    "panoptic": Format(panoptic.write, panoptic.check),
    "rf-detr": Format(polygons.write_rf_detr),
    "visa": Format(visa.write, anomaly.check, twins=True),
    "yolo": Format(yolo.write_outlines),
    "yolo-detect": Format(yolo.write_boxes),
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
    if form not in FORMATS:
        raise UsageError(f"{form!r} is no format: choose from {', '.join(FORMATS)}")
    read_info(dataset)
    chosen = FORMATS[form]
    chosen.check(dataset)
    with open_job(dataset, form, out, splits, progress or (lambda *_: lambda: None), chosen.twins) as job:
        written = chosen.write(job)
        images = close_job(job, written)
    return Export(images, written.annotations, tuple(written.notes))
