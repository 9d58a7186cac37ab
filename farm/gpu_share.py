"""Which GPU each worker of a machine gets."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from ..render.gpus import Gpu, pin

__all__ = ["assignments"]


def assignments(gpus: Sequence[Gpu], workers: int | None, per_gpu: int | None) -> list[dict[str, str]]:
    """The variables to add to the environment of every worker; no variables where there is no GPU.

    The workers take the GPUs in turn, so that each GPU has its first one before any has a second.

    Args:
        gpus: those of this machine.
        workers: how many workers; None: as many as the GPUs take, or one where there is none.
        per_gpu: how many workers share a GPU at most; None: no limit where `workers` is given, else one.

    Raises:
        UsageError: a number below one, or more workers than the GPUs take.
    """
    for name, number in (("workers", workers), ("workers per GPU", per_gpu)):
        if number is not None and number < 1:
            raise UsageError(f"the number of {name} is 1 or more, got {number}")
    if not gpus:
        return [{} for _ in range(workers or 1)]
    room = len(gpus) * (per_gpu or 1)
    if per_gpu is not None and workers is not None and workers > room:
        raise UsageError(
            f"{workers} workers, {per_gpu} for each of {len(gpus)} GPUs, are {workers - room} too many: ask for "
            f"{room} workers or fewer, or for {-(-workers // len(gpus))} per GPU"
        )
    return [pin(gpus[k % len(gpus)]) for k in range(workers or room)]
