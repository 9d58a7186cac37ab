"""How well scores of pixels find defects: the exact average precision, and the score that needs no learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["CONTRASTS", "Contrast", "average_precision"]

Floats = npt.NDArray[np.float32]


def average_precision(scores: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> float:
    """Σ (Rₖ − Rₖ₋₁) Pₖ over all distinct scores as thresholds, from the highest down; NaN without a positive.

    Rₖ and Pₖ are recall and precision of what scores at least so much: pixels of equal scores come in together, so the
    order in which they are given does not matter, and a score that says nothing gets the share of positives.
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order], dtype=np.int64)
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(hits) - 1)  # the last pixel of each score
    found = hits[ends]
    return float((np.diff(found, prepend=0) / hits[-1] * (found / (ends + 1))).sum())


@dataclass(frozen=True)
class Contrast:
    """How far a pixel is from its surroundings: ΔE*ab between an image and itself smoothed.

    Attributes:
        by: "gaussian" or "median".
        reach: standard deviation of the Gaussian, or half the width of the median's window, pixels.
    """

    by: str
    reach: int

    def __str__(self) -> str:
        return f"{self.by} {self.reach} px"

    def __call__(self, image: npt.NDArray[np.uint8]) -> Floats:
        """(h, w) of an sRGB image (h, w, 3)."""
        if self.by == "gaussian":
            smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), self.reach)
        else:
            smooth = cv2.medianBlur(image, 2 * self.reach + 1).astype(np.float32)
        return np.asarray(np.linalg.norm(_lab(image.astype(np.float32)) - _lab(smooth), axis=2), np.float32)


def _lab(rgb: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(rgb / np.float32(255), cv2.COLOR_RGB2Lab))


#: All that are tried.
CONTRASTS = tuple(Contrast(by, reach) for by in ("gaussian", "median") for reach in (2, 4, 8, 16, 32))
