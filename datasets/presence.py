"""Which images of a dataset are complete."""

from __future__ import annotations

from pathlib import PurePosixPath

from .files import exists
from .listing import numbered
from .place import Place
from .records import DatasetInfo, image_paths, indices, map_paths, record_path

__all__ = ["is_there", "present"]


def present(folder: Place, info: DatasetInfo) -> set[int]:
    """Indices of the images that have a record and all their pictures, of which somebody may have deleted some.

    From listings alone: to ask for each file takes minutes at a million.
    """
    found = set(indices(folder))
    if not found:
        return found
    for path in _pictures(0, info):
        example = PurePosixPath(path)
        found &= set(numbered(folder / str(example.parent), example.suffix))
    return found


def is_there(folder: Place, index: int, info: DatasetInfo) -> bool:
    """Whether one image is complete; in a bucket, one request for an image that has no record."""
    if not exists(record_path(folder, index)):
        return False
    return all(exists(folder / path) for path in _pictures(index, info))


def _pictures(index: int, info: DatasetInfo) -> tuple[str, ...]:
    return (*image_paths(index, info.depth_format).values(), *map_paths(index, info.outputs).values())
