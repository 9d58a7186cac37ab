"""The images beside a picture as PNG: what each looks like, and back from the file to the stored integers."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from ..scenes.outputs import MapName
from .png import decode_map, encode_map

__all__ = ["LAYOUT", "decode", "encode"]

#: Bits per channel, and channels. What the numbers mean is said in `render/`, by the module of the same name.
LAYOUT: dict[MapName, tuple[int, int]] = {
    "flow": (16, 3),
    "flow_backward": (16, 3),
    "nocs": (16, 3),
    "normals": (16, 3),
    "panoptic": (8, 3),
    "semantic": (8, 1),
}


def encode(name: MapName, stored: npt.NDArray[Any]) -> bytes:
    """PNG of the stored integers (h, w) or (h, w, 3) of one image."""
    return encode_map(stored, *LAYOUT[name])


def decode(name: MapName, data: bytes, width: int, height: int) -> npt.NDArray[Any]:
    """The stored integers of a PNG of that size; DatasetError for anything else."""
    return decode_map(data, width, height, *LAYOUT[name])
