"""Which images of a dataset are complete, from listings alone: to ask for each file takes minutes at a million."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from .records import DatasetInfo, image_paths, indices, map_paths

__all__ = ["present"]


def present(folder: Path, info: DatasetInfo) -> set[int]:
    """Indices of the images that have a record and all their pictures, of which somebody may have deleted some."""
    found = set(indices(folder))
    if not found:
        return found
    for path in (*image_paths(0, info.depth_format).values(), *map_paths(0, info.outputs).values()):
        example = PurePosixPath(path)
        found &= _numbers(folder / example.parent, example.suffix)
    return found


def _numbers(folder: Path, suffix: str) -> set[int]:
    stems = (p.stem for p in folder.glob(f"*{suffix}"))
    return {int(stem) for stem in stems if stem.isdecimal() and stem == f"{int(stem):06d}"}
