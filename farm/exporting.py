"""From a dataset to another tool's layout, by one process or by any of the executors.

Executors hand out *blocks* of images; what is finished only the parts in the export's folder know. When all are there,
the run that finds them so writes the files of the whole dataset, which needs neither pictures nor records again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..datasets.exporters.formats import Export, completed_export, export_dataset, finished, format_for
from ..datasets.exporters.job import Job as ExportJob
from ..datasets.exporters.job import Progress, open_job, tidy
from ..datasets.exporters.parts import Block, blocks_of, part_images, part_path
from ..datasets.splits import SPLITS
from ..errors import DatasetError, UsageError
from ..pipeline import Outcome
from ..render.worker import TIMEOUT_S, Worker
from .executors import Executor, Local
from .job import Evidence, Job
from .stopping import Stop
from .supervisor import Limits, Supervisor

__all__ = ["ExportShard", "Options", "Result", "export"]

MODULE = "scenewright.farm.export_worker"
#: A worker keeps nothing of a block.
UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        workers: processes that write side by side; None: this process alone, or one worker on other machines.
        stop: requested, the run ends early but in order; this process alone is ended by exceptions only.
    """

    workers: int | None = None
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")


@dataclass(frozen=True)
class Result:
    """What a run did.

    Attributes:
        export: what the folder holds; None while images are missing.
        unfinished: images that this run was asked for and did not get to, because it was stopped.
        elsewhere: images that other shares have yet to write.
    """

    export: Export | None
    unfinished: int = 0
    elsewhere: int = 0

    @property
    def finished(self) -> bool:
        """Whether the files of the whole are there."""
        return self.export is not None


def export(
    dataset: Path, form: str, out: Path, splits: Iterable[str] = SPLITS, options: Options | None = None,
    executor: Executor | None = None, progress: Progress | None = None,
) -> Result:  # fmt: skip
    """`datasets.exporters.formats.export_dataset`, with the same files, by an executor.

    Raises:
        UsageError, DatasetError: as there; DatasetError also for an image that kills its worker again and again.
        RenderError: workers do not start.
    """
    options, executor, told = options or Options(), executor or Local(), progress or (lambda *_: lambda: None)
    if isinstance(executor, Local) and options.workers is None:
        return Result(export_dataset(dataset, form, out, splits, told))
    twins = format_for(dataset, form).twins
    with open_job(dataset, form, out, splits, told, twins, executor.alone) as job:
        if not executor.alone:
            return _together(job, form, options, executor)
        if completed_export(out) is not None:
            tidy(out)  # the same command again looks at every file again
        return _by_blocks(job, form, options, executor)


def _together(job: ExportJob, form: str, options: Options, executor: Executor) -> Result:
    """One share beside others: whoever finds all parts writes the rest, and may be overtaken by who found them too."""
    try:
        if completed_export(job.out) is None:
            return _by_blocks(job, form, options, executor)
    except DatasetError:
        if completed_export(job.out) is None:
            raise
    tidy(job.out)
    return Result(completed_export(job.out))


def _by_blocks(job: ExportJob, form: str, options: Options, executor: Executor) -> Result:
    blocks = blocks_of(job)
    mine = executor.mine(range(len(blocks)))
    todo = {number: blocks[number] for number in mine if not part_path(job.out, number).is_file()}
    done = job.progress("images", sum(len(b.indices) for b in todo.values()))

    def ended(outcome: Outcome) -> None:
        for _ in todo[outcome.index].indices:
            done()

    places = str(job.dataset.absolute()), str(job.out.absolute())
    executor.run(ExportShard(*places, form, job.largest, todo, tuple(todo), options), ended)
    left = [b for b in blocks if not part_path(job.out, b.number).is_file()]
    if left or options.stop.requested:
        unfinished = sum(len(b.indices) for b in left if b.number in todo)
        return Result(completed_export(job.out), unfinished, sum(len(b.indices) for b in left) - unfinished)
    chosen = format_for(job.dataset, form)
    return Result(finished(job, chosen, lambda split: part_images(job, blocks, split)))


@dataclass(frozen=True)
class ExportShard:
    """Blocks of an export to be written; see `executors.Shard`.

    Attributes:
        dataset, out: folders.
        form: name of the format.
        largest: see `datasets.exporters.job.Job`.
        blocks: number → block, of `indices` at least.
        indices: numbers of blocks.
        options: how to go about it.
    """

    dataset: str
    out: str
    form: str
    largest: int
    blocks: Mapping[int, Block]
    indices: tuple[int, ...]
    options: Options

    @property
    def stop(self) -> Stop:
        """Requested, the shard ends early but in order."""
        return self.options.stop

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> ExportShard:
        """Some of its blocks, for one worker of another machine, whatever that has: an export computes on one core."""
        blocks = {number: self.blocks[number] for number in indices}
        return replace(self, blocks=blocks, indices=indices, options=Options(workers=1))

    def make(self, progress: Callable[[Outcome], None]) -> None:
        """Write the blocks that are not there yet.

        Raises:
            DatasetError, RenderError: see `export`.
        """
        todo = [number for number in self.indices if not self.written(number)]
        workers = min(self.options.workers or 1, max(1, len(todo)))
        Supervisor(_Blocks(self, progress), todo, Limits(workers, TIMEOUT_S, UNLIMITED), self.stop).run()

    def written(self, number: int) -> bool:
        """Whether a block is complete."""
        return part_path(Path(self.out), number).is_file()


class _Blocks(Job):
    """Blocks of one export; a worker tells of each image, so that the one that kills it has a name."""

    def __init__(self, shard: ExportShard, progress: Callable[[Outcome], None]) -> None:
        self._shard, self._told = shard, progress
        self._written: Counter[int] = Counter()

    def start(self, number: int) -> Worker:
        shard = self._shard
        blocks = [(n, shard.blocks[n].split, shard.blocks[n].indices) for n in shard.indices]
        about = {"dataset": shard.dataset, "out": shard.out, "form": shard.form, "largest": shard.largest}
        return Worker(MODULE, {**about, "blocks": blocks})

    def began(self, index: int) -> None:
        self._written[index] = 0

    def partial(self, answer: dict[str, Any]) -> None:
        self._written[answer["index"]] += 1

    def finished(self, index: int) -> Outcome | None:
        return Outcome(index, "ok") if self._shard.written(index) else None

    def progress(self, outcome: Outcome) -> None:
        self._told(outcome)

    def aside(self, given_up: Evidence) -> Outcome:
        """An export without one of its images would be another export."""
        images: Sequence[int] = self._shard.blocks[given_up.index].indices
        image = images[min(self._written[given_up.index], len(images) - 1)]
        raise DatasetError(
            f"image {image} cannot be exported: {given_up.outcome.reason}\n"
            "validate the dataset; what is written is kept"
        )
