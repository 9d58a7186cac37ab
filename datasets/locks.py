"""Holding a dataset's folder: for one run alone, or together with others that are at the same dataset."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import DatasetError
from .files import check_links
from .place import Place

__all__ = ["lock", "together"]

#: Pauses between tries to hold a folder together: who leaves last has it alone while the lock is removed.
WAITS_S = (0.02, 0.05, 0.1, 0.3, 1.0)


@contextmanager
def lock(folder: Place) -> Iterator[None]:
    """Hold the folder for one run; it is created when missing. The lock goes with the process, however that ends.

    A bucket has no locks: runs that share one make some images twice at worst, and each image has one record.
    """
    if not isinstance(folder, Path):
        yield
        return
    with _lock_file(folder) as file:
        if not _held(file, folder / ".lock"):
            raise DatasetError(f"another run is writing to {folder}: wait for it, or choose another --out")
        try:
            check_links(folder)
            yield
        finally:
            (folder / ".lock").unlink(missing_ok=True)


@contextmanager
def together(folder: Place) -> Iterator[None]:
    """Hold the folder beside others that do the same, and keep out whoever wants it alone. The last one takes the lock.

    A file system without locks is no error here, nor a bucket: images are committed one by one, whoever else writes.
    """
    if not isinstance(folder, Path):
        yield
        return
    with _shared(folder) as file:
        check_links(folder)
        yield
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # In between nothing was locked: somebody may have removed the file, and others made a new one.
            if _is_at(file, folder / ".lock"):
                (folder / ".lock").unlink(missing_ok=True)


def _shared(folder: Path) -> BinaryIO:
    """The open file of the lock, held beside others."""
    for wait_s in (*WAITS_S, 0.0):
        file = _lock_file(folder)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if _is_at(file, folder / ".lock"):
                return file
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.ENOENT, errno.ESTALE):
                return file  # there are no locks here
        file.close()
        time.sleep(wait_s)
    raise DatasetError(f"a run that wants {folder} for itself is writing to it: wait for it")


def _lock_file(folder: Path) -> BinaryIO:
    """The file that is locked, in the folder, which is created when missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Through a link somebody's file elsewhere would be made empty. To be read too, because NFS has Linux' locks of
        # whole files as locks of ranges, of which a shared one takes that.
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        return os.fdopen(handle, "r+b")  # which refuses a pipe
    except OSError as e:
        raise DatasetError(f"cannot write to {folder}: {e.strerror or e}. Choose another --out") from e


def _held(file: BinaryIO, path: Path) -> bool:
    """Lock the open file and tell whether that worked; False when another run holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _is_at(file, path)
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as e:
        raise DatasetError(
            f"cannot lock {path}: {e.strerror or e}. Choose an --out on a file system with locks, such as a local disk"
        ) from e


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is still the one at `path`.

    A run that ended between our open and our lock took the file with it: then we hold nothing.
    """
    return os.path.samestat(os.fstat(file.fileno()), path.stat())
