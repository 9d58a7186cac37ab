"""Depth images in either format of a dataset: 16-bit PNG in fixed steps, or EXR in metres."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR

from ..errors import DatasetError
from .png import decode_depth_png, encode_depth_png
from .records import DepthFormat

__all__ = ["decode_depth", "encode_depth"]


def encode_depth(
    depth_m: npt.NDArray[np.float32], unit_m: float, form: DepthFormat = "png"
) -> tuple[bytes, npt.NDArray[Any], int]:
    """A depth image (h, w) in metres as file content, the values stored in it, and how many pixels were too far for it.

    "png" stores uint16 steps of `unit_m` (see `png.encode_depth_png`). "exr" stores float32 metres as they are, in one
    channel "Z", inf where there is no surface; `unit_m` is not used then.
    """
    if form == "png":
        return encode_depth_png(depth_m, unit_m)
    stored = np.where(np.isfinite(depth_m), depth_m, np.inf).astype(np.float32)
    file = io.BytesIO()
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"Z": stored}).write(file)
    return file.getvalue(), stored, 0


def decode_depth(data: bytes, width: int, height: int, form: DepthFormat = "png") -> npt.NDArray[Any]:
    """The (h, w) values stored in a depth image of that size; DatasetError for anything else.

    Times the dataset's `depth_unit_m` they are metres; no surface is 0 in "png" and inf in "exr".
    """
    if form == "png":
        return decode_depth_png(data, width, height)
    try:
        with redirect_stdout(io.StringIO()):  # OpenEXR prints a warning before it raises
            size = _size(data)
            if size == (width, height):
                with OpenEXR.File(io.BytesIO(data)) as file:
                    channels = {name: np.asarray(channel.pixels) for name, channel in file.channels().items()}
    except (RuntimeError, ValueError, KeyError) as error:
        raise DatasetError(f"the EXR is damaged ({error!s:.80}): restore the file or render it again") from error
    if size != (width, height):
        raise DatasetError(f"the EXR is {size[0]}x{size[1]}, its record says {width}x{height}: render it again")
    if [(name, pixels.dtype.name) for name, pixels in channels.items()] != [("Z", "float32")]:
        raise DatasetError(f"the EXR has channels {', '.join(channels)}, not one of 32-bit depth: render it again")
    return channels["Z"]


def _size(data: bytes) -> tuple[int, int]:
    """Width and height that the header tells, before memory is spent on pixels."""
    with OpenEXR.File(io.BytesIO(data), header_only=True) as file:
        low, high = file.header()["dataWindow"]
        return int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1
