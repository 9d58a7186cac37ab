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

from pathlib import Path

import numpy as np

from ...errors import UsageError
from ..records import TWINS, indices
from . import anomaly
from .anomaly import GOOD, binary_png, cases, defect_mask
from .job import Job, Written
from .visa import table_bytes

__all__ = ["check", "write"]

COLUMNS = ("image", "twin", "mask", "split", "kinds", "severity", "visible_fraction")


def check(dataset: Path) -> None:
    """Raise UsageError for a dataset without defects or without twins."""
    anomaly.check(dataset)
    if not indices(dataset / TWINS):
        raise UsageError(f"{dataset} has no twins: render them with `scenewright twins {dataset}`")


def write(job: Job) -> Written:
    """Write the export."""
    told, rows, lone = Written(), [], 0
    twins = set(indices(job.dataset / TWINS))
    for case in cases(job, told):
        if case.kind == GOOD:
            continue
        if case.record["index"] not in twins:
            lone += 1
            continue
        names = [f"{folder}/{case.name}.png" for folder in ("images", "twins", "masks")]
        job.copy(case.image, job.out / names[0])
        job.copy(f"{TWINS}/{case.record['image']}", job.out / names[1])
        job.put(job.out / names[2], binary_png(np.where(defect_mask(case), 255, 0).astype(np.uint8)))
        facts = [d["attributes"] for d in case.defects]
        rows.append((
            *names, case.record["split"], ";".join(d["kind"] for d in case.defects),
            *(";".join(f"{f[key]:.6g}" for f in facts) for key in ("severity", "visible_fraction")),
        ))  # fmt: skip
    job.put(job.out / "pairs.csv", table_bytes(COLUMNS, rows))
    if lone:
        told.notes.append(f"images left out, since they have no twin yet: {lone}; `scenewright twins` renders them")
    return told
