"""From a dataset to a new one in whose sound pictures a diffusion model has painted defects.

This is the parent's side: it imports no torch, hands images to workers (`painting_worker`), which write finished ones
themselves, and counts what became of the requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ..datasets.derived_folder import check_places, grouped, open_derived
from ..datasets.presence import is_there
from ..datasets.records import DatasetInfo, indices, read_info, record_dicts, write_info
from ..diffusion.card import ModelCard
from ..diffusion.load import Request
from ..diffusion.paint_plan import PaintPlan
from ..diffusion.placing import Placing
from ..errors import DatasetError
from ..pipeline import Outcome
from .crew import Crew, Options
from .deriving import Listeners, derive
from .executors import Executor, Local
from .on_device import placed
from .painting_plan import Ask, planned
from .stopping import Stop

__all__ = ["MODULE", "PLACING", "REQUEST", "Ask", "Options", "Result", "paint"]

MODULE = "scenewright.farm.painting_worker"
REQUEST, PLACING = TypeAdapter(Request), TypeAdapter(Placing)
#: Each image is painted alone.
APART = "frames and views of a group have their defects in the same places, and each its own paint there"


@dataclass(frozen=True)
class Result:
    """What a run did.

    Attributes:
        info, folder: the new dataset.
        made: images that this run has made.
        requested, accepted: kind → how many defects of the whole dataset.
        failed: index → why an image is not there; `impossible` are those that fail the same way every time.
        unfinished: how many it did not get to, because it was stopped.
        finished: as in `deriving.Derived`.
    """

    info: DatasetInfo
    folder: Path
    made: int
    requested: dict[str, int]
    accepted: dict[str, int]
    failed: dict[int, str] = field(default_factory=dict)
    impossible: tuple[int, ...] = ()
    unfinished: int = 0
    finished: bool = True

    @property
    def complete(self) -> bool:
        """Every image that was asked for is there."""
        return not self.failed and not self.unfinished


def paint(
    dataset: str | Path, out: str | Path, ask: Ask | None = None, options: Options | None = None,
    progress: Callable[[Outcome], None] = lambda _: None, begin: Callable[[int, int], None] = lambda *_: None,
    loaded: Callable[[ModelCard], None] = lambda _: None, executor: Executor | None = None,
) -> Result:  # fmt: skip
    """Paint defects into the sound pictures of a dataset, each labelled by what has changed, into the folder `out`.

    The arguments from `progress` on are as for `refining.refine`.

    Raises:
        UsageError: something is asked for that cannot be meant.
        ModelError: the model is refused.
        DatasetError: one of the folders cannot be used, or another plan or model has begun `out`.
        RenderError: workers do not start.
    """
    source, folder, options, ask = Path(dataset), Path(out), options or Options(), ask or Ask()
    executor = executor or Local()
    check_places(source, folder)
    plan, info = planned(source, ask)
    images = indices(source)
    places = str(source.absolute()), str(folder.absolute())

    def opened() -> DatasetInfo:
        return _opened(folder, source, info, plan, len(images), executor.alone)

    def shard(todo: tuple[int, ...], new: DatasetInfo) -> PaintShard:
        return PaintShard(*places, todo, ask, new, options, loaded)

    done = derive(folder, images, executor, Listeners(begin, progress), opened, shard)
    impossible = tuple(i for i, o in done.lost.items() if o.status == "impossible")
    failed = {i: o.reason or "" for i, o in done.lost.items()}
    return Result(done.info, folder, done.made, *_counted(folder), failed, impossible, done.unfinished, done.finished)


def _unheard(_: object) -> None:
    """For machines on which nobody listens."""


@dataclass(frozen=True)
class PaintShard:
    """Images to be painted; see `executors.Shard`.

    Attributes:
        source, place: folders of the dataset and of the new one.
        indices: which images.
        ask: where, and by which model.
        info: what the new dataset's `dataset.json` says.
        options: how to go about it.
        loaded: told of the model, where that happens in this process.
    """

    source: str
    place: str
    indices: tuple[int, ...]
    ask: Ask
    info: DatasetInfo
    options: Options
    loaded: Callable[[ModelCard], None] = _unheard

    @property
    def stop(self) -> Stop:
        """Requested, the shard ends early but in order."""
        return self.options.stop

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> PaintShard:
        """Some of its images, for one worker of another machine on so many cores, and on a GPU or on none."""
        ask, model = self.ask, self.ask.model
        theirs = None if model is None else replace(model, placing=placed(model.placing, gpu))
        ask = replace(ask, placing=placed(ask.placing, gpu), model=theirs)
        options = replace(self.options, workers=1, cores=cpus, stop=Stop())
        return replace(self, indices=indices, ask=ask, options=options, loaded=_unheard)

    def make(self, progress: Callable[[Outcome], None]) -> None:
        """Paint the images that are not there yet.

        Raises:
            DatasetError, ModelError: see `paint`.
        """
        ask, folder = self.ask, Path(self.place)
        setup = {
            "source": self.source, "folder": self.place,
            "masks": None if ask.masks is None else str(ask.masks.absolute()),
            "model": None if ask.model is None else REQUEST.dump_python(ask.model, mode="json"),
            "placing": PLACING.dump_python(ask.placing, mode="json"),
        }  # fmt: skip

        def finished(index: int) -> Outcome | None:
            return Outcome(index, "ok") if is_there(folder, index, self.info) else None

        todo = [i for i in self.indices if finished(i) is None]
        Crew(MODULE, setup, self.options, folder, read_info(folder), self.loaded).run(todo, finished, progress)


def _opened(folder: Path, source: Path, info: DatasetInfo, plan: PaintPlan, images: int, alone: bool) -> DatasetInfo:
    """Create or continue the new dataset, whose dataset.json says the plan of this run in the end."""
    told = plan.model_dump(mode="json")
    info, masks = _going_on(folder, info, told["masks"])
    then = told | {"masks": masks}
    info = open_derived(folder, source, info, "variant", then, images, (APART,) if grouped(info) else (), alone)
    assert info.derived is not None
    if told != then:
        info = info.model_copy(update={"derived": info.derived.model_copy(update={"plan": told})})
        write_info(folder, info)
    return info


def _going_on(folder: Path, info: DatasetInfo, masks: dict[str, str]) -> tuple[DatasetInfo, dict[str, str]]:
    """What dataset.json shall say, and masks (name → sha256) by which to tell whether a folder can be continued.

    Only masks of images that are there have to be what they were: others may be mended, added and left out. What no
    mask asks for any more stays among the categories; a new one would be unknown to the images that are there.

    Raises:
        DatasetError: a mask asks for a new category.
    """
    there = {f"{i:06d}" for i in indices(folder)}
    old = read_info(folder) if there and (folder / "dataset.json").is_file() else None
    if not masks or old is None or old.derived is None or not (then := old.derived.plan.get("masks")):
        return info, masks
    if new := [c for c in info.defect_categories if c not in old.defect_categories]:
        raise DatasetError(
            f"{folder} was begun without defects of the category {new[0]!r}, for which there is a mask now: its "
            "images would not match. Choose another --out"
        )
    kept = {name: sha for name, sha in masks.items() if name.split(".")[0] in there}
    kept |= {name: sha for name, sha in then.items() if name.split(".")[0] not in there}
    return info.model_copy(update={"defect_categories": old.defect_categories}), kept


def _counted(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Kind → how many defects were requested, and how many of them accepted."""
    requested: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for record in record_dicts(folder):
        derived: Mapping[str, Any] = record.get("derived") or {}
        for item in derived.get("defects", ()):
            requested[item["kind"]] += 1
            accepted[item["kind"]] += item["changed_rle"] is not None
    return dict(sorted(requested.items())), dict(sorted(accepted.items()))
