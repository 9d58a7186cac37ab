"""How a run goes about its work; nothing here but the device touches a pixel."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import get_args

from ..errors import UsageError
from ..render.devices import MAX_THREADS, Device
from ..render.gpus import find
from ..render.machine import usable_cores, usable_memory
from ..render.worker import TIMEOUT_S
from .gpu_share import assignments
from .stopping import Stop

__all__ = ["Options", "check_device", "check_timeout"]

RECYCLE_IMAGES = 400
#: FACTS: a fresh worker holds 350 MB, 440 MB with a small scene.
LEAST_MEMORY_GIB = 0.5
GIB = 1 << 30
#: What workers may hold together; the rest is for the parent and the system.
SHARE = 0.9
MAX_TIMEOUT_S = 604_800.0  # a week; the kernel's own timers end at 24 days


@dataclass(frozen=True)
class Options:
    """How to run. Only `device` touches a pixel: GPUs round otherwise than CPUs do, so every record names its device.

    Attributes:
        workers: processes that render side by side on a machine; the cores are divided between them. None: one for
            each GPU, or `per_gpu`, and one where there is none.
        per_gpu: how many of them share a GPU, at most.
        device: "auto", "cpu", "cuda", "optix", "hip", "oneapi" or "metal".
        timeout_s: a render that takes longer is killed and tried again. It is the most that is ever allowed: once some
            images are there, several times what they took is enough.
        recycle_images: a worker is replaced after so many images.
        memory_gib: a worker that holds more is killed, and its image tried again; None takes an equal share of nine
            tenths of what this machine, or its control group, has.
        threads: CPU threads of a worker; None: an equal share of the cores.
        stop: requested, the run ends early but in order.
    """

    workers: int | None = None
    per_gpu: int | None = None
    device: str = "auto"
    timeout_s: float = TIMEOUT_S
    recycle_images: int = RECYCLE_IMAGES
    memory_gib: float | None = None
    threads: int | None = None
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        for name, number in (("workers", self.workers), ("workers-per-gpu", self.per_gpu)):
            if number is not None and number < 1:
                raise UsageError(f"a run needs at least one worker, got --{name} {number}")
        if self.recycle_images < 1:
            raise UsageError(f"a worker makes one image or more, got recycle_images={self.recycle_images}: raise it")
        if self.threads is not None and not 1 <= self.threads <= MAX_THREADS:
            raise UsageError(f"a worker has 1 to {MAX_THREADS} threads, got --threads {self.threads}")
        if self.memory_gib is not None and not self.memory_gib >= LEAST_MEMORY_GIB:
            raise UsageError(
                f"a worker needs {LEAST_MEMORY_GIB} GiB of memory at least, got --memory {self.memory_gib:g}"
            )
        check_timeout(self.timeout_s)
        check_device(self.device)

    def environments(self, images: int, renders: bool) -> list[dict[str, str]]:
        """Variables for each worker of a run of so many images, by which those that render keep to their GPU.

        Raises:
            UsageError: more workers than the GPUs take.
        """
        gpus = find().gpus if renders and self.device != "cpu" else ()
        return assignments(gpus, self.workers, self.per_gpu)[: max(1, images)]

    def threads_each(self, workers: int) -> int | None:
        """Cycles threads of each of so many workers; None lets a single one use all that the machine has."""
        if self.threads is not None:
            return self.threads
        cores = usable_cores()
        return None if workers == 1 and cores == os.cpu_count() else max(1, cores // workers)

    def memory_bytes(self, workers: int) -> int:
        """What each of so many workers may hold."""
        if self.memory_gib is not None:
            return round(self.memory_gib * GIB)
        return max(round(LEAST_MEMORY_GIB * GIB), round(SHARE * usable_memory() / workers))


def check_device(name: str) -> None:
    """UsageError unless it is a device that Cycles knows."""
    if name not in get_args(Device):
        raise UsageError(f"{name!r} is no device: choose from {', '.join(get_args(Device))}")


def check_timeout(seconds: float) -> None:
    """UsageError unless an image may take so long."""
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise UsageError(f"an image may take more than 0 and up to {MAX_TIMEOUT_S:,.0f} s, got --timeout {seconds:g}")
