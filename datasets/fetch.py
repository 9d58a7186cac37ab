"""A dataset in a bucket copied into a folder of this machine, where every command and the training loader read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatasetError
from .ahead import ahead
from .asset_store import fetch_assets
from .files import inside, read_bytes, write_bytes_atomic
from .folder import export, strangers
from .listing import walk
from .locks import lock
from .records import TWINS, DatasetInfo, indices, parse_record, read_info, record_path, write_info
from .stored import read_image

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["Fetched", "fetch"]

#: Told what follows and how many there are; gives a function to call after each.
Begin = Callable[[str, int], Callable[[], None]]


@dataclass(frozen=True)
class Fetched:
    """How many images and twins were copied, and how many the folder holds now of how many that were asked for."""

    copied: int
    images: int
    requested: int


def fetch(source: UPath, folder: Path, begin: Begin) -> Fetched:
    """Copy the finished images of the dataset `source` into `folder`, or those that are still missing there.

    The pixels of every picture are compared with the hashes in its record, which is written after them, as always; so a
    copy that was stopped goes on. Annotations are written anew from the records. The source may grow meanwhile: what
    is finished at the beginning is copied.

    Raises:
        DatasetError: no dataset, or one that lacks a file or is damaged; the folder holds something else or cannot be
            written; the store cannot be reached.
    """
    info = read_info(source)
    with lock(folder):
        _check(folder, info, source)
        write_info(folder, info)
        fetch_assets(source / "assets", folder / "assets")
        copied = _images(source / TWINS, folder / TWINS, info, partial(begin, "twins")) if info.defect_categories else 0
        copied += _images(source, folder, info, partial(begin, "images"))
        _quarantine(source, folder)
        counts = export(folder, info).counts
    return Fetched(copied, counts.images, counts.requested)


def _check(folder: Path, info: DatasetInfo, source: UPath) -> None:
    """DatasetError unless the folder is empty, or holds an earlier copy."""
    if not (folder / "dataset.json").is_file():
        if found := strangers(folder):
            raise DatasetError(
                f"{folder} is not empty and holds no dataset ({', '.join(found[:3])}): choose another folder"
            )
        return
    held = read_info(folder)
    if (held.recipe_sha256, held.seed, held.versions) != (info.recipe_sha256, info.seed, info.versions):
        raise DatasetError(f"{folder} holds another dataset than {source}: choose another folder")


def _images(source: UPath, folder: Path, info: DatasetInfo, begin: Callable[[int], Callable[[], None]]) -> int:
    """Copy the images that the folder has no record of."""
    todo = sorted(set(indices(source)) - set(indices(folder)))
    advance = begin(len(todo))
    for _ in ahead(partial(_image, source, folder, info), todo):
        advance()
    return len(todo)


def _image(source: UPath, folder: Path, info: DatasetInfo, index: int) -> None:
    """Copy one image, and its record when all its pictures are what it says."""
    place = record_path(source, index)
    data = read_bytes(place)
    record = parse_record(data, place)
    for path in (record.image, record.depth, record.ids, *record.maps.values()):
        write_bytes_atomic(inside(folder, path), read_bytes(inside(source, path)))
    try:
        read_image(folder, record, info)
    except DatasetError as error:
        raise DatasetError(f"image {index} of {source} is damaged: {error}") from error
    write_bytes_atomic(record_path(folder, index), data)


def _quarantine(source: UPath, folder: Path) -> None:
    """Copy what was put aside."""
    for entry in walk(source / "quarantine"):
        path = f"quarantine/{entry.name}"
        write_bytes_atomic(inside(folder, path), read_bytes(inside(source, path)))
