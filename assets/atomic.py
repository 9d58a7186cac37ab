"""Writing a file so that a crash leaves the old one or the new one, and never half of it."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["TEMPORARY", "atomic_file", "create_file"]

#: What an interrupted write may leave behind (a glob).
TEMPORARY = ".*.tmp"

#: What `link` answers on file systems without hard links: exFAT, some network and FUSE mounts.
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
NO_WAY = "its file system has neither hard links nor a rename that replaces nothing"
AT_FDCWD, RENAME_NOREPLACE = -100, 1


@contextmanager
def atomic_file(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file to write to that appears under `path` complete, or never.

    Written beside its place, synced, moved over it, and the folder synced. When the block fails, nothing is left.

    Raises:
        OSError: the disk is full or the folder cannot be written; callers turn it into the error of their layer.
    """
    with _beside(path) as temporary:
        with temporary.open("wb", buffering) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)


def create_file(path: Path, data: bytes) -> bool:
    """Write a new file, whole or not at all; False when there is one already, which stays as it is.

    Of all who try at once, on NFS too, one succeeds.

    Raises:
        OSError: the disk is full, the folder cannot be written, or its file system has no way to do this.
    """
    with _beside(path) as temporary:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        created = _put_under(temporary, path)
        _sync_folder(path.parent)
    return created


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary file in the folder of `path`, which is made; gone after the block, unless it was renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A random name, because two machines of a farm may hold the same process id and write the same image.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        temporary.chmod(0o644)  # mkstemp's 0600 would hide a shared dataset from its other readers
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _put_under(temporary: Path, path: Path) -> bool:
    """Give a file another name unless something has it. One call of the kernel, so that nobody can come in between."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # Of a request that was sent twice, NFS reports the second: the link that it found may be ours.
        return temporary.stat().st_nlink > 1
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _renamed(temporary, path)
    return True


def _renamed(temporary: Path, path: Path) -> bool:
    """Linux's rename that replaces nothing, for file systems that have no hard links."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.EOPNOTSUPP, NO_WAY, str(path))
    if rename(AT_FDCWD, os.fsencode(temporary), AT_FDCWD, os.fsencode(path), RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.EEXIST:
        return False
    if code in NO_LINKS:
        raise OSError(code, NO_WAY, str(path))
    raise OSError(code, os.strerror(code), str(path))


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
