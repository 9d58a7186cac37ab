"""What sets for the detection of anomalies are made of: sound images to learn from, and the others to be tested on.

An image is *sound* when no object in it has a defect, seen or not, and so is every twin. Sound images of `train` are to
learn from, with the twins of the images of `train`; all others are for tests. An image whose defects nobody can see is
neither: it is left out, and counted. A defect can be seen where COCO has it, and also where only what is absent shows
it, a tooth that is missing against the ground: that has no pixel for COCO to hold, and many for a mask.
"""

from __future__ import annotations

import re
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
from ..files import exists
from ..records import TWINS, read_info, record_path
from .job import Job, Written

__all__ = ["GOOD", "Case", "Tally", "binary_png", "cases", "check", "defect_mask", "has_twin", "left_out_note"]

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


def cases(job: Job, record: Json) -> tuple[list[Case], Json]:
    """The pictures of one image that are exported, it before its twin, and what a `Tally` counts of it.

    Readers sort pictures and masks by name and pair them by place: digits of one width keep both in one order.
    """
    name, seen = f"{record['index']:0{max(6, len(str(job.largest)))}d}", _seen(record)
    train, twin = record["split"] == "train", bool(record["defects"]) and has_twin(job, record)
    count = {
        "annotations": len(seen),
        "hidden": bool(record["defects"]) and not seen,
        "met": twin and train and bool(seen),
    }
    if not record["defects"]:
        return [Case(record["image"], name, train, GOOD, record)], count
    found = []
    if seen:
        kinds = {d["category"] for d in seen}
        if not kinds <= set(job.info.defect_categories):
            raise KeyError(f"{sorted(kinds)} are not all categories of this dataset")
        kind = kinds.pop() if len(kinds) == 1 else COMBINED
        found.append(Case(record["image"], name, False, kind, record, seen))
    if twin:
        found.append(Case(f"{TWINS}/{record['image']}", f"{name}_twin", train, GOOD, record))
    return found, count


def has_twin(job: Job, record: Json) -> bool:
    """Whether the sound twin of an image is there."""
    return exists(record_path(job.dataset / TWINS, record["index"]))


class Tally:
    """Counts defects, images that are left out, and those whose twin is learnt from."""

    def __init__(self) -> None:
        self.annotations = self.hidden = self.met = 0

    def add(self, image: Json) -> None:
        """One image, as `cases` counts it."""
        self.annotations += image["annotations"]
        self.hidden += image["hidden"]
        self.met += image["met"]

    def written(self) -> Written:
        """What to tell of all."""
        told = Written(self.annotations)
        if self.hidden:
            told.notes.append(left_out_note(self.hidden))
        if self.met:
            told.notes.append(
                f"images to be tested on whose sound twin is among those to learn from: {self.met}; for a test of "
                "scenes that were never seen, export --split train and --split val apart, and test on the latter"
            )
        return told


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
