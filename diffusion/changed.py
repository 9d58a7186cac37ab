"""What an inpainted defect has really changed: its mask, and whether that answers what was requested."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..render.defect_labels import ABOVE_NOISE, NOTICED
from .tries import COVERAGE, LARGEST

__all__ = ["Change", "change", "changed"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

#: MAD times this is the standard deviation of normal noise.
MAD = 1.4826
#: Patches of fewer pixels are specks, and no defect unless they were requested as specks.
SPECK_PX = 4
#: Holes of no more pixels are filled.
HOLE_PX = 12
#: So many of 3 × 3 pixels decide a median.
MAJORITY = 5


@dataclass(frozen=True)
class Change:
    """What came of a request.

    Attributes:
        mask: (h, w) what has changed: the label.
        threshold: CIE76 ΔE*ab from which a pixel counts.
        coverage: share of the requested pixels that changed.
        area: pixels that changed, over those requested.
        accepted: whether both are within the limits; `fault` says what is not.
    """

    mask: Mask
    threshold: float
    coverage: float
    area: float
    fault: str | None

    @property
    def accepted(self) -> bool:
        """Whether the picture may be used with this label."""
        return self.fault is None


def change(before: Image, after: Image, request: Mask, reach_px: int = 0) -> Change:
    """Compare two pictures (h, w, 3) of which the second was painted in a requested mask (h, w).

    `reach_px`: so far around the request the painter was allowed to go; farther away nothing may have changed.

    Raises:
        UsageError: sizes differ, or the request is empty.
    """
    if before.shape != after.shape or before.shape[:2] != request.shape:
        raise UsageError(f"pictures of {before.shape} and {after.shape} and a mask of {request.shape} do not fit")
    if not request.any():
        raise UsageError("nothing was requested: the mask has no pixel")
    allowed = request
    if reach_px:
        side = 2 * reach_px + 1
        allowed = cv2.dilate(request.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    mask, threshold = changed(before, after, allowed)
    wanted = int(request.sum())
    coverage, area = int((mask & request).sum()) / wanted, int(mask.sum()) / wanted
    fault = None
    if coverage < COVERAGE:
        fault = f"only {coverage:.2f} of what was requested has changed, of at least {COVERAGE:g}"
    elif area > LARGEST:
        fault = f"{area:.2f} times what was requested has changed, of at most {LARGEST:g}"
    return Change(mask, round(threshold, 3), round(coverage, 6), round(area, 6), fault)


def changed(before: Image, after: Image, allowed: Mask) -> tuple[Mask, float]:
    """(h, w) where a picture has changed visibly inside a mask, and the ΔE*ab from which that counts.

    Differences are of colours smoothed by a median over 3 × 3 pixels, which keeps edges and drops single pixels. The
    threshold is raised by how much pixels differ outside the mask: nothing, if the rest was composited hard. Where the
    mask is so thin that a median sees what lies beside it, the mean over its own pixels there counts.
    """
    apart = np.linalg.norm(_lab(cv2.medianBlur(after, 3)) - _lab(cv2.medianBlur(before, 3)), axis=2)
    rest = apart[~allowed]
    noise = MAD * float(np.median(np.abs(rest - np.median(rest)))) + float(np.median(rest)) if len(rest) else 0.0
    threshold = max(NOTICED, ABOVE_NOISE * noise)
    thin, mean = _along(_lab(after) - _lab(before), allowed)
    # A median reaches a pixel over the border of what was painted, so what is not allowed is cut off afterwards.
    found = ((np.where(thin, mean, apart) > threshold) & allowed).astype(np.uint8)
    return _filled(_without_specks(found, allowed), allowed), threshold


def _along(difference: npt.NDArray[np.float32], mask: Mask) -> tuple[Mask, npt.NDArray[np.float32]]:
    """Where less than half of the 3 × 3 pixels about one lie in a mask, and the length of the mean of those that do."""
    inside = mask.astype(np.float32)
    count = cv2.boxFilter(inside, -1, (3, 3), normalize=False)
    total = cv2.boxFilter(difference * inside[..., None], -1, (3, 3), normalize=False)
    mean = np.linalg.norm(total / np.maximum(count, 1)[..., None], axis=2)
    return np.asarray(count < MAJORITY), np.asarray(mean, np.float32)


def _without_specks(found: npt.NDArray[np.uint8], allowed: Mask) -> Mask:
    """What is found without patches that are too small, unless they are all of a patch of the mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    _, places, sizes, _ = cv2.connectedComponentsWithStats(allowed.astype(np.uint8), connectivity=8)
    room = np.zeros(count, np.int64)
    room[labels.ravel()] = sizes[places.ravel(), cv2.CC_STAT_AREA]  # a patch lies in one patch of the mask
    area = stats[:, cv2.CC_STAT_AREA]
    large = area >= np.minimum(SPECK_PX, room)
    large[0] = False
    return np.asarray(large[labels])


def _filled(found: Mask, allowed: Mask) -> Mask:
    """What is found, with small holes in it: grain that happens to be as it was before."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~found).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= HOLE_PX
    small[labels[~allowed]] = False  # it is open to what lies beside the mask
    return np.asarray(found | (small[labels] & ~found))


def _lab(image: Image) -> npt.NDArray[np.float32]:
    """CIELAB of an sRGB picture."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
