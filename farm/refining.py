"""From a dataset to a new one whose pictures a diffusion model has refined, and whose labels still hold.

This is the parent's side: it imports no torch, hands shares of the images to workers (`refining_worker`), which write
finished images themselves, and counts how they came out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..datasets.derived_folder import check_places, finish, grouped, open_derived
from ..datasets.files import sweep
from ..datasets.folder import lock
from ..datasets.presence import is_there
from ..datasets.records import TWINS, DatasetInfo, indices, read_info
from ..diffusion.card import ModelCard, checked_license
from ..diffusion.load import Request
from ..diffusion.plan import Plan
from ..errors import UsageError
from ..pipeline import Outcome
from . import crew

__all__ = ["MODULE", "REQUEST", "Options", "Result", "refine"]

MODULE = "scenewright.farm.refining_worker"
REQUEST = TypeAdapter(Request)
#: A worker is handed so many batches at a time: what fails at first is tried again together.
BATCHES = 8
#: What is to be known of frames and views that were refined one by one.
APART = "frames and views of a group were refined one by one: what is new in one does not agree with the others"


@dataclass(frozen=True)
class Options(crew.Options):
    """How to run: as in `crew.Options`, and `count`, only the first so many images of the dataset."""

    count: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count is not None and self.count < 1:
            raise UsageError(f"there must be at least 1 image to refine, got --count {self.count}")


@dataclass(frozen=True)
class Result:
    """What a run did: the new dataset, how many images it made, and which of those asked for are not there, and why."""

    info: DatasetInfo
    folder: Path
    made: int
    failed: dict[int, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Every image that was asked for is there."""
        return not self.failed


def refine(
    dataset: str | Path, out: str | Path, request: Request, plan: Plan, options: Options | None = None,
    progress: Callable[[Outcome], None] = lambda _: None, begin: Callable[[int, int], None] = lambda *_: None,
    loaded: Callable[[ModelCard], None] = lambda _: None,
) -> Result:  # fmt: skip
    """Refine the images of a dataset, and their sound twins where it has some, into the folder `out`.

    `begin` is told how many images there are to make, of how many that were asked for, `loaded` what a worker has
    loaded, `progress` of every image.

    Raises:
        UsageError: something is asked for that cannot be meant, or that the model cannot do.
        ModelError: the model is refused, or fails.
        DatasetError: one of the folders cannot be used, or another plan or model has begun `out`.
        RenderError: workers do not start.
    """
    source, folder, options = Path(dataset), Path(out), options or Options()
    info = _renders(source)
    check_places(source, folder)
    checked_license(request.license)
    asked = indices(source)[: options.count]
    with lock(folder):
        notes = (APART,) if grouped(info) else ()
        info = open_derived(folder, source, info, "refined", plan.checked().model_dump(mode="json"), len(asked), notes)
        there = {i for i in indices(folder) if is_there(folder, i, info)}
        todo = [i for i in asked if i not in there]
        begin(len(todo), len(asked))
        shares = _Shares(todo, BATCHES * plan.batch, folder, progress)
        setup = {
            "source": str(source.absolute()), "folder": str(folder.absolute()), "plan": plan.model_dump(mode="json"),
            "request": REQUEST.dump_python(request, mode="json"), "last": max(todo, default=-1),
        }  # fmt: skip
        workers = crew.Crew(MODULE, setup, options, folder, info, loaded)
        try:
            shares.run(workers)
        finally:
            for place in (folder, folder / TWINS):
                sweep(place)
        info = finish(folder, workers.info)
    return Result(info, folder, len(todo) - len(shares.failed), dict(sorted(shares.failed.items())))


def _renders(source: Path) -> DatasetInfo:
    """What the source says; renders only, since what a gate lets pass twice would add up."""
    info = read_info(source)
    if info.derived is not None:
        raise UsageError(
            f"{source} holds no renders any more ({info.derived.kind}), and each time outlines may move by a pixel "
            f"unnoticed: refine the dataset that it was made of, {info.derived.source.folder} as seen from there"
        )
    if not indices(source):
        raise UsageError(f"{source} has no images: generate some first")
    return info


class _Shares:
    """Images in shares of some batches, for each of which a worker tells what became of every image."""

    def __init__(self, todo: Sequence[int], span: int, folder: Path, progress: Callable[[Outcome], None]) -> None:
        self.failed: dict[int, str] = {}
        self._todo, self._span, self._folder, self._progress = todo, span, folder, progress

    def run(self, workers: crew.Crew) -> None:
        """All shares, and one by one the images of those whose worker died again and again: one of them kills it."""
        for span in (self._span, 1):
            left = [i for i in self._todo if i not in self.failed and not is_there(self._folder, i, workers.info)]
            starts = sorted({i // span * span for i in left})
            if starts:
                workers.run(starts, lambda _: None, self._ended if span == 1 else _unheard, self._tell, span=span)

    def _tell(self, answer: dict[str, Any]) -> None:
        """What became of one image."""
        index, status, reason = answer["index"], answer["status"], answer.get("reason")
        if status == "failed":
            self.failed[index] = str(reason)
        self._progress(Outcome(index, status, reason))

    def _ended(self, image: Outcome) -> None:
        if image.status != "ok":
            self._tell({"index": image.index, "status": "failed", "reason": image.reason})


def _unheard(_: Outcome) -> None:
    """How a share ends says nothing that its images have not told."""
