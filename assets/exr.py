"""Reading EXR pictures that users bring, after a look at what their headers announce."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import OpenEXR

from ..errors import AssetError
from .image_size import MAX_PIXELS

__all__ = ["read_exr"]

#: Red, green, blue and alpha: whatever else a file holds would be decoded too, and a few bytes can unfold to gigabytes.
MAX_CHANNELS = 4


def read_exr(path: Path) -> npt.NDArray[np.float32]:
    """(h, w, c) float32 of the only part of an EXR: RGBA, RGB, or one channel of grey.

    Raises:
        AssetError: it has several parts, other channels or too many pixels; the message begins without the file's name.
        Exception: what OpenEXR raises on damaged files.
    """
    with OpenEXR.File(str(path), header_only=True) as file:
        header, parts = file.header(), len(file.parts)
        low, high = header["dataWindow"]
        width, height = (int(n) for n in high - low + 1)
        count = len(header["channels"])
    if parts != 1 or count > MAX_CHANNELS:
        raise AssetError(f"has {count} channels in the first of {parts} parts: save it as one layer of R, G and B")
    if width * height > MAX_PIXELS:
        raise AssetError(f"has {width}×{height} pixels, more than {MAX_PIXELS:,}: scale it down")
    with OpenEXR.File(str(path)) as file:
        channels = {name: np.asarray(channel.pixels, dtype=np.float32) for name, channel in file.channels().items()}
    for name in ("RGBA", "RGB"):
        if name in channels:
            return channels[name]
    if "Y" in channels:
        return channels["Y"][..., None]
    raise AssetError(f"has the channels {', '.join(channels)}: save it as one layer of R, G and B")
