"""Where a model runs, in what precision, and how it is made to fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from ..errors import UsageError
from .families import Family

__all__ = ["Placing", "device_name", "device_of", "place", "precision_of", "share_of", "threads_of"]

Precision = Literal["auto", "float32", "float16", "bfloat16"]
Offload = Literal["none", "model", "sequential"]


@dataclass(frozen=True)
class Placing:
    """Device, precision and memory.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps", or "auto" for the best one here.
        precision: of the weights; "auto" is float32 on a CPU and what the family is published in on a GPU.
        offload: "model" keeps only the component that is at work on the GPU, "sequential" only its layer: less memory,
            more time.
        vae_tiling: decode large pictures in tiles, which changes them slightly.
        vae_slicing: decode the pictures of a batch one by one.
        quantise: "fp8" stores the weights of the denoiser in 8 bits and computes as before.
        compiled: compile the denoiser, which pays off after some dozens of images.
        threads: on a CPU; None for what torch takes by itself. Sums in another number of threads end in other last bits
            (measured: 1 in 30,000 values by 1 of 255), so this is recorded.
    """

    device: str = "auto"
    precision: Precision = "auto"
    offload: Offload = "none"
    vae_tiling: bool = False
    vae_slicing: bool = False
    quantise: Literal["fp8"] | None = None
    compiled: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"there must be at least 1 thread, not {self.threads}")


def device_of(placing: Placing) -> str:
    """The device that a model will run on; UsageError when it is not there."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if placing.device == "auto":
        return next(name for name, is_there in there.items() if is_there)
    kind, _, number = placing.device.partition(":")
    if kind not in there or (number and not number.isdecimal()):
        raise UsageError(f"{placing.device!r} is no device: write cpu, cuda, cuda:1 or mps")
    if not there[kind] or (kind == "cuda" and number and int(number) >= torch.cuda.device_count()):
        raise UsageError(f"torch {torch.__version__} sees no {placing.device} here: choose another, or auto")
    return placing.device


def share_of(placing: Placing, number: int, workers: int, cores: int) -> Placing:
    """Where process `number` of several is to run: GPUs are dealt out in turn, the cores of a CPU are divided."""
    import torch

    device = device_of(placing)
    if device == "cuda" and workers > 1:
        return replace(placing, device=f"cuda:{number % torch.cuda.device_count()}")
    if device == "cpu" and placing.threads is None:
        return replace(placing, threads=max(1, cores // workers))
    return placing


def device_name(device: str) -> str:
    """What records name a device: GPUs of one type give the same pixels, whatever their number."""
    import torch

    return f"cuda: {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def threads_of(placing: Placing) -> int | None:
    """In how many threads a model computes; None where a GPU does."""
    import torch

    if device_of(placing) != "cpu":
        return None
    return placing.threads or int(torch.get_num_threads())


def precision_of(family: Family, placing: Placing) -> str:
    """What the weights are held in, as torch names it."""
    if placing.precision != "auto":
        return placing.precision
    return "float32" if device_of(placing) == "cpu" else family.precision


def place(pipeline: Any, denoiser: Any, placing: Placing) -> str:
    """Put a pipeline where it is to run; gives the device.

    Raises:
        UsageError: the device is not there, or an option has no meaning for it or for this model.
    """
    import torch

    device = device_of(placing)
    if placing.offload != "none" and device == "cpu":
        raise UsageError("offloading moves weights between a GPU and memory, and there is no GPU in use: leave it out")
    for wanted, method in ((placing.vae_tiling, "enable_tiling"), (placing.vae_slicing, "enable_slicing")):
        if wanted and not hasattr(pipeline.vae, method):
            raise UsageError(f"the VAE of this model, a {type(pipeline.vae).__name__}, cannot {method}: leave it out")
        if wanted:
            getattr(pipeline.vae, method)()
    if placing.quantise == "fp8":
        denoiser.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=denoiser.dtype)
    if placing.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif placing.offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    if placing.compiled:
        denoiser.compile()
    pipeline.set_progress_bar_config(disable=True)
    return device
