"""A dataset that a model makes of another one, on any executor: what refining and painting have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..datasets.derived_folder import finish
from ..datasets.files import sweep
from ..datasets.locks import lock, together
from ..datasets.presence import present
from ..datasets.records import TWINS, DatasetInfo, read_info
from ..pipeline import Outcome
from .executors import Executor, Shard

__all__ = ["Derived", "Listeners", "derive"]


@dataclass(frozen=True)
class Derived:
    """What a run did.

    Attributes:
        info: the new dataset.
        made: images that this run has made.
        lost: index → what became of an image that could not be made.
        unfinished: how many it did not get to, because it was stopped.
        finished: whether it has written the annotations.
    """

    info: DatasetInfo
    made: int
    lost: dict[int, Outcome]
    unfinished: int
    finished: bool


@dataclass(frozen=True)
class Listeners:
    """Who wants to know: `begin` how many images are left to make of those asked for, `progress` of each that ends."""

    begin: Callable[[int, int], None]
    progress: Callable[[Outcome], None]


def derive(
    folder: Path, asked: Sequence[int], executor: Executor, listeners: Listeners, opened: Callable[[], DatasetInfo],
    shard: Callable[[tuple[int, ...], DatasetInfo], Shard],
) -> Derived:  # fmt: skip
    """Make the images that are asked for and not there yet.

    `opened` creates or continues the dataset in the folder, which is held by then; `shard` is the work on these images
    of it. Whoever finds the dataset complete, or had it for itself, writes its annotations.

    Raises:
        ScenewrightError: what these two and the executor raise.
    """
    lost: dict[int, Outcome] = {}

    def told(image: Outcome) -> None:
        if image.status != "ok":
            lost[image.index] = image
        listeners.progress(image)

    with lock(folder) if executor.alone else together(folder):
        info = opened()
        mine = executor.mine(asked)
        todo = _left(mine, folder, info)
        listeners.begin(len(todo), len(mine))
        work = shard(tuple(todo), info)
        try:
            executor.run(work, told)
        finally:
            for place in (folder, folder / TWINS) if executor.alone else ():
                sweep(place)
        left = _left(asked, folder, info)
        info = read_info(folder)
        if finished := not work.stop.requested and (executor.alone or not left):
            info = finish(folder, info)
    unfinished = {*left} & {*mine} - lost.keys()
    return Derived(info, len({*todo} - {*left}), dict(sorted(lost.items())), len(unfinished), finished)


def _left(asked: Iterable[int], folder: Path, info: DatasetInfo) -> list[int]:
    there = present(folder, info)
    return [i for i in asked if i not in there]
