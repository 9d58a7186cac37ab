"""The same bytes every time: chance and choice taken out of what torch does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["steady"]


@contextmanager
def steady(device: str, threads: int | None) -> Iterator[None]:
    """Take chance and choice out of what generators do not reach.

    A pipeline may draw from torch's own generator (that of Qwen-Image's ControlNet does, for the latents of a picture):
    it starts anew for each call and is put back after it. cuDNN chooses the same algorithms each time, and a CPU
    computes in as many threads as the card says.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with (
            torch.random.fork_rng([device] if device.startswith("cuda") else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(before)
