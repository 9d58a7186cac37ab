"""Who makes the images of a command, and how it ends early: options that commands share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import UsageError
from .farm.stopping import GRACE_S, Stop
from .terminal import Stopped, console

if TYPE_CHECKING:
    from .farm.executors import Executor
    from .farm.options import Options

__all__ = [
    "GRACE_S", "CoresOption", "ExecutorOption", "GraceOption", "MemoryOption", "PerGpuOption", "RayOption",
    "ShardOption", "ShardsOption", "Stop", "ThreadsOption", "WorkersOption", "executor_of", "going_on", "options_of",
    "tell_stopped",
]  # fmt: skip

ExecutorOption = Annotated[str, typer.Option(metavar="local|ray|index", help="Who makes the images, see above.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Worker processes, which share the cores. Default: one for each GPU, or a single one."),
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of a worker. Default: its share of the cores, on Ray one.")
]
MemoryOption = Annotated[
    float | None,
    typer.Option(metavar="GIB", help="A worker that holds more is replaced. Default: its share of the machine."),
]
GraceOption = Annotated[float, typer.Option(min=0, help="Seconds that SIGTERM leaves to images in the making.")]
RayOption = Annotated[
    str,
    typer.Option(metavar="ADDRESS", help="auto: the cluster that this machine is in; local: one in this process."),
]
PerGpuOption = Annotated[
    int | None, typer.Option("--workers-per-gpu", min=0, help="Workers that share a GPU; 0: none is used. Default: 1.")
]
ShardOption = Annotated[
    int | None, typer.Option(min=0, help="Number of the share, from 0. Default: what the job array says.")
]
ShardsOption = Annotated[int | None, typer.Option(min=1, help="How many shares there are. Default: likewise.")]
CoresOption = Annotated[int, typer.Option(min=1, help="On Ray: cores of a worker.")]


def options_of(
    workers: int | None, per_gpu: int | None, device: str, threads: int | None, memory: float | None, timeout: float,
    grace: float,
) -> Options:  # fmt: skip
    """How renders are made; none of a GPU's workers means the CPU."""
    from .farm.options import Options

    return Options(
        workers=workers, per_gpu=per_gpu or None, device="cpu" if device == "auto" and per_gpu == 0 else device,
        threads=threads, memory_gib=memory, timeout_s=timeout, stop=Stop(grace),
    )  # fmt: skip


def executor_of(
    name: str, ray: str, per_gpu: int | None, threads: int | None, shard: int | None, shards: int | None,
    workers: int | None = None,
) -> Executor:  # fmt: skip
    """Who makes the images; for a share, its number comes from the scheduler's environment where none is given.

    Raises:
        UsageError: there is no such executor, or no number, or an option means nothing to it.
    """
    from .farm.executors import Index, Local
    from .farm.on_ray import Ray
    from .farm.share_number import share_number

    if name == "index":
        return Index(*share_number(os.environ, shard, shards))
    if shard is not None or shards is not None:
        raise UsageError(f"--shard and --shards go with --executor index, not {name}")
    if name == "ray":
        if workers is not None:
            raise UsageError(
                f"--workers {workers} is of one machine; on Ray there are as many as the cluster has room for: see "
                "--threads and --workers-per-gpu"
            )
        return Ray(ray, per_gpu, threads or 1)
    if name != "local":
        raise UsageError(f"{name!r} is no executor: choose local, ray or index")
    return Local()


@contextmanager
def going_on(stop: Stop, what: str) -> Iterator[None]:
    """SIGTERM asks the run to end in order; Ctrl-C, or a second SIGTERM, ends it at once. Both say how to go on.

    Raises:
        Stopped: it was ended at once.
    """

    def once(*_: object) -> None:
        if stop.requested:
            raise Stopped
        stop.request()
        console.print(f"SIGTERM: {what} in the making are finished first, for {stop.grace_s:g} s")

    before = signal.signal(signal.SIGTERM, once)
    try:
        yield
    except Stopped:
        raise Stopped(f": finished {what} are kept, the same command goes on from here") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def tell_stopped(result: Any, stop: Stop) -> None:
    """Stopped, with what is left to do, when the run was asked to end before it was through.

    That may be the annotations alone: a scheduler must not take a run for done that has not written them.
    """
    if stop.requested and not result.finished:
        left = f"{result.unfinished} are left to make" if result.unfinished else "all are made, but for what lists them"
        raise Stopped(f": {left}; finished images are kept, the same command goes on from here")
