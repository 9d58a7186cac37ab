"""Writing a file so that a crash leaves the old one or the new one, and never half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["TEMPORARY", "atomic_file"]

#: What an interrupted write may leave behind (a glob).
TEMPORARY = ".*.tmp"


@contextmanager
def atomic_file(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file to write to that appears under `path` complete, or never.

    Written beside its place, synced, moved over it, and the folder synced. When the block fails, nothing is left.

    Raises:
        OSError: the disk is full or the folder cannot be written; callers turn it into the error of their layer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A random name, because two machines of a farm may hold the same process id and write the same image.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb", buffering) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide a shared dataset from its other readers
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
