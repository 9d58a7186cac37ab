"""What this process may use of the machine: the affinity of its threads and the limits of its control group count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

__all__ = ["narrowed", "usable_cores", "usable_memory", "widen"]

CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores that this process may run on; a quota of its control group (`docker run --cpus`) is rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read("cpu.max").partition(" ")
    if quota.isdecimal() and period.isdecimal() and int(period):
        cores = min(cores, max(1, -(-int(quota) // int(period))))
    return cores


def usable_memory() -> int:
    """Bytes of memory of the machine, or of the control group if that is less."""
    total, limit = int(psutil.virtual_memory().total), _read("memory.max")
    return min(total, int(limit)) if limit.isdecimal() else total


@contextmanager
def narrowed(cores: int | None) -> Iterator[tuple[int, ...] | None]:
    """Let this thread, and a process that it starts meanwhile, run on so many cores; gives those it had, to `widen` to.

    Libraries that make one thread for each core count them when they are loaded: Blender's task scheduler, the
    denoiser, BLAS. Their threads spin while they wait, which took two fifths of the CPU time of a worker that was to
    have one thread of two. None, and systems that cannot or may not do this, change nothing: it saves time, no more.
    """
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    try:
        os.sched_setaffinity(0, allowed[:cores])
    except OSError:
        yield None
        return
    try:
        yield allowed
    finally:
        with suppress(OSError):  # these cores were taken away meanwhile, and others given
            os.sched_setaffinity(0, allowed)


def widen(allowed: Iterable[int] | None) -> None:
    """Let all threads of this process run on these cores: how many there shall be, the libraries have decided by now.

    Left narrow, the workers of a machine would share its first cores.
    """
    if allowed is None:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended, or a sandbox that lets nobody do this
            os.sched_setaffinity(int(thread.name), allowed)


def _read(name: str) -> str:
    """A setting of the own control group, as a container sees it (version 2); "" where there is none."""
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
