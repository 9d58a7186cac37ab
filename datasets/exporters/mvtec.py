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

import numpy as np

from .anomaly import GOOD, binary_png, cases, defect_mask
from .job import Job, Written

__all__ = ["write"]


def write(job: Job) -> Written:
    """Write the export."""
    told, root = Written(), job.out / job.info.name
    for case in cases(job, told):
        job.copy(case.image, root / ("train" if case.train else "test") / case.kind / f"{case.name}.png")
        if case.kind != GOOD:
            mask = np.where(defect_mask(case), 255, 0).astype(np.uint8)
            job.put(root / "ground_truth" / case.kind / f"{case.name}_mask.png", binary_png(mask))
    return told
