"""Writing files so that a crash leaves the old one or the new one, and reading only what lies inside the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ..assets import atomic
from ..assets.atomic import TEMPORARY
from ..errors import DatasetError

__all__ = ["TEMPORARY", "atomic_file", "first_difference", "inside", "read_bytes", "sweep", "write_bytes_atomic"]


@contextmanager
def atomic_file(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """`assets.atomic.atomic_file` for files of a dataset: DatasetError where the disk or the folder refuses."""
    try:
        with atomic.atomic_file(path, buffering) as file:
            yield file
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error.strerror or error}. Free space, or make the folder writable, and run the "
            "same command again: finished images are kept"
        ) from error


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Put `data` under `path`, whole or not at all; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file; DatasetError says what is wrong with it otherwise."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: restore it, or run the same generate command again") from error
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error


def inside(folder: Path, relative: str) -> Path:
    """`folder / relative`, refused when that leaves the folder, by `..`, an absolute path or a symbolic link."""
    pure = PurePosixPath(relative)
    path = folder / pure
    climbs = pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative
    if climbs or not path.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{relative!r} leads out of the dataset {folder}: files must lie inside it")
    return path


def sweep(folder: Path) -> int:
    """Remove what interrupted writes left in `folder` and its direct subfolders; only while nobody writes there."""
    left = [p for place in (folder, *folder.glob("*/"), *folder.glob("quarantine/*/")) for p in place.glob(TEMPORARY)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def first_difference(a: Path, b: Path) -> int | None:
    """The first byte in which two files differ, None when they are equal; reads a megabyte at a time."""
    at = 0
    with a.open("rb") as left, b.open("rb") as right:
        while True:
            x, y = left.read(1 << 20), right.read(1 << 20)
            if x != y:
                return at + next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
            if not x:
                return None
            at += len(x)
