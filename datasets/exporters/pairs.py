"""Images with defects, each beside its sound twin: for change detection, inpainting, and to look at.

::

    pairs.csv                  image,twin,mask,split,kinds,severity,visible_fraction; a row per pair
    images/000009.png          with defects
    twins/000009.png           the same scene without
    masks/000009.png           0, and 255 where something is not as it should be

Several defects of an image are separated by semicolons. Defects that nobody can see are not in the mask; a pair that
has no others is left out, and so is an image without a twin. The dataset must have twins.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ..records import TWINS, indices
from . import anomaly
from .anomaly import GOOD, Case, Tally, binary_png, cases, defect_mask, has_twin
from .job import Images, Job, Written
from .visa import table_bytes

__all__ = ["check", "finish", "image"]

Json = dict[str, Any]

COLUMNS = ("image", "twin", "mask", "split", "kinds", "severity", "visible_fraction")


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset without defects or without twins."""
    anomaly.check(dataset)
    if not indices(dataset / TWINS):
        raise UsageError(f"{dataset} has no twins: render them with `scenewright twins {dataset}`")


def image(job: Job, record: Json) -> Json:
    """Write a pair and its mask, where an image is one; gives its row."""
    found, count = cases(job, record)
    case = next((c for c in found if c.kind != GOOD), None)
    if case is None:
        return {"row": None, "lone": False, **count}
    if not has_twin(job, record):
        return {"row": None, "lone": True, **count}
    return {"row": _put(job, case), "lone": False, **count}


def _put(job: Job, case: Case) -> list[str]:
    names = [f"{folder}/{case.name}.png" for folder in ("images", "twins", "masks")]
    job.copy(case.image, job.out / names[0])
    job.copy(f"{TWINS}/{case.record['image']}", job.out / names[1])
    job.put(job.out / names[2], binary_png(np.where(defect_mask(case), 255, 0).astype(np.uint8)))
    facts = [d["attributes"] for d in case.defects]
    return [
        *names, case.record["split"], ";".join(d["kind"] for d in case.defects),
        *(";".join(f"{f[key]:.6g}" for f in facts) for key in ("severity", "visible_fraction")),
    ]  # fmt: skip


def finish(job: Job, images: Images) -> Written:
    """Write the table."""
    tally, lone = Tally(), 0
    rows: list[Sequence[str]] = []
    for split in job.indices:
        for item in images(split):
            tally.add(item)
            lone += item["lone"]
            rows += [item["row"]] if item["row"] else []
    job.put(job.out / "pairs.csv", table_bytes(COLUMNS, rows))
    told = tally.written()
    if lone:
        told.notes.append(f"images left out, since they have no twin yet: {lone}; `scenewright twins` renders them")
    return told
