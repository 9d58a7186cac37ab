"""A finished image becomes part of its dataset, once, whoever else makes the same one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from .ahead import ahead
from .files import create, exists, read_bytes, write_bytes_atomic
from .place import Place
from .records import Record, read_record, record_path, write_record

__all__ = ["commit"]


def commit(folder: Place, record: Record, pictures: Mapping[str, bytes]) -> bool:
    """Put an image's pictures (path below the folder → bytes), and last its record. False: another worker was first.

    Nothing is locked, and no order of two workers that make the same image leaves a record beside another one's
    pictures. What each puts, it creates where nothing is:

    - A picture that is there with the same bytes is as good as ours.
    - One with other bytes was left by a worker on another kind of device, which rounds otherwise. Has that one written
      its record, the image is finished and ours is thrown away. Has it not, it died or is at work: ours replaces it,
      and what was there is kept in memory.
    - Of two records one is created. The loser compares: with the same hashes both have made the same image. With
      others, the pictures that it has replaced are the winner's, and it puts them back.

    What is left takes three faults at once. Two workers on different devices are at the same image in the same second;
    and the loser dies before it has put the pictures back, or both have replaced what a third device had left. Then
    the record's hashes are not those of its pictures, which `scenewright validate` finds and names.

    Raises:
        DatasetError: the folder or the bucket cannot be written.
    """
    put = partial(_put, folder, record.index)
    held = (map if isinstance(folder, Path) else ahead)(lambda item: (item[0], put(*item)), pictures.items())
    replaced = {path: data for path, data in held if data is not None}
    if write_record(folder, record):
        return True
    if read_record(record_path(folder, record.index)).hashes != record.hashes:
        for path, data in replaced.items():
            write_bytes_atomic(folder / path, data)
    return False


def _put(folder: Place, index: int, path: str, data: bytes) -> bytes | None:
    """Put one picture of an image that has no record; gives what it has replaced, None where nothing was lost."""
    if create(folder / path, data):
        return None
    held = read_bytes(folder / path)
    if held == data or exists(record_path(folder, index)):
        return None
    write_bytes_atomic(folder / path, data)
    return held
