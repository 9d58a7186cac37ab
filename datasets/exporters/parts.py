"""An export by blocks of images, each of which any process may write.

What the files of the whole dataset need to know of a block's images waits in a *part*, a file with a line for each
image, below the export's folder until that is complete. A part is written last and atomically, when the block's
files are on the disk: a part that is there is a block that is complete.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ...errors import DatasetError
from ..files import read_bytes, write_bytes_atomic
from .formats import Format, images_of
from .job import PARTS, Job

__all__ = ["Block", "blocks_of", "part_images", "part_path", "write_block"]

Json = dict[str, Any]

#: Images of a block: enough that starting one costs nothing, and few enough that a lost one is soon made again.
MOST_IMAGES = 256
#: A small export has so many blocks, so that they divide well.
BLOCKS = 64


@dataclass(frozen=True)
class Block:
    """Images of one split; numbers count from 0 over all blocks of an export."""

    number: int
    split: str
    indices: tuple[int, ...]


def blocks_of(job: Job) -> list[Block]:
    """The blocks of an export, by number: the same for the same images, whoever asks."""
    size = max(1, min(MOST_IMAGES, sum(map(len, job.indices.values())) // BLOCKS))
    cut = [
        (split, tuple(found[at : at + size]))
        for split, found in job.indices.items()
        for at in range(0, len(found), size)
    ]
    return [Block(number, split, indices) for number, (split, indices) in enumerate(cut)]


def part_path(out: Path, number: int) -> Path:
    """Where the part of a block lies."""
    return out / PARTS / f"{number:06d}.jsonl"


def write_block(job: Job, form: Format, block: Block) -> Iterator[None]:
    """Write the images of a block, then its part; one step after each image and one at the end.

    Raises:
        DatasetError: a record is damaged, or something cannot be read or written.
    """
    lines = []
    for image in images_of(job, form, block.split):
        lines.append(orjson.dumps(image) + b"\n")
        yield
    _settle(job.out)
    write_bytes_atomic(part_path(job.out, block.number), b"".join(lines))
    yield


def part_images(job: Job, blocks: Sequence[Block], split: str) -> Iterator[Json]:
    """What `Format.image` has given for each image of a split, from the parts.

    Raises:
        DatasetError: a part is damaged or missing.
    """
    done = job.progress(f"labels of {split}", len(job.indices[split]))
    for block in blocks:
        if block.split != split:
            continue
        path = part_path(job.out, block.number)
        lines = read_bytes(path).splitlines()
        try:
            images = [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError:
            images = []
        if len(images) != len(block.indices):
            raise DatasetError(f"{path} is damaged: delete it, and run the same command again")
        for image in images:
            yield image
            done()


def _settle(folder: Path) -> None:
    """Wait until all that was written to the folder's file system is on its disk.

    To sync the files one by one would take as long for each as this takes for all of a block.
    """
    sync = getattr(ctypes.CDLL(None), "syncfs", None)  # Linux has it
    if sync is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        if sync(handle):
            raise DatasetError(f"the disk of {folder} reports an error: see the system's log, and choose another --out")
    finally:
        os.close(handle)
