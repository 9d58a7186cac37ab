"""How far each pixel of a picture may be changed, so that its labels stay true.

A change map is (h, w) float32 from 0, as rendered, to 1, free; values between are the share of the strength that a
pixel gets: 0.5 takes part in the second half of the denoising alone, after Levin and Fried, "Differential Diffusion:
Giving Each Pixel Its Strength" (2023). What is 0 is the render's bytes in the end, whatever the model did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import UsageError

__all__ = ["Freedom", "change_map", "composite", "outline_band"]

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Freedom:
    """How much of the strength what gets.

    Attributes:
        background: what is no object.
        objects: inside objects, off the band.
        band: on both sides of every outline.
        band_px: how far the band reaches from the outline on either side, pixels.
    """

    background: float = 1.0
    objects: float = 0.6
    band: float = 0.0
    band_px: float = 3.0

    def __post_init__(self) -> None:
        for name in ("background", "objects", "band"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(
                    f"the freedom of {name} is a share of the strength: {getattr(self, name)} is not 0 … 1"
                )
        if not 0 <= self.band_px <= 64:
            raise UsageError(f"the band is 0 … 64 pixels wide on each side, not {self.band_px}")


def change_map(
    ids: npt.NDArray[Any], freedom: Freedom, frozen: Iterable[int] = (), hold: Mask | None = None
) -> Map:  # fmt: skip
    """The change map of an image.

    Args:
        ids: (h, w) instance ids, 0 where no object is.
        freedom: how much of the strength what gets.
        frozen: instances that stay as rendered, with the band around them: those whose outline the render itself does
            not show, so that nobody could tell whether it was kept.
        hold: (h, w) what stays as rendered besides, such as defects that are labelled; it gets a band as well.
    """
    kept = np.isin(ids, [int(k) for k in frozen if k])
    if hold is not None:
        kept |= hold
    level = np.where(ids != 0, np.float32(freedom.objects), np.float32(freedom.background))
    level[outline_band(ids, freedom.band_px)] = freedom.band
    level[kept | outline_band(kept, freedom.band_px)] = 0
    return level


def outline_band(labels: npt.NDArray[Any], reach_px: float) -> Mask:
    """Pixels whose centre lies within `reach_px` of a border between two labels (h, w); borders run between pixels.

    A straight border with a reach of 3 has 3 pixels on each side. The border of the image is none.
    """
    beside = np.zeros(labels.shape, np.bool_)
    for first, second in (((slice(None, -1),), (slice(1, None),)), (
        (slice(None), slice(None, -1)), (slice(None), slice(1, None)),
    )):  # fmt: skip
        differ = labels[first] != labels[second]
        beside[first] |= differ
        beside[second] |= differ
    if reach_px < 0.5 or not beside.any():
        return np.zeros(labels.shape, np.bool_)
    # The pixels beside a border are half a pixel from it.
    apart = cv2.distanceTransform((~beside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(apart <= reach_px - 0.5 + 1e-3)


def composite(render: Picture, refined: Picture, level: Map, mixed: bool = False) -> Picture:
    """The refined picture with the render's own bytes wherever the change map is 0.

    Args:
        render, refined: (h, w, 3) uint8.
        level: the change map (h, w).
        mixed: mix both by the map where it lies between 0 and 1: for models in whose denoising it could not act.
    """
    if render.shape != refined.shape or render.shape[:2] != level.shape:
        raise UsageError(f"pictures of {render.shape} and {refined.shape} and a map of {level.shape} do not fit")
    shown = refined
    if mixed:
        share = level[..., None]
        shown = np.rint(render + share * (refined.astype(np.float32) - render)).astype(np.uint8)
    return np.where((level > 0)[..., None], shown, render)
