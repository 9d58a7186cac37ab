"""Cycles' kernels for NVIDIA's GPUs: which of them Blender brings compiled, and where the driver keeps the others.

Blender brings machine code for some architectures, and PTX from which the driver compiles the kernels for any other
one (NVIDIA's compiler took 9 CPU minutes for compute capability 9.0). OptiX compiles its own in any case. Either
happens once: the driver keeps what it has compiled in a folder.
"""

from __future__ import annotations

import getpass
import importlib.util
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LEAST_CACHE", "KernelCache", "Origin", "cuda_cache", "gl_cache", "kernels_for", "optix_cache"]

Origin = Literal["binary", "ptx", "none"]
MIB = 1 << 20
#: CUDA's kernels for one architecture take 25 MB, each of OptiX's sets some more; a driver drops what no longer fits.
LEAST_CACHE = 256 * MIB


@dataclass(frozen=True)
class KernelCache:
    """A folder in which a driver keeps kernels that it has compiled.

    Attributes:
        name: whose kernels.
        path: the folder; the driver makes it.
        off: what switches it off or leaves it no room, as "CUDA_CACHE_DISABLE=1"; "" when nothing does.
        remedy: the command that undoes `off`.
    """

    name: str
    path: Path
    off: str = ""
    remedy: str = ""

    @property
    def bytes(self) -> int:
        """What lies in it."""
        try:
            return sum(p.stat().st_size for p in self.path.rglob("*") if p.is_file())
        except OSError:  # the driver tidies up while we look
            return 0

    def unwritable(self) -> str:
        """Why nothing can be written there, "" when it can. Tried rather than asked, but no folder is made for it."""
        place = next((p for p in (self.path, *self.path.parents) if p.exists()), Path("/"))
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"x")
        except OSError as e:
            return f"cannot write in {place}: {e.strerror}"
        return ""


def cuda_cache() -> KernelCache:
    """Where CUDA keeps what it compiles from PTX."""
    path = Path(os.environ.get("CUDA_CACHE_PATH") or Path.home() / ".nv" / "ComputeCache")
    off, remedy = _too_small("CUDA_CACHE_MAXSIZE")
    if os.environ.get("CUDA_CACHE_DISABLE", "0") not in ("", "0"):
        off, remedy = f"CUDA_CACHE_DISABLE={os.environ['CUDA_CACHE_DISABLE']}", "unset CUDA_CACHE_DISABLE"
    return KernelCache("CUDA", path, off, remedy)


def optix_cache() -> KernelCache:
    """Where OptiX keeps what it compiles."""
    path = Path(os.environ.get("OPTIX_CACHE_PATH") or f"/var/tmp/OptixCache_{_user()}")
    return KernelCache("OptiX", path, *_too_small("OPTIX_CACHE_MAXSIZE"))


def gl_cache() -> KernelCache:
    """Where NVIDIA's OpenGL keeps the shaders that EEVEE compiles."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return KernelCache("OpenGL", Path(os.environ.get("__GL_SHADER_DISK_CACHE_PATH") or home / "nvidia" / "GLCache"))


def kernels_for(capability: str, folder: Path | None = None) -> Origin:
    """Where CUDA's kernels for an architecture come from: compiled ones, PTX to compile, or nowhere.

    Looks where Cycles looks and in its order: machine code of exactly this architecture, then PTX of this or an older
    one. `capability` is as "9.0"; `folder` holds Cycles' kernels, that of the installed bpy if None.
    """
    place = folder or _installed()
    major, _, minor = capability.partition(".")
    if place is None or not (major.isdecimal() and minor.isdecimal()):
        return "none"
    if (place / f"kernel_sm_{major}{minor}.cubin.zst").is_file():
        return "binary"
    found = (
        re.fullmatch(r"kernel_compute_(\d+)(\d)\.ptx\.zst", p.name) for p in place.glob("kernel_compute_*.ptx.zst")
    )
    older = any((int(m[1]), int(m[2])) <= (int(major), int(minor)) for m in found if m)
    return "ptx" if older else "none"


def _installed() -> Path | None:
    """Where the installed bpy keeps Cycles' kernels; found without importing it."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        return None
    return next(iter(Path(spec.origin).parent.glob("*/scripts/addons_core/cycles/lib")), None)


def _too_small(variable: str) -> tuple[str, str]:
    """What is wrong with a limit of bytes in the environment, and the command that mends it; twice "" if nothing is."""
    limit = os.environ.get(variable, "")
    if not limit.isdecimal() or int(limit) >= LEAST_CACHE:
        return "", ""
    return f"{variable}={limit} ({int(limit) / MIB:.0f} MiB)", f"export {variable}={4 * LEAST_CACHE}"


def _user() -> str:
    """As OptiX names it; a container's user may have a number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
