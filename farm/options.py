"""How a run goes about its work; nothing here but the device touches a pixel."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import get_args

from ..errors import UsageError
from ..render.devices import Device
from ..render.worker import TIMEOUT_S

__all__ = ["Options", "check_device", "check_timeout"]

RECYCLE_IMAGES = 400
MAX_TIMEOUT_S = 604_800.0  # a week; the kernel's own timers end at 24 days


@dataclass(frozen=True)
class Options:
    """How to run. Only `device` touches a pixel: GPUs round otherwise than CPUs do, so every record names its device.

    Attributes:
        workers: processes that render side by side; the cores are divided between them.
        device: "auto", "cpu", "cuda", "optix", "hip", "oneapi" or "metal".
        timeout_s: a render that takes longer is killed and tried again.
        recycle_images: a worker is replaced after so many images.
    """

    workers: int = 1
    device: str = "auto"
    timeout_s: float = TIMEOUT_S
    recycle_images: int = RECYCLE_IMAGES

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if self.recycle_images < 1:
            raise UsageError(f"a worker makes one image or more, got recycle_images={self.recycle_images}: raise it")
        check_timeout(self.timeout_s)
        check_device(self.device)

    def threads(self, images: int) -> int | None:
        """Cycles threads per worker in a run of so many images; None lets one worker use all."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = min(self.workers, images)
        return None if workers <= 1 else max(1, cores // workers)


def check_device(name: str) -> None:
    """UsageError unless it is a device that Cycles knows."""
    if name not in get_args(Device):
        raise UsageError(f"{name!r} is no device: choose from {', '.join(get_args(Device))}")


def check_timeout(seconds: float) -> None:
    """UsageError unless an image may take so long."""
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise UsageError(f"an image may take more than 0 and up to {MAX_TIMEOUT_S:,.0f} s, got --timeout {seconds:g}")
