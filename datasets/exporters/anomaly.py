"""What sets for the detection of anomalies are made of: sound images to learn from, and the others to be tested on.

An image is *sound* when no object in it has a defect, seen or not, and so is every twin. Sound images of `train` are to
learn from, with the twins of the images of `train`; all others are for tests. An image whose defects nobody can see is
neither: it is left out, and counted. A defect can be seen where COCO has it, and also where only what is absent shows
it, a tooth that is missing against the ground: that has no pixel for COCO to hold, and many for a mask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...errors import DatasetError, UsageError
from ...render.defect_labels import shows
from ...render.rle import decode
from ...scenes.scene import DefectRules
from ..records import TWINS, indices, read_info
from ..stream import damaged
from .job import Job, Written

__all__ = ["GOOD", "Case", "binary_png", "cases", "check", "defect_mask", "left_out_note"]

Json = dict[str, Any]
Mask = npt.NDArray[np.bool_]

GOOD, COMBINED = "good", "combined"
#: Names of folders: nothing that leads elsewhere, or that an export has a use of its own for.
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
RESERVED = {"export.json", "split_csv", GOOD, COMBINED}


@dataclass(frozen=True)
class Case:
    """One picture of an export: where it lies below the dataset, a name for it, what it is for, and its defects.

    `kind` is `GOOD`, the category of all its defects, or `COMBINED` where they are of several.
    """

    image: str
    name: str
    train: bool
    kind: str
    record: Json
    defects: tuple[Json, ...] = ()


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset whose recipe knows no defects, or whose names cannot be those of folders."""
    info = read_info(dataset)
    if not info.defect_categories:
        raise UsageError(f"{dataset} has no defects: generate one with `defects` in its recipe")
    for name in (info.name, *info.defect_categories):
        if not PLAIN.fullmatch(name) or name.lower() in RESERVED:
            raise UsageError(f"{name!r} names a folder of this export and cannot: give the recipe another `name`")


def cases(job: Job, told: Written) -> Iterator[Case]:
    """All pictures of an export, by index, an image before its twin; those left out are counted in `told.notes`."""
    twins, hidden, met = set(indices(job.dataset / TWINS)), 0, 0
    # Readers sort pictures and masks by name and pair them by place: digits of one width keep both in one order.
    width = max(6, *(len(str(found[-1])) for found in job.indices.values()))
    for split in job.indices:
        for record in job.records(split):
            with damaged(record.get("index")):
                name, seen = f"{record['index']:0{width}d}", _seen(record)
                train = split == "train"
                if not record["defects"]:
                    yield Case(record["image"], name, train, GOOD, record)
                    continue
                if seen:
                    kinds = {d["category"] for d in seen}
                    if not kinds <= set(job.info.defect_categories):
                        raise KeyError(f"{sorted(kinds)} are not all categories of this dataset")
                    yield Case(record["image"], name, False, kinds.pop() if len(kinds) == 1 else COMBINED, record, seen)
                    told.annotations += len(seen)
                else:
                    hidden += 1
                if record["index"] in twins:
                    met += bool(seen) and train
                    yield Case(f"{TWINS}/{record['image']}", f"{name}_twin", train, GOOD, record)
    if hidden:
        told.notes.append(left_out_note(hidden))
    if met:
        told.notes.append(
            f"images to be tested on whose sound twin is among those to learn from: {met}; for a test of scenes that "
            "were never seen, export --split train and --split val apart, and test on the latter"
        )


def _seen(record: Json) -> tuple[Json, ...]:
    """The defects that a person can find."""
    rules = DefectRules.model_validate(record["scene"]["defect_rules"])
    return tuple(
        d for d in record["defects"]
        if shows(d["area"], d["attributes"]["absent_area"], d["attributes"]["visible_fraction"], rules)
    )  # fmt: skip


def left_out_note(images: int) -> str:
    """What to tell of images that are neither sound nor visibly not."""
    return f"images left out, since nobody could see their defects: {images}"


def defect_mask(case: Case, which: Json | None = None) -> Mask:
    """(h, w) where an image is not as it should be: its visible defects, and what is absent; or one of them alone."""
    size = (case.record["height"], case.record["width"])
    mask = np.zeros(size, bool)
    for item in case.defects if which is None else (which,):
        for rle in (item["rle"], item["attributes"]["absent_rle"]):
            if rle is not None:
                mask |= decode(rle, size)
    return mask


def binary_png(values: npt.NDArray[np.uint8]) -> bytes:
    """A grey PNG of eight bits."""
    good, data = cv2.imencode(".png", values)
    if not good:
        raise DatasetError("OpenCV cannot write a mask as PNG")
    return bytes(data.tobytes())
