"""Photographs that fill the picture behind what is rendered: found, checked, cropped to the frame, as linear light."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .files import locate, remember
from .image_size import check_image, image_size
from .material import FileRef
from .reach import Reach

__all__ = ["SUFFIXES", "backplate_files", "crop_of", "linear_to_srgb", "plate", "srgb_to_linear"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
Box = tuple[int, int, int, int]
_UPRIGHT = cv2.IMREAD_COLOR  # as the camera was held, by EXIF


def backplate_files(place: Path, size: tuple[int, int], reach: Reach) -> tuple[FileRef, ...]:
    """A photograph, or all in a folder by name, each checked to fill pictures of a size (width, height).

    Raises:
        AssetError: none there, one that is no photograph, too large to be decoded, or too small for the picture.
        ValueError: one is out of reach.
    """
    reach.check(place)
    paths = [place]
    if place.is_dir():
        paths = reach.listed(place, SUFFIXES)
        if not paths:
            raise AssetError(f"{place} has no photograph ({', '.join(SUFFIXES)}): put some there")
    elif place.suffix.lower() not in SUFFIXES:
        raise AssetError(f"{place.name}: {place.suffix or 'no suffix'} is no photograph; use {', '.join(SUFFIXES)}")
    refs = tuple(remember(path) for path in paths)
    for ref in refs:
        crop_of(ref, size)
    return refs


def crop_of(ref: FileRef, size: tuple[int, int]) -> Box:
    """The part of an upright photograph that a picture of a size shows: x, y, width, height, whole pixels of it.

    It is the largest part of the picture's proportions, in the middle; what is left over is cut off on both sides.

    Raises:
        AssetError: it cannot be read, or would have to be enlarged.
    """
    width, height = _upright_size(ref)
    scale = max(size[0] / width, size[1] / height)
    if scale > 1:
        raise AssetError(
            f"{ref.name} has {width} × {height} pixels and would have to be enlarged to fill a picture of {size[0]} × "
            f"{size[1]}: use a larger photograph, or lower render.size"
        )
    w, h = min(width, round(size[0] / scale)), min(height, round(size[1] / scale))
    return (width - w) // 2, (height - h) // 2, w, h


def plate(ref: FileRef, crop: Box, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(h, w, 3) linear Rec.709, 0 … 1, of the `crop` of a photograph, averaged down to `size` (width, height).

    Its numbers are taken for sRGB, whatever profile the file names. A crop of the same size is not resampled.
    """
    x, y, w, h = crop
    pixels = _decoded(ref, _UPRIGHT | cv2.IMREAD_ANYDEPTH)[y : y + h, x : x + w, ::-1]
    most = np.iinfo(pixels.dtype).max
    table = srgb_to_linear(np.arange(most + 1) / most)
    if (w, h) == size:
        return np.ascontiguousarray(table.astype(np.float32)[pixels])
    # Light adds up, codes do not; in 16 bits, since 50 megapixels of floats would be 600 MB.
    light = np.rint(table * 65535).astype(np.uint16)[pixels]
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(65535)


def srgb_to_linear(value: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Linear light of sRGB values from 0 to 1 (IEC 61966-2-1)."""
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def linear_to_srgb(light: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """The inverse of `srgb_to_linear`."""
    return np.asarray(np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055))


@lru_cache(maxsize=4096)
def _upright_size(ref: FileRef) -> tuple[int, int]:
    """Width and height as the photograph is shown. An eighth of it is decoded: enough to find a damaged file."""
    data = locate(ref).read_bytes()
    check_image(data, ref.name)
    size = image_size(data)
    assert size is not None, "check_image has read it"
    height, width = _decoded(ref, cv2.IMREAD_REDUCED_COLOR_8).shape[:2]
    turned = (size[0] > size[1]) != (width > height) and size[0] != size[1]
    return (size[1], size[0]) if turned else size


def _decoded(ref: FileRef, flags: int) -> npt.NDArray[np.unsignedinteger[Any]]:
    data = np.frombuffer(locate(ref).read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, flags)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16):
        raise AssetError(f"{ref.name} cannot be read as a photograph: it is cut off or damaged, or no JPEG or PNG")
    return np.asarray(pixels)
