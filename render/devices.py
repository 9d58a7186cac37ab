"""Which device Cycles renders on: the CPU, or a GPU through one of its backends.

bpy is imported where it is used, so that the command line can name the devices without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import RenderError

__all__ = ["Device", "DeviceReport", "available", "select"]

Device = Literal["auto", "cpu", "cuda", "optix", "hip", "oneapi", "metal"]

#: What `auto` tries, in this order. OptiX before CUDA: the same cards, with their ray-tracing hardware.
BACKENDS = ("optix", "cuda", "hip", "metal", "oneapi")
MAX_THREADS = 1024  # Blender's own limit


@dataclass(frozen=True)
class DeviceReport:
    """What was chosen.

    Attributes:
        device: "cpu" or the GPU backend.
        names: names of the devices in use, as the driver gives them; empty for the CPU.
        threads: CPU threads that Cycles may use; 0 means all.
        gpu_denoises: whether Open Image Denoise runs on the GPU too, which older ones cannot.
    """

    device: str
    names: tuple[str, ...]
    threads: int
    gpu_denoises: bool = False

    @property
    def label(self) -> str:
        """All that pixels depend on: "cpu", or backend and GPU names as in "optix: NVIDIA L4"."""
        if not self.names:
            return self.device
        return f"{self.device}: {', '.join(self.names)}" + ("" if self.gpu_denoises else "; denoised on the CPU")


def available() -> dict[str, tuple[str, ...]]:
    """GPU backend → names of the devices that Cycles can use through it; backends without any are left out."""
    import bpy

    cycles = bpy.context.preferences.addons["cycles"].preferences
    cycles.refresh_devices()  # Blender lists no GPU before it is asked to
    found = {
        backend: tuple(d.name for d in cycles.get_devices_for_type(backend.upper()) if d.type == backend.upper())
        for backend in BACKENDS
    }
    return {backend: names for backend, names in found.items() if names}


def choose(device: str, present: Mapping[str, tuple[str, ...]]) -> str:
    """The backend for a wish: "cpu", or a key of `present`.

    Raises:
        RenderError: the device is unknown, or this machine does not have it.
    """
    if device not in get_args(Device):
        raise RenderError(f"device {device!r} is unknown: choose one of {', '.join(get_args(Device))}")
    if device == "auto":
        return next((backend for backend in BACKENDS if backend in present), "cpu")
    if device != "cpu" and device not in present:
        listed = "".join(f", {backend} ({', '.join(names)})" for backend, names in present.items())
        raise RenderError(
            f"device {device} is not on this machine, which has: cpu{listed}. Check the driver, or use auto"
        )
    return device


def select(device: Device | str, threads: int | None = None) -> DeviceReport:
    """Make the current Blender scene render on a device; call again after factory settings were read.

    Args:
        device: "auto" takes the best GPU there is, else the CPU. All GPUs of the backend are used.
        threads: CPU threads, 1…1024; None lets Blender take all.

    Raises:
        RenderError: the device is unknown or absent, or the thread count cannot be meant.
    """
    import bpy

    if threads is not None and not 1 <= threads <= MAX_THREADS:
        raise RenderError(f"threads must be 1 to {MAX_THREADS}, got {threads}: leave it out to use all")
    present = available() if device != "cpu" else {}
    backend = choose(device, present)
    scene = bpy.context.scene
    scene.render.threads_mode = "AUTO" if threads is None else "FIXED"
    if threads is not None:
        scene.render.threads = threads
    cycles = bpy.context.preferences.addons["cycles"].preferences
    cycles.compute_device_type = "NONE" if backend == "cpu" else backend.upper()
    for entry in cycles.devices:
        entry.use = entry.type == backend.upper()  # the CPU beside a GPU slows it, and changes the pixels
    scene.cycles.device = "CPU" if backend == "cpu" else "GPU"
    return DeviceReport(backend, present.get(backend, ()), threads or 0, bool(cycles.has_oidn_gpu_devices()))
