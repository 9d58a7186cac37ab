"""The unit of work: some images of a dataset, made by supervised workers on the machine where this is called."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..datasets import failures
from ..datasets.files import exists
from ..datasets.place import place
from ..datasets.presence import is_there
from ..datasets.records import DatasetInfo, quarantine_folder, read_record
from ..errors import RenderError
from ..pipeline import Outcome, versions
from ..render.machine import usable_cores
from ..render.worker import Worker
from .beats import settings_key
from .heartbeat import Heartbeat
from .job import Evidence, Job
from .options import Options
from .render_worker import MODULE
from .stopping import Stop
from .supervisor import Limits, Supervisor
from .warmup import warm_up, warmed

__all__ = ["RenderShard"]


@dataclass(frozen=True)
class RenderShard:
    """Images to be made. It can be sent to another machine: all it names is the place where the dataset lies.

    Attributes:
        place: folder or address of the dataset.
        kind: "dataset", or "twins" of the dataset above the folder.
        indices: which images, in the order in which they are begun.
        info: what the dataset is made from.
        options: how to go about it.
        cores: of a machine that others render on too, those that are this shard's; None: the machine is its own.
    """

    place: str
    kind: Literal["dataset", "twins"]
    indices: tuple[int, ...]
    info: DatasetInfo
    options: Options
    cores: int | None = None

    @property
    def stop(self) -> Stop:
        """Requested, the shard ends early but in order."""
        return self.options.stop

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> RenderShard:
        """Some of its images, for one worker of another machine on so many cores, and on a GPU or on none."""
        options = self.options
        device = "cpu" if options.device == "auto" and not gpu else options.device
        threads = options.threads or cpus
        alone = replace(options, workers=1, per_gpu=None, threads=threads, device=device, stop=Stop())
        return replace(self, indices=indices, options=alone, cores=cpus)

    def make(self, progress: Callable[[Outcome], None]) -> None:
        """Make the images that are not there yet. What becomes of each one is in the dataset afterwards.

        Raises:
            DatasetError: it cannot be written.
            RenderError: workers do not start, or this machine cannot make any image.
        """
        if not self.indices:
            return
        options, renders = self.options, self.info.settings["engine"] != "flat"
        environments = options.environments(len(self.indices), renders)
        workers = len(environments)
        threads = options.threads_each(workers)
        beside = usable_cores() // self.cores if self.cores else 1  # shards that there is room for
        memory = options.memory_bytes(workers * max(1, beside))
        limits = Limits(workers, options.timeout_s, options.recycle_images, memory)
        settings = settings_key(self.info, self.kind, threads)
        with Heartbeat(place(self.place), workers, options.device, settings) as heartbeat:
            if any(environments):
                self._warm_up(heartbeat.beat)
            job = _Renders(self, environments, threads, heartbeat, progress)
            Supervisor(job, self.indices, limits, options.stop).run()

    def _warm_up(self, beat: Callable[[], None]) -> None:
        """Have the GPUs' kernels compiled once, not by every worker at the same time.

        What fails here fails in the workers too, which say so; kernels that cannot be kept are for `doctor` to find.
        """
        engine, options = self.info.settings["engine"], self.options

        def meanwhile() -> None:
            beat()
            if options.stop.requested:
                raise RenderError("it was stopped before the kernels were complete")

        if not warmed(options.device, engine):
            with suppress(RenderError):
                warm_up([options.device], [engine], meanwhile=meanwhile)


class _Renders(Job):
    """Renders of one dataset."""

    canary = True

    def __init__(
        self, shard: RenderShard, environments: Sequence[Mapping[str, str]], threads: int | None, heartbeat: Heartbeat,
        progress: Callable[[Outcome], None],
    ) -> None:  # fmt: skip
        self._shard, self._folder, self._told = shard, place(shard.place), progress
        self._environments, self._threads = environments, threads
        self._setup = {
            "kind": shard.kind, "folder": shard.place, "device": shard.options.device, "threads": threads,
        }  # fmt: skip
        self.began, self.ended, self.beat = heartbeat.began, heartbeat.ended, heartbeat.beat  # type: ignore[method-assign]
        self.limit_s, self.started = heartbeat.limit, heartbeat.started  # type: ignore[method-assign]
        self._on = heartbeat.on

    def start(self, number: int) -> Worker:
        return Worker(MODULE, self._setup, self._environments[number], self._threads)

    def greet(self, answer: dict[str, Any]) -> None:
        self._on(answer["device"])

    def finished(self, index: int) -> Outcome | None:
        """What a worker has finished of an image; None when it did not get so far."""
        aside = quarantine_folder(self._folder, index) / "record.json"
        if exists(aside):
            return Outcome(index, "quarantined", read_record(aside).reason)
        return Outcome(index, "ok") if is_there(self._folder, index, self._shard.info) else None

    def progress(self, outcome: Outcome) -> None:
        self._told(outcome)

    def aside(self, given_up: Evidence) -> Outcome:
        """Put the image into quarantine, with what is known about it."""
        told = failures.Failure(
            index=given_up.index,
            status="impossible" if given_up.status == "impossible" else "failed",
            reasons=given_up.reasons,
            host=socket.gethostname(),
            command=shlex.join(["scenewright", "rerender", self._shard.place, str(given_up.index)]),
            versions=versions(),
        )
        failures.write_failure(self._folder, told, given_up.scene, given_up.log)
        return given_up.outcome
