"""The sound picture of an image of a dataset: its twin where it has defects, else the image itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..scenes.scene import Scene
from .files import exists
from .place import Place
from .records import TWINS, DatasetInfo, Record, indices, read_record, record_dicts, record_path
from .stored import read_image

__all__ = ["Sound", "read_sound", "without_twin"]


@dataclass(frozen=True)
class Sound:
    """A sound picture.

    Attributes:
        folder: the dataset that it lies in, which may be the twins of another one.
        record: its record there.
        marred: the record of the image that it is the twin of, None where it is no twin.
        rgb: (h, w, 3) sRGB.
        ids: (h, w) ids of objects.
    """

    folder: Place
    record: Record
    marred: Record | None
    rgb: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.uint16]

    @property
    def scene(self) -> Scene:
        """What it shows."""
        return self.record.scene


def without_twin(dataset: Place, chosen: Iterable[int] | None = None) -> list[int]:
    """Indices of images that have defects, seen or not, and no sound twin."""
    twins = set(indices(dataset / TWINS))
    return [r["index"] for r in record_dicts(dataset, chosen) if r["defects"] and r["index"] not in twins]


def read_sound(dataset: Place, index: int, info: DatasetInfo) -> Sound:
    """The sound picture of an image of a dataset that is stored as `info` says.

    Raises:
        DatasetError: it has defects and no twin, or a file is missing or is not what its record says.
    """
    record, marred, folder = read_record(record_path(dataset, index)), None, dataset
    if record.defects:
        marred, folder = record, dataset / TWINS
        if not exists(record_path(folder, index)):
            raise DatasetError(f"image {index} has defects and no sound twin: run `scenewright twins {dataset}`")
        record = read_record(record_path(folder, index))
        if record.scene != marred.scene.twin or record.defects:
            raise DatasetError(
                f"{TWINS}/ of {dataset} holds another scene under {index} than that of image {index} without its "
                f"defects: run `scenewright validate {dataset}`"
            )
    image = read_image(folder, record, info)
    return Sound(folder, record, marred, image.rgb, image.ids)
