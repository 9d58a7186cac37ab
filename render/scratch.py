"""A worker's folder for what it holds only for a moment: in memory where the system can, and gone with its owner."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["Scratch"]

PREFIX = "scenewright-worker-"
_MEMORY = Path("/dev/shm")


class Scratch:
    """A new folder `path`, removed by `close`. Where SIGKILL prevented that, the next `Scratch` removes it.

    The owner holds a lock on its folder, which the kernel lifts when it dies: unlike a process id, that also tells the
    living from the dead among containers that share `/dev/shm`.
    """

    def __init__(self) -> None:
        place = _place()
        _sweep(place)
        fresh = tempfile.mkdtemp(prefix=f".{PREFIX}{os.getpid()}-", dir=place)
        self._handle = os.open(fresh, os.O_RDONLY)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        self.path = place / Path(fresh).name[1:]
        Path(fresh).rename(self.path)  # only now can others see it, and see it locked

    def close(self) -> None:
        """Remove the folder with all that is in it; may be called twice."""
        if self._handle < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)
        self._handle = -1


def _place() -> Path:
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _sweep(place: Path) -> None:
    """Remove the folders whose owners have died; those of other users refuse, and stay."""
    for path in place.glob(f"{PREFIX}*/"):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # its owner lives
        finally:
            os.close(handle)
