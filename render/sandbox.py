"""Walls around a process that opens files of strangers: how much memory it may take, which folders it may touch.

The checks of `render.ingest` refuse what they know. This is for what they do not know: on Linux with Landlock (kernel
5.13) the process can read no file outside the given folders, write none outside its own, and, as far as the kernel is
new enough, cut none off (6.2), open no TCP connection (6.7) and send no signal (6.12).
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["confine", "limit_memory"]

#: Numbers of the Landlock interface (linux/landlock.h), the same on all processors.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE, _READ_FILE, _READ_DIR = (1 << k for k in range(4))
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = (1 << k for k in (4, 5, 7, 8))
_READ = _EXECUTE | _READ_FILE | _READ_DIR
#: Links, pipes, sockets and devices are made nowhere: who reads what this process writes would follow them.
_CHANGE = _READ | _WRITE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE
#: All rights of the interface's first version: what is not granted below is refused.
_ALL = (1 << 13) - 1
#: Rights that came later, with the version that brought them: to move files between folders, and to cut them off.
_LATER = {2: 1 << 13, 3: 1 << 14}
#: From version 4 on: binding and connecting of TCP sockets.
_TCP = 3
#: From version 6 on: abstract sockets of other processes, and signals to them.
_OTHERS = 3

#: Of /proc only what is about this process and the machine: what others were started with may hold secrets.
SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/opt", "/sys", "/etc/ld.so.cache", "/etc/fonts", "/nix",
    "/proc/self", "/proc/sys", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/version",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
)  # fmt: skip


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("folder", ctypes.c_int32))


def limit_memory(more_bytes: int, cpu_s: int) -> None:
    """Let the process take so much address space beyond what it has, and so many seconds of processor time."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _is_linux() else 0
    for what, amount in (
        (resource.RLIMIT_AS, held + more_bytes), (resource.RLIMIT_CPU, cpu_s), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        _, hard = resource.getrlimit(what)
        if what != resource.RLIMIT_AS or held:
            resource.setrlimit(what, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """From now on this process reads below `readable` and its own installation only, and writes below `writable` only.

    Gives whether the system can do that; it cannot be undone.
    """
    if not _is_linux():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    later = sum(right for since, right in _LATER.items() if version >= since)
    rules = _Ruleset(_ALL | later, _TCP if version >= 4 else 0, _OTHERS if version >= 6 else 0)
    size = 8 * (1 + (version >= 4) + (version >= 6))
    handle = libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if handle < 0:
        return False
    try:
        for folder in {*map(Path, SYSTEM), *_installation(), *readable}:
            _allow(libc, handle, folder, _READ)
        for folder in writable:
            _allow(libc, handle, folder, _CHANGE | later)
        _allow(libc, handle, Path("/dev/null"), _READ_FILE | _WRITE | later & _LATER[3])
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT, handle, ctypes.c_uint32(0)) == 0)
    finally:
        os.close(handle)


def _allow(libc: ctypes.CDLL, handle: int, path: Path, access: int) -> None:
    """Grant rights below a folder, or to one file; what does not exist needs none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            access &= _EXECUTE | _WRITE | _READ_FILE | _LATER[3]
        rule = _Beneath(access, opened)
        libc.syscall(_ADD, handle, _PATH_BENEATH, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(opened)


def _installation() -> set[Path]:
    """Python, its packages, and this one."""
    places = {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent.parent}
    return places | {Path(p) for p in sys.path if p and Path(p).is_dir()}


def _is_linux() -> bool:
    return sys.platform == "linux"
