"""Pictures that users bring, read once when a recipe is loaded: a broken one is found before the first image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..errors import AssetError
from .exr import read_exr
from .files import locate, remember
from .image_size import check_image
from .material import FileRef

__all__ = ["Picture", "read_picture"]

EXR = b"\x76\x2f\x31\x01"


@dataclass(frozen=True)
class Picture:
    """What was found about a picture.

    Attributes:
        name: for people.
        size: width and height in pixels, as the file stores them.
        has_holes: its alpha channel is not the same everywhere.
    """

    name: str
    size: tuple[int, int]
    has_holes: bool


def read_picture(path: Path, name: str) -> Picture:
    """Decode a picture, after its header was found to be sane.

    Raises:
        AssetError: it is no picture, larger than `image_size` allows, cut off, or not finite.
    """
    return _read(remember(path), name)


@lru_cache(maxsize=4096)
def _read(ref: FileRef, name: str) -> Picture:
    path = locate(ref)
    data = path.read_bytes()
    check_image(data, name)
    try:
        pixels = read_exr(path) if data.startswith(EXR) else cv2.imdecode(np.frombuffer(data, np.uint8), -1)
    except AssetError as error:
        raise AssetError(f"{name} {error}") from None
    except Exception as error:  # OpenEXR and OpenCV raise their own kinds on damaged files
        raise AssetError(f"{name} cannot be read ({error!s:.80}): it is cut off or damaged") from error
    if pixels is None:
        raise AssetError(f"{name} cannot be read: it is cut off or damaged; export or copy it again")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise AssetError(f"{name} has NaN or infinite pixels: clamp it in its source program")
    alpha = pixels[..., 3] if pixels.ndim == 3 and pixels.shape[2] == 4 else None
    holes = alpha is not None and bool(alpha.min() < alpha.max())
    return Picture(name, (pixels.shape[1], pixels.shape[0]), holes)
