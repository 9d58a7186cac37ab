"""The unit of work: some images of a dataset, made by supervised workers on the machine where this is called."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..datasets import failures
from ..datasets.records import (
    DepthFormat,
    image_paths,
    map_paths,
    quarantine_folder,
    read_record,
    record_path,
)
from ..pipeline import Outcome, versions
from ..render.worker import Worker
from ..scenes.outputs import Output
from .job import Failure, Job
from .options import Options
from .render_worker import MODULE
from .supervisor import Limits, Supervisor

__all__ = ["Shard", "has_pictures", "render_shard"]


@dataclass(frozen=True)
class Shard:
    """Images to be made. It can be sent to another machine: all it names is the place where the dataset lies.

    Attributes:
        place: folder or address of the dataset.
        kind: "dataset", or "twins" of the dataset above the folder.
        indices: which images, in the order in which they are begun.
        outputs: what the recipe asks for beside pictures.
        options: how to go about it.
    """

    place: str
    kind: Literal["dataset", "twins"]
    indices: tuple[int, ...]
    outputs: tuple[Output, ...]
    options: Options


def render_shard(shard: Shard, progress: Callable[[Outcome], None]) -> None:
    """Make the images of a shard that are not there yet. What becomes of each one is in the dataset afterwards.

    Raises:
        DatasetError: it cannot be written.
        RenderError: workers do not start, or this machine cannot make any image.
    """
    job = _Renders(shard, progress)
    todo = [i for i in shard.indices if job.finished(i) is None]
    options = shard.options
    limits = Limits(
        options.processes(len(todo)), options.timeout_s, options.recycle_images, options.memory_bytes(len(todo))
    )
    Supervisor(job, todo, limits, options.stop).run()


class _Renders(Job):
    """Renders of one dataset."""

    canary = True

    def __init__(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        self._shard, self._folder, self._told = shard, Path(shard.place), progress
        self._setup = {
            "kind": shard.kind, "folder": shard.place, "device": shard.options.device,
            "threads": shard.options.threads_each(len(shard.indices)),
        }  # fmt: skip

    def start(self, number: int) -> Worker:
        return Worker(MODULE, self._setup)

    def finished(self, index: int) -> Outcome | None:
        """What a worker has finished of an image, or put aside; None when it did not get so far."""
        aside = quarantine_folder(self._folder, index)
        if (aside / "record.json").is_file():
            return Outcome(index, "quarantined", read_record(aside / "record.json").reason)
        if (aside / "failure.json").is_file():
            failure = failures.read_failure(self._folder, index)
            return Outcome(index, failure.status, failure.reason)
        there = record_path(self._folder, index).is_file() and has_pictures(self._folder, index, self._shard.outputs)
        return Outcome(index, "ok") if there else None

    def progress(self, outcome: Outcome) -> None:
        self._told(outcome)

    def aside(self, failure: Failure) -> Outcome:
        """Put the image into quarantine, with what is known about it."""
        told = failures.Failure(
            index=failure.index,
            status="impossible" if failure.status == "impossible" else "failed",
            reasons=failure.reasons,
            host=socket.gethostname(),
            command=shlex.join(["scenewright", "rerender", self._shard.place, str(failure.index)]),
            versions=versions(),
        )
        failures.write_failure(self._folder, told, failure.scene, failure.log)
        return failure.outcome


def has_pictures(folder: Path, index: int, outputs: tuple[Output, ...]) -> bool:
    """Whether the pictures of a recorded image are still there; one that somebody deleted is rendered again."""
    extra = map_paths(index, outputs).values()
    return any(
        all((folder / path).is_file() for path in (*image_paths(index, form).values(), *extra))
        for form in get_args(DepthFormat)
    )
