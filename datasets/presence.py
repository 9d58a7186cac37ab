"""Which images of a dataset are complete, from listings alone: to ask for each file takes minutes at a million."""

from __future__ import annotations

from pathlib import PurePosixPath

from .listing import numbered
from .place import Place
from .records import DatasetInfo, image_paths, indices, map_paths

__all__ = ["present"]


def present(folder: Place, info: DatasetInfo) -> set[int]:
    """Indices of the images that have a record and all their pictures, of which somebody may have deleted some."""
    found = set(indices(folder))
    if not found:
        return found
    for path in (*image_paths(0, info.depth_format).values(), *map_paths(0, info.outputs).values()):
        example = PurePosixPath(path)
        found &= set(numbered(folder / str(example.parent), example.suffix))
    return found
