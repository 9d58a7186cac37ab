"""What perturbations of pictures share: the picture that is perturbed, and helpers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Image", "Mask", "Rng", "Shot", "Values", "byte", "smooth", "wider"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating[Any]]
Rng = np.random.Generator


@dataclass(frozen=True)
class Shot:
    """A render, its ids, the ids that may be touched, and other renders to take things from."""

    image: Image
    ids: npt.NDArray[np.uint16]
    movable: tuple[int, ...]
    donors: tuple[tuple[Image, npt.NDArray[np.uint16]], ...] = field(repr=False)


def wider(mask: Mask, pixels: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0)


def byte(values: Values) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def smooth(rng: Rng, shape: tuple[int, ...], sigma_px: float) -> npt.NDArray[np.float32]:
    """A smooth random field of zero mean and unit largest value."""
    noise = rng.standard_normal(shape).astype(np.float32)
    field_ = cv2.GaussianBlur(noise, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    field_ -= field_.mean()
    return np.asarray(field_ / np.abs(field_).max(), np.float32)
