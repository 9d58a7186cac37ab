"""From a dataset to a new one whose pictures a diffusion model has refined, and whose labels still hold.

This is the parent's side: it imports no torch, hands shares of the images to workers (`refining_worker`), which write
finished images themselves, and counts how they came out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..datasets.derived_folder import check_places, grouped, open_derived
from ..datasets.presence import present
from ..datasets.records import DatasetInfo, indices, read_info
from ..diffusion.card import ModelCard, checked_license
from ..diffusion.load import Request
from ..diffusion.plan import Plan
from ..errors import UsageError
from ..pipeline import Outcome
from . import crew
from .deriving import Listeners, derive
from .executors import Executor, Local
from .on_device import placed
from .stopping import Stop

__all__ = ["MODULE", "REQUEST", "Options", "RefineShard", "Result", "refine"]

MODULE = "scenewright.farm.refining_worker"
REQUEST = TypeAdapter(Request)
#: A worker is handed so many batches at a time: what fails at first is tried again together.
BATCHES = 8
#: What is to be known of frames and views that were refined one by one.
APART = "frames and views of a group were refined one by one: what is new in one does not agree with the others"


Progress = Callable[[Outcome], None]


def _unheard(_: object) -> None:
    """For what tells nothing that was not told already."""


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
    """What a run did.

    Attributes:
        info, folder: the new dataset.
        made: images that this run has made.
        failed: index → why an image that it was asked for is not there.
        unfinished: how many it did not get to, because it was stopped.
        finished: as in `deriving.Derived`.
    """

    info: DatasetInfo
    folder: Path
    made: int
    failed: dict[int, str] = field(default_factory=dict)
    unfinished: int = 0
    finished: bool = True

    @property
    def complete(self) -> bool:
        """Every image that was asked for is there."""
        return not self.failed and not self.unfinished


def refine(
    dataset: str | Path, out: str | Path, request: Request, plan: Plan, options: Options | None = None,
    progress: Progress = lambda _: None, begin: Callable[[int, int], None] = lambda *_: None,
    loaded: Callable[[ModelCard], None] = lambda _: None, executor: Executor | None = None,
) -> Result:  # fmt: skip
    """Refine the images of a dataset, and their sound twins where it has some, into the folder `out`.

    `begin` is told how many images there are to make, of how many that were asked for, `loaded` what a worker on this
    machine has loaded, `progress` of every image. `executor` says who makes them, this machine unless told otherwise;
    both folders must be the same ones for all machines.

    Raises:
        UsageError: something is asked for that cannot be meant, or that the model cannot do.
        ModelError: the model is refused, or fails.
        DatasetError: one of the folders cannot be used, or another plan or model has begun `out`.
        RenderError: workers do not start.
    """
    source, folder, options, executor = Path(dataset), Path(out), options or Options(), executor or Local()
    info = _renders(source)
    check_places(source, folder)
    checked_license(request.license)
    asked = indices(source)[: options.count]
    places = str(source.absolute()), str(folder.absolute())

    def opened() -> DatasetInfo:
        notes, plain = (APART,) if grouped(info) else (), plan.checked().model_dump(mode="json")
        return open_derived(folder, source, info, "refined", plain, len(asked), notes, executor.alone)

    def shard(todo: tuple[int, ...], new: DatasetInfo) -> RefineShard:
        return RefineShard(*places, todo, request, plan, new, options, loaded)

    done = derive(folder, asked, executor, Listeners(begin, progress), opened, shard)
    failed = {i: str(o.reason) for i, o in done.lost.items()}
    return Result(done.info, folder, done.made, failed, done.unfinished, done.finished)


@dataclass(frozen=True)
class RefineShard:
    """Images to be refined; see `executors.Shard`.

    Attributes:
        source, place: folders of the dataset and of the new one.
        indices: which images.
        request, plan: the model, and what it is to do.
        info: what the new dataset's `dataset.json` says.
        options: how to go about it.
        loaded: told of the model, where that happens in this process.
    """

    source: str
    place: str
    indices: tuple[int, ...]
    request: Request
    plan: Plan
    info: DatasetInfo
    options: Options
    loaded: Callable[[ModelCard], None] = _unheard

    @property
    def stop(self) -> Stop:
        """Requested, the shard ends early but in order."""
        return self.options.stop

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> RefineShard:
        """Some of its images, for one worker of another machine on so many cores, and on a GPU or on none."""
        options = replace(self.options, workers=1, cores=cpus, stop=Stop())
        request = replace(self.request, placing=placed(self.request.placing, gpu))
        return replace(self, indices=indices, request=request, options=options, loaded=_unheard)

    def make(self, progress: Progress) -> None:
        """Refine the images that are not there yet, in shares of some batches.

        One by one come those of shares whose worker died again and again: one of them kills it.

        Raises:
            DatasetError, ModelError, UsageError: see `refine`.
        """
        folder, failed = Path(self.place), set[int]()

        def tell(answer: dict[str, Any]) -> None:
            failed.update({answer["index"]} if answer["status"] == "failed" else ())
            progress(Outcome(answer["index"], answer["status"], answer.get("reason")))

        def ended(image: Outcome) -> None:
            if image.status != "ok":
                tell({"index": image.index, "status": "failed", "reason": image.reason})

        setup = {
            "source": self.source, "folder": self.place, "plan": self.plan.model_dump(mode="json"),
            "request": REQUEST.dump_python(self.request, mode="json"), "asked": self.indices,
        }  # fmt: skip
        workers = crew.Crew(MODULE, setup, self.options, folder, read_info(folder), self.loaded)
        for span in (BATCHES * self.plan.batch, 1):
            there = present(folder, self.info) | failed
            starts = sorted({i // span * span for i in self.indices if i not in there})
            if starts and not self.stop.requested:
                workers.run(starts, lambda _: None, ended if span == 1 else _unheard, tell, span=span)


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
