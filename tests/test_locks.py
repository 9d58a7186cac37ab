"""Locks of a folder, at the moments in which another run comes or goes, and as Linux has them on NFS."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from scenewright.datasets import locks
from scenewright.datasets.locks import lock, together
from scenewright.errors import DatasetError

REAL = fcntl.flock


def before(asked: int, happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Something happens just before the first lock of a kind is taken."""
    left = [happens]

    def flock(file: BinaryIO, kind: int) -> None:
        if kind & asked and left:
            left.pop()()
        REAL(file, kind)

    monkeypatch.setattr(fcntl, "flock", flock)


def refuses(folder: Path) -> bool:
    """Whether a run that wants the folder alone is kept out."""
    try:
        with lock(folder):
            return False
    except DatasetError as error:
        return "another run is writing" in str(error)


def test_a_share_holds_what_others_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file that is removed between a share's open and its lock protects nothing: it takes the new one."""
    before(fcntl.LOCK_SH, (tmp_path / ".lock").unlink, monkeypatch)
    with together(tmp_path):
        assert refuses(tmp_path)
    assert not refuses(tmp_path)


def test_a_share_outwaits_one_that_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last share has the folder alone for a moment, to remove the lock: one that comes then begins all the same."""
    with (tmp_path / ".lock").open("wb") as leaving:
        REAL(leaving, fcntl.LOCK_EX)

        def leave(_: float) -> None:
            (tmp_path / ".lock").unlink(missing_ok=True)
            leaving.close()

        monkeypatch.setattr("scenewright.datasets.locks.time.sleep", leave)
        with together(tmp_path):
            assert refuses(tmp_path)


def test_a_share_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has the folder for itself is told after a few tries."""
    waited: list[float] = []
    monkeypatch.setattr("scenewright.datasets.locks.time.sleep", waited.append)
    with lock(tmp_path), pytest.raises(DatasetError, match="for itself is writing"), together(tmp_path):
        pass
    assert sum(waited) == sum(locks.WAITS_S) < 2


def test_a_share_that_leaves_removes_its_own_lock_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another one was the last, and a third has a new lock by now, that one stays."""
    third = tmp_path / ".third"

    def others() -> None:
        third.touch()
        third.replace(tmp_path / ".lock")

    with together(tmp_path):
        before(fcntl.LOCK_EX, others, monkeypatch)
    assert (tmp_path / ".lock").exists()


def test_locks_work_on_nfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS locks a file shared only if it is open for reading, and exclusively only if for writing: both hold there."""

    def flock(file: BinaryIO, kind: int) -> None:
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if mode == (os.O_WRONLY if kind & fcntl.LOCK_SH else os.O_RDONLY):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        REAL(file, kind)

    monkeypatch.setattr(fcntl, "flock", flock)
    with together(tmp_path), together(tmp_path):
        assert refuses(tmp_path)
    assert not (tmp_path / ".lock").exists()
