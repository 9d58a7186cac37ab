"""What this machine lacks for rendering, and the command that gets it. Blender is asked in a child process only."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import psutil

from .check import Check
from .doctor_gpu import gpu_checks
from .machine import usable_cores

__all__ = ["ESSENTIAL", "Blender", "Check", "blender", "checks", "main"]

#: Shared library → its package in Debian/Ubuntu and in Fedora: what `import bpy` links to beyond the C and C++ runtime.
SYSTEM_LIBRARIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "libX11.so.6": ("libx11-6", "libX11"),
        "libXrender.so.1": ("libxrender1", "libXrender"),
        "libXfixes.so.3": ("libxfixes3", "libXfixes"),
        "libXi.so.6": ("libxi6", "libXi"),
        "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
        "libSM.so.6": ("libsm6", "libSM"),
        "libGL.so.1": ("libgl1", "libglvnd-glx"),
    }
)

GIB = 1 << 30
BLENDER_TIMEOUT_S = 180  # the first import on a cold network disk takes most of a minute
ANSWER = "scenewright-blender:"  # marks our line among what Blender prints

#: FACTS: a fresh worker holds 350 MB, 440 MB with a small scene; the rest is room for the picture and the parent.
MIN_MEMORY = 2 * GIB
MIN_DISK = 2 * GIB
MIN_SHM = GIB // 4

#: Without these nothing renders; the other checks are about runs that are large.
ESSENTIAL = ("python", "blender", "libraries")

_ASK_BLENDER = f"""
import json, bpy
from scenewright.render.devices import available
print("\\n{ANSWER}" + json.dumps([bpy.app.version_string, available()]), flush=True)
"""


@dataclass(frozen=True)
class Blender:
    """What a child process found: the version, or why bpy cannot be imported; and GPU backend → device names."""

    version: str | None
    devices: Mapping[str, tuple[str, ...]]
    problem: str = ""
    remedy: str = ""


def checks(folder: Path | None = None) -> list[Check]:
    """Everything that a run needs of this machine; `folder` is where datasets shall go (the working folder if None)."""
    target = _existing(folder or Path.cwd())
    found = blender()
    return [
        _python(),
        _blender(found),
        *(
            gpu_checks(found.devices)
            if found.version
            else [Check("gpu", True, "not asked, since Blender does not start")]
        ),
        _libraries(),
        _memory(),
        _cores(),
        _scratch(),
        _disk(target),
        _writable(target),
    ]


@lru_cache(maxsize=1)
def blender() -> Blender:
    """Import bpy in a child process, once per process, and ask it for its version and devices."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", _ASK_BLENDER],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=BLENDER_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Blender(
            None, {}, f"import bpy took more than {BLENDER_TIMEOUT_S} s", "try again; look at the disk's load"
        )
    for line in child.stdout.splitlines():
        if line.startswith(ANSWER):
            version, devices = json.loads(line.removeprefix(ANSWER))
            return Blender(version, {backend: tuple(names) for backend, names in devices.items()})
    return Blender(None, {}, *explain(child.returncode, child.stderr))


def explain(returncode: int, stderr: str) -> tuple[str, str]:
    """What an import of bpy died of, and what to do about it."""
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return f"import bpy was killed by {name}", "SIGILL: the CPU is too old for Blender; SIGKILL: too little memory"
    if missing := re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", stderr):
        return f"the system library {missing[1]} is missing", _install_command(missing[1])
    if "No module named 'bpy'" in stderr:
        return "bpy is not installed", "use Python 3.11, then: pip install 'bpy>=4.5.15,<4.6'"
    if old := re.search(r"version `(GLIBC[\w.]+)' not found", stderr):
        return f"the C library is older than {old[1]}", "use a newer system, or a container of one (Debian 12)"
    last = (stderr.strip().splitlines() or ["no message"])[-1]
    return f"import bpy failed: {last}", "reinstall: pip install --force-reinstall 'bpy>=4.5.15,<4.6'"


def _install_command(library: str) -> str:
    """One command for all that bpy needs, since the loader names only the first that is missing."""
    if library not in SYSTEM_LIBRARIES:
        return f"install the package that has {library} (Debian: apt-file search {library}; Fedora: dnf provides)"
    debian, fedora = (" ".join(names) for names in zip(*SYSTEM_LIBRARIES.values(), strict=True))
    sudo = "" if os.geteuid() == 0 else "sudo "
    apt, dnf = f"{sudo}apt-get install -y {debian}", f"{sudo}dnf install -y {fedora}"
    if shutil.which("apt-get"):
        return apt
    return dnf if shutil.which("dnf") else f"Debian, Ubuntu: {apt}; Fedora: {dnf}"


def _blender(found: Blender) -> Check:
    if found.version is None:
        return Check("blender", False, found.problem, found.remedy)
    ok = found.version.startswith("4.5.")
    return Check("blender", ok, f"bpy {found.version}", "" if ok else "pip install 'bpy>=4.5.15,<4.6'")


def _python() -> Check:
    ok = sys.version_info[:2] == (3, 11)
    detail = f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    return Check("python", ok, detail, "" if ok else "bpy 4.5 needs Python 3.11: uv venv --python 3.11 --seed .venv")


def _libraries() -> Check:
    """The installed version of every required distribution."""
    try:
        required = importlib.metadata.requires("scenewright") or []
    except importlib.metadata.PackageNotFoundError:
        return Check("libraries", False, "scenewright itself is not installed", "pip install -e .")
    found, missing = [], []
    for line in required:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        if "extra ==" in line:
            continue
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("libraries", False, f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("libraries", True, ", ".join(found))


def _memory() -> Check:
    free = psutil.virtual_memory().available
    remedy = "" if free >= MIN_MEMORY else "close other programs, or render with --workers 1"
    return Check("memory", free >= MIN_MEMORY, f"{free / GIB:.1f} GiB available, {MIN_MEMORY / GIB:.0f} needed", remedy)


def _cores() -> Check:
    return Check("cores", True, f"{usable_cores()} usable")


def _scratch() -> Check:
    """Where the renderer hands its layers over: memory if the system has `/dev/shm`, else the temporary folder."""
    shm = Path("/dev/shm")
    if not shm.is_dir():
        return Check("scratch", True, f"no /dev/shm: {tempfile.gettempdir()} is used")
    free = shutil.disk_usage(shm).free
    ok = free >= MIN_SHM and os.access(shm, os.W_OK)
    remedy = "" if ok else "give the container more: docker run --shm-size=1g"
    return Check("scratch", ok, f"/dev/shm has {free / GIB:.2f} GiB free, {MIN_SHM / GIB:.2f} needed", remedy)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    remedy = "" if free >= MIN_DISK else "make room, or choose another --out"
    return Check(
        "disk", free >= MIN_DISK, f"{free / GIB:.1f} GiB free in {folder}, {MIN_DISK / GIB:.0f} needed", remedy
    )


def _writable(folder: Path) -> Check:
    """Tried rather than asked: access bits do not know read-only mounts, quotas or full disks."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return Check("write", False, f"cannot write in {folder}: {error.strerror}", "choose another --out")
    return Check("write", True, f"{folder} can be written to")


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())


def main() -> int:
    """Print what is lacking, to stderr; 1 if nothing can be rendered without it. `make` runs this first."""
    failed = [check for check in checks() if not check.ok]
    for check in failed:
        print(f"{check.name}: {check.detail}\n    → {check.remedy}", file=sys.stderr)
    return int(any(check.name in ESSENTIAL for check in failed))


if __name__ == "__main__":
    sys.exit(main())
