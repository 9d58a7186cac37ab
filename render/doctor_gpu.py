"""What the doctor says about GPUs: driver, kernels and their caches, OptiX, OpenGL, memory, a container's limits.

A machine without a GPU lacks nothing: the CPU renders the same datasets, more slowly.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence

from ..errors import RenderError
from . import egl, gpus
from .check import Check
from .gpus import Found, Gpu
from .kernels import KernelCache, cuda_cache, kernels_for, optix_cache

__all__ = ["gpu_checks"]

#: What Blender 4.5 asks for.
DRIVER = 535
#: Room for a worker with a large scene; several workers on a GPU take it several times.
LEAST_FREE_MIB = 2048
#: What a container's runtime brings in: CUDA; OptiX and OpenGL; nvidia-smi.
CAPABILITIES = ("compute", "graphics", "utility")
CONTAINER = f"docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES={','.join(CAPABILITIES)} …"
INSTALL = f"install NVIDIA's driver {DRIVER} or newer (Debian: sudo apt-get install -y nvidia-driver libnvoptix1)"


def gpu_checks(devices: Mapping[str, Sequence[str]]) -> list[Check]:
    """All that a render on this machine's GPUs needs; `devices` are what Cycles found, backend → names."""
    found = gpus.find()
    nvidia = [gpu for gpu in found.gpus if gpu.vendor == "nvidia"]
    first = _gpu(devices, found)
    if not nvidia:
        return [first]
    compiled = any(kernels_for(g.compute_capability) == "ptx" for g in nvidia if g.compute_capability)
    return [
        first,
        _driver(nvidia),
        *_kernels(nvidia),
        _cache(cuda_cache()) if compiled else Check("cuda cache", True, "not needed: Blender brings the kernels"),
        _optix(devices),
        _cache(optix_cache()),
        _opengl(),
        _memory(nvidia),
        _container(),
    ]


def _gpu(devices: Mapping[str, Sequence[str]], found: Found) -> Check:
    listed = "; ".join(f"{backend}: {', '.join(names)}" for backend, names in devices.items())
    if found.problem:
        remedy = (
            f"see what nvidia-smi says; load the driver (sudo modprobe nvidia) or restart; in a container: {CONTAINER}"
        )
        return Check("gpu", False, f"the NVIDIA driver does not answer: {found.problem}", remedy)
    if listed or not any(gpu.vendor == "nvidia" for gpu in found.gpus):
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = "" if hidden is None else f" (CUDA_VISIBLE_DEVICES={hidden!r})"
        return Check("gpu", True, listed or f"none that Cycles can use{why}: pictures are rendered on the CPU")
    names = ", ".join(gpu.name for gpu in found.gpus)
    return Check(
        "gpu",
        False,
        f"{names}: Cycles cannot use it; {_loads('libcuda.so.1')}",
        f"{INSTALL}; in a container: {CONTAINER}",
    )


def _driver(nvidia: Sequence[Gpu]) -> Check:
    version = nvidia[0].driver
    major = version.partition(".")[0]
    if not major.isdecimal():
        return Check("gpu driver", True, "its version is not told")
    ok = int(major) >= DRIVER
    return Check("gpu driver", ok, f"{version}, {DRIVER} or newer needed", "" if ok else INSTALL)


def _kernels(nvidia: Sequence[Gpu]) -> list[Check]:
    """One for each architecture."""
    found = []
    for capability in sorted({g.compute_capability for g in nvidia} - {""}):
        name, origin = f"gpu kernels {capability}", kernels_for(capability)
        if origin == "none":
            remedy = "use another GPU, or the CPU: --device cpu"
            found.append(Check(name, False, f"Blender has none for compute capability {capability}", remedy))
        elif origin == "binary":
            found.append(Check(name, True, "Blender brings CUDA's; OptiX compiles its own once: scenewright warmup"))
        else:
            detail = (
                "the driver compiles them at first use, for ten minutes or so: once per machine, scenewright warmup"
            )
            found.append(Check(name, True, detail))
    return found


def _cache(cache: KernelCache) -> Check:
    name, variable = f"{cache.name.lower()} cache", f"{cache.name.upper()}_CACHE_PATH"
    if cache.off:
        return Check(name, False, f"{cache.off}: kernels are compiled in every process", cache.remedy)
    if why := cache.unwritable():
        return Check(
            name, False, f"{why}: kernels are compiled in every process", f"export {variable}=/a/writable/folder"
        )
    return Check(name, True, f"{cache.path}, {cache.bytes / (1 << 20):.0f} MiB")


def _optix(devices: Mapping[str, Sequence[str]]) -> Check:
    if "optix" in devices:
        return Check("optix", True, "Cycles can use it")
    remedy = f"{INSTALL}; in a container: {CONTAINER}; or go on with --device cuda"
    return Check("optix", False, f"Cycles cannot use it; {_loads('libnvoptix.so.1')}", remedy)


def _opengl() -> Check:
    try:
        gl = egl.ask()
    except RenderError as e:
        return Check("opengl", False, "EEVEE cannot render; Cycles can", str(e))
    if gl.software:
        remedy = f"install the driver's OpenGL libraries (libEGL_nvidia); in a container: {CONTAINER}"
        return Check("opengl", False, f"EEVEE would render on the CPU, with {gl.renderer}", remedy)
    return Check("opengl", True, f"{gl.renderer}, {gl.version}")


def _memory(nvidia: Sequence[Gpu]) -> Check:
    told = [gpu for gpu in nvidia if gpu.free_mib is not None]
    detail = ", ".join(f"{gpu.free_mib} of {gpu.memory_mib} MiB free on GPU {gpu.index}" for gpu in told)
    if any(gpu.free_mib < LEAST_FREE_MIB for gpu in told if gpu.free_mib is not None):
        remedy = "nvidia-smi shows who holds it: end that, or choose another GPU with CUDA_VISIBLE_DEVICES"
        return Check("gpu memory", False, f"{detail}; {LEAST_FREE_MIB} needed by a worker", remedy)
    return Check("gpu memory", True, detail or "it is not told")


def _container() -> Check:
    """A container sees the parts of the driver that it was started with."""
    text = os.environ.get("NVIDIA_DRIVER_CAPABILITIES")
    if text is None:
        return Check("gpu container", True, "NVIDIA_DRIVER_CAPABILITIES is not set")
    given = {part.strip() for part in text.split(",")}
    missing = [] if "all" in given else [name for name in CAPABILITIES if name not in given]
    detail = f"NVIDIA_DRIVER_CAPABILITIES={text}"
    if missing:
        return Check("gpu container", False, f"{detail} lacks {', '.join(missing)}", CONTAINER)
    return Check("gpu container", True, detail)


def _loads(library: str) -> str:
    """Whether the loader finds a library, in words."""
    try:
        ctypes.CDLL(library)
    except OSError as e:
        return f"{library} cannot be loaded ({e})"
    return f"{library} can be loaded, so the driver may be too old"
