"""Writing files so that a crash leaves the old one or the new one, and reading only what lies inside the dataset.

All of it for a folder of this machine and for one in a bucket alike (`place.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

from ..assets import atomic
from ..assets.atomic import TEMPORARY
from ..assets.reach import is_below
from ..assets.regular import open_regular
from ..errors import DatasetError
from . import objects
from .ahead import ahead
from .place import Place, PlaceT

__all__ = [
    "TEMPORARY", "atomic_file", "check_creates", "check_links", "create", "exists", "first_difference", "inside",
    "read_bytes", "read_each", "read_there", "remove", "sweep", "write_bytes_atomic",
]  # fmt: skip

T = TypeVar("T")


@contextmanager
def atomic_file(path: Place, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file to write to, of any size, that appears under `path` complete, or never.

    Raises:
        DatasetError: the disk or the store refuses.
    """
    with _writing(path):
        if isinstance(path, Path):
            with atomic.atomic_file(path, buffering) as file:
                yield file
        else:
            with objects.stream(path, buffering) as file:
                yield file


def write_bytes_atomic(path: Place, data: bytes) -> None:
    """Put `data` under `path`, whole or not at all, in place of what is there; DatasetError as `atomic_file`."""
    if isinstance(path, Path):
        with atomic_file(path) as file:
            file.write(data)
        return
    with _writing(path):
        objects.put(path, data)


def create(path: Place, data: bytes) -> bool:
    """Put `data` under `path`, whole or not at all, where nothing is; False when something is there, which stays.

    Of all who try at once, on this machine or another, one succeeds; in a bucket, those with the same bytes.

    Raises:
        DatasetError: as `atomic_file`.
    """
    with _writing(path):
        return atomic.create_file(path, data) if isinstance(path, Path) else objects.create(path, data)


def check_creates(path: Place) -> None:
    """DatasetError where the store would overwrite a file that is asked to be created; `path` is one that is there.

    Some stores that speak S3 pass over its condition. The file keeps its content whatever the answer.
    """
    if isinstance(path, Path):
        return
    with _writing(path):
        sound = objects.honours_conditions(path)
    if not sound:
        raise DatasetError(
            f"the store of {path} overwrites where it is asked to create (S3's `If-None-Match: *`, Google's "
            "`ifGenerationMatch=0`): two workers could lose an image to each other. "
            "Choose an --out on a store or a version of it that does, or on a shared file system"
        )


@contextmanager
def _writing(path: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = (
            "Free space, or make the folder writable, and run the same command again"
            if isinstance(path, Path)
            else "Check that the bucket is there, that these credentials may write to it, and the connection; then run "
            "the same command again"
        )
        raise DatasetError(
            f"cannot write {path}: {error.strerror or error}. {remedy}: finished images are kept"
        ) from error


def exists(path: Place) -> bool:
    """Whether there is a file under `path`: one request on a bucket."""
    if isinstance(path, Path):
        return path.is_file()
    with _reading(path):
        return objects.exists(path)


def read_bytes(path: Place) -> bytes:
    """The content of a regular file; DatasetError says what is wrong with it otherwise."""
    with _reading(path):
        return _content(path)


def _content(path: Place) -> bytes:
    if not isinstance(path, Path):
        return objects.read(path)
    with open_regular(path) as file:
        return file.read()


@contextmanager
def _reading(path: Place) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: restore it, or run the same generate command again") from error
    except OSError as error:
        more = "" if isinstance(path, Path) else ". Check that these credentials may read it, and the connection"
        raise DatasetError(f"cannot read {path}: {error.strerror or error}{more}") from error


def read_each(paths: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
    """Files with their content, in their order; those in a bucket are read ahead, many at once. As `read_bytes`."""
    return _each(lambda path: (path, read_bytes(path)), paths)


def read_there(paths: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
    """`read_each` of files that others may remove meanwhile: those that are gone are left out."""
    return ((path, data) for path, data in _each(_read_there, paths) if data is not None)


def _read_there(path: Place) -> tuple[Place, bytes | None]:
    with _reading(path):
        try:
            return path, _content(path)
        except FileNotFoundError:
            return path, None


def _each(call: Callable[[Place], T], paths: Iterable[Place]) -> Iterator[T]:
    """`map(call, paths)`, for files in a bucket ahead of who reads."""
    rest = iter(paths)
    first = next(rest, None)
    if first is None:
        return
    yield from (map if isinstance(first, Path) else ahead)(call, chain((first,), rest))


def remove(path: Place) -> None:
    """Remove a file, if it is there; DatasetError when that cannot be done."""
    with _writing(path):
        path.unlink(missing_ok=True) if isinstance(path, Path) else objects.delete(path)


def inside(folder: PlaceT, relative: str) -> PlaceT:
    """`folder / relative`, refused when that leaves the folder, by `..`, an absolute path or a symbolic link."""
    pure = PurePosixPath(relative)
    climbs = pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative
    if climbs or (isinstance(folder, Path) and not is_below(folder / pure, folder)):
        raise DatasetError(f"{relative!r} leads out of the dataset {folder}: files must lie inside it")
    return folder / pure if isinstance(folder, Path) else folder / pure.as_posix()


def check_links(folder: Place) -> None:
    """DatasetError where a link in a dataset, its twins or its quarantine leads out: writing would follow it."""
    if not isinstance(folder, Path):
        return  # buckets have no links
    places = [folder, *(p for p in (folder / "twins", folder / "quarantine") if p.is_dir())]
    for path in (p for place in places for p in place.iterdir() if p.is_symlink()):
        if not is_below(path, folder):
            raise DatasetError(
                f"{path} leads out of {folder}, into which alone this run may write: put a folder there, or choose "
                "another --out"
            )


def sweep(folder: Place) -> int:
    """Remove what interrupted writes left in `folder` and its direct subfolders; only while nobody writes there.

    In a bucket nothing is ever left.
    """
    if not isinstance(folder, Path):
        return 0
    left = [p for place in (folder, *folder.glob("*/"), *folder.glob("quarantine/*/")) for p in place.glob(TEMPORARY)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def first_difference(a: Place, b: Path) -> int | None:
    """The first byte in which two files differ, None when they are equal; neither is held in memory as a whole."""
    at = 0
    with b.open("rb") as right:
        for x in chain(_parts(a), (b"",)):
            y = right.read(len(x) or 1)
            if x != y:
                return at + next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
            at += len(x)
    return None


def _parts(path: Place) -> Iterator[bytes]:
    with _reading(path):
        if not isinstance(path, Path):
            yield from objects.parts(path)
            return
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                yield part
