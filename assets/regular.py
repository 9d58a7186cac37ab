"""Opening regular files only: a pipe in a stranger's folder would block for ever, and a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

__all__ = ["check_regular", "open_regular"]

WRONG = "it is a pipe, a socket or a device: put a file there"


def check_regular(path: Path) -> os.stat_result:
    """The status of a file, or of a folder.

    Raises:
        OSError: it is neither, or not to be found.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, WRONG, str(path))
    return status


def open_regular(path: Path) -> BufferedReader:
    """A regular file, opened for reading. Nothing else is opened even for a moment, for that alone moves some devices.

    Raises:
        OSError: it is no regular file, or cannot be opened.
    """
    check_regular(path)
    return path.open("rb")
