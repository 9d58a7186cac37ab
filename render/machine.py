"""What this process may use of the machine: the affinity of its threads and the limits of its control group count."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

__all__ = ["usable_cores", "usable_memory"]

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


def _read(name: str) -> str:
    """A setting of the own control group, as a container sees it (version 2); "" where there is none."""
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
