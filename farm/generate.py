"""Many images: a dataset made, or what is missing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..datasets.failures import drop_failures, failed, failures
from ..datasets.files import sweep
from ..datasets.folder import check_versions, export, open_dataset
from ..datasets.locks import lock, together
from ..datasets.place import Place, place
from ..datasets.presence import present
from ..datasets.records import TWINS, DatasetInfo, indices, iter_records, quarantined, read_info
from ..errors import DatasetError, UsageError
from ..pipeline import Outcome, backend, versions
from ..scenes.recipe import Recipe
from .executors import Executor, Local
from .options import Options
from .shard import RenderShard

__all__ = ["Options", "Result", "add_twins", "generate"]

MAX_IMAGES = 10_000_000
MAX_SEED = 2**53 - 1  # readers of JSON may keep numbers as doubles


@dataclass(frozen=True)
class Result:
    """What a run did: the dataset's state, and which of the images that it was asked for are not there.

    Attributes:
        asked: how many images it was asked for.
        rendered: images that this run has made.
        failed: index → reason of each image that could not be made, by this run or before it; they are put aside.
        impossible: those of `failed` that fail the same way every time, with this recipe and seed.
        quarantined: images whose labels are in doubt, put aside by this run or before it.
        unfinished: how many images it did not get to, because it was stopped.
        finished: whether it has written the annotations. A stopped run leaves that to the next one, and a share to
            whichever finds the dataset complete.
    """

    info: DatasetInfo
    folder: Place
    asked: int
    rendered: int
    failed: dict[int, str] = field(default_factory=dict)
    impossible: tuple[int, ...] = ()
    quarantined: tuple[int, ...] = ()
    unfinished: int = 0
    finished: bool = True

    @property
    def present(self) -> list[int]:
        """Indices of all finished images in the folder."""
        return indices(self.folder)

    @property
    def missing(self) -> int:
        """How many images that this run was asked for are not there."""
        return len(self.failed) + len(self.quarantined) + self.unfinished

    @property
    def complete(self) -> bool:
        """Every image that this run was asked for is there."""
        return self.missing == 0


Progress = Callable[[Outcome], None]


def generate(
    recipe: Recipe, count: int, out: str | Path, seed: int = 0, options: Options | None = None,
    progress: Progress | None = None, order: Sequence[int] | None = None, begin: Callable[[int], None] | None = None,
    executor: Executor | None = None, retry: bool = False,
) -> Result:  # fmt: skip
    """Make images 0 … count − 1 of a dataset in the folder `out`, or those that are still missing there.

    `begin` is told how many images there are to make, and then `progress` of every one as it ends; `order` renders the
    indices in another order, with the same result. `executor` says who makes them, this machine unless told otherwise.

    An image that was put aside is left there, unless `retry` tries those that failed once more. One whose labels are in
    doubt is rendered again when its folder is deleted; the same versions on the same device make the same of it.

    Raises:
        DatasetError: the folder is not this dataset's, or cannot be written.
        RenderError: workers do not start, or a machine cannot make any image.
    """
    if not 1 <= count <= MAX_IMAGES:
        raise UsageError(f"a dataset has 1 to {MAX_IMAGES:,} images, got --count {count}")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed must be between 0 and {MAX_SEED}, got {seed}")
    if order is not None and sorted(order) != list(range(count)):
        raise UsageError(f"order must name each of 0 … {count - 1} once, got {len(order)} indices that do not")
    folder, options, executor = place(out), options or Options(), executor or Local()
    with lock(folder) if executor.alone else together(folder):
        info = open_dataset(folder, recipe, seed, count, versions(), executor.alone)
        mine = executor.mine(order if order is not None else range(count))
        if retry:
            drop_failures(folder, set(mine))
        todo = _left(mine, folder, info)
        if begin is not None:
            begin(len(todo))
        try:
            executor.run(RenderShard(_address(folder), "dataset", tuple(todo), info, options), progress or _deaf)
        finally:
            if executor.alone:
                _tidy(folder)
        if finished := not options.stop.requested and (executor.alone or not _left(range(count), folder, info)):
            info = export(folder, info)
    return _result(info, folder, todo, mine, finished)


def _deaf(_: Outcome) -> None:
    """For those who do not want to know."""


def _address(folder: Place) -> str:
    """The folder as other processes and machines find it."""
    return str(folder.absolute() if isinstance(folder, Path) else folder)


def _tidy(folder: Place) -> None:
    """Remove what a worker was writing when it was stopped."""
    for part in (folder, folder / TWINS):
        sweep(part)


def _left(asked: Iterable[int], folder: Place, info: DatasetInfo) -> list[int]:
    """Which images are neither there nor put aside."""
    done = present(folder, info).union(quarantined(folder), failed(folder))
    return [i for i in asked if i not in done]


def _result(info: DatasetInfo, folder: Place, todo: Sequence[int], asked: Iterable[int], finished: bool) -> Result:
    """What is there now of what was asked for."""
    wanted = set(asked)
    there, doubtful = present(folder, info), set(quarantined(folder))
    lost = failures(folder, wanted - there)
    return Result(
        info=info,
        folder=folder,
        asked=len(wanted),
        rendered=len(there & set(todo)),
        failed={i: f.reason for i, f in lost.items()},
        impossible=tuple(i for i, f in lost.items() if f.status == "impossible"),
        quarantined=tuple(sorted(doubtful & wanted - there)),
        finished=finished,
        unfinished=len(wanted - there - doubtful - lost.keys()),
    )


def add_twins(
    out: str | Path, options: Options | None = None, progress: Progress | None = None,
    begin: Callable[[int], None] | None = None, executor: Executor | None = None,
) -> Result:  # fmt: skip
    """Render the sound twin of every image in the dataset `out` that shows defects and has none yet.

    They make up a dataset of their own in its folder `twins/`, where an image has the index of the one that it is the
    twin of. `progress` and `begin` are as for `generate`. The device of a twin is that of its image: `options.device`
    "auto" takes what the record names.

    Raises:
        DatasetError: no dataset, one whose recipe knows no defects, one of other versions, it cannot be written, or
            another device made an image.
        RenderError: workers do not start.
    """
    folder, options, executor = place(out), options or Options(), executor or Local()
    info = read_info(folder)
    if info.derived is not None:
        raise DatasetError(f"{folder} holds no renders: add the twins to {info.derived.source.folder}, seen from there")
    if not info.defect_categories:
        raise DatasetError(f"the recipe of {folder} has no defects, so all its images are sound: nothing has a twin")
    with lock(folder) if executor.alone else together(folder):
        check_versions(info.versions, versions(), folder)
        having = {r.index: backend(r) for r in iter_records(folder) if any(o.defects for o in r.scene.objects)}
        twins = folder / TWINS
        mine = executor.mine(list(having))
        todo = _left(mine, twins, info)
        devices = {i: having[i] if options.device == "auto" else options.device for i in todo}
        if begin is not None:
            begin(len(todo))
        try:
            for device in sorted(set(devices.values())):
                some, there = tuple(i for i in todo if devices[i] == device), replace(options, device=device)
                executor.run(RenderShard(_address(twins), "twins", some, info, there), progress or _deaf)
        finally:
            if executor.alone:
                sweep(twins)
        if finished := not options.stop.requested and (executor.alone or not _left(having, twins, info)):
            info = export(folder, info)
    return _result(info, twins, todo, mine, finished)
