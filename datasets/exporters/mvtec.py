"""The tree of MVTec AD (Bergmann et al. 2019), which most tools for anomaly detection read. Nothing else is in it.

::

    NAME/train/good/000017.png               sound images to learn from
    NAME/test/good/000004.png                sound images to be tested on
    NAME/test/scratch/000009.png             images with defects of one category; those of several: combined
    NAME/ground_truth/scratch/000009_mask.png  0, and 255 where something is not as it should be

NAME is the dataset's. A sound twin is 000009_twin.png, and on the same side as its image's split says. A mask holds the
visible defects and what is absent, a missing tooth for example. What goes where is said in `anomaly`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .anomaly import GOOD, Tally, binary_png, cases, defect_mask
from .job import Images, Job, Written

__all__ = ["finish", "image"]

Json = dict[str, Any]


def image(job: Job, record: Json) -> Json:
    """Write an image, its mask and its twin."""
    found, count = cases(job, record)
    root = job.out / job.info.name
    for case in found:
        job.copy(case.image, root / ("train" if case.train else "test") / case.kind / f"{case.name}.png")
        if case.kind != GOOD:
            mask = np.where(defect_mask(case), 255, 0).astype(np.uint8)
            job.put(root / "ground_truth" / case.kind / f"{case.name}_mask.png", binary_png(mask))
    return count


def finish(job: Job, images: Images) -> Written:
    """Nothing is written: the tree is all there is."""
    tally = Tally()
    for split in job.indices:
        for item in images(split):
            tally.add(item)
    return tally.written()
