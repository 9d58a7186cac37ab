"""The pictures of one stored image as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..render.normals import from_steps
from .depth import decode_depth
from .files import inside, read_bytes
from .maps import decode as decode_map
from .place import Place
from .png import decode_ids, decode_rgb, pixels_sha256
from .records import DatasetInfo, Record

__all__ = ["StoredImage", "read_image"]


@dataclass(frozen=True)
class StoredImage:
    """What a dataset keeps of an image.

    `rgb` (h, w, 3) uint8 sRGB; `ids` (h, w) uint16; `depth_m` (h, w) float32 along the optical axis, inf where nothing
    is; `normals` (h, w, 3) float32 in the camera frame, and `semantic` (h, w) classes, where they are kept.
    """

    rgb: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint16]
    depth_m: npt.NDArray[np.float32]
    normals: npt.NDArray[np.float32] | None
    semantic: npt.NDArray[Any] | None


def read_image(folder: Place, record: Record, info: DatasetInfo) -> StoredImage:
    """The pictures of an image; DatasetError that names the file where one is missing or not what was recorded."""
    size, hashes = (record.width, record.height), record.hashes

    def read(path: str, decode: Callable[..., Any], known: str) -> Any:
        try:
            pixels = decode(read_bytes(inside(folder, path)), *size)
        except DatasetError as error:
            raise error if path in str(error) else DatasetError(f"{folder / path}: {error}") from error
        if pixels_sha256(pixels) != known:
            raise DatasetError(f"{folder / path} holds other pixels than were recorded: restore it, or render it again")
        return pixels

    rgb, ids = read(record.image, decode_rgb, hashes.rgb), read(record.ids, decode_ids, hashes.ids)
    steps = read(record.depth, partial(decode_depth, form=info.depth_format), hashes.depth)
    depth_m = np.where(steps > 0, steps * np.float32(info.depth_unit_m), np.inf).astype(np.float32)
    kept = {name: read(path, partial(decode_map, name), hashes.maps[name]) for name, path in record.maps.items()}
    normals = from_steps(kept["normals"]) if "normals" in kept else None
    return StoredImage(rgb, ids, depth_m, normals, kept.get("semantic"))
