"""From a dataset to a new one in whose sound pictures a diffusion model has painted defects.

This is the parent's side: it imports no torch, hands images to workers (`painting_worker`), which write finished ones
themselves, and counts what became of the requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from .datasets.derived_folder import accept_model, check_places, finish, open_derived
from .datasets.files import sweep
from .datasets.folder import lock
from .datasets.records import TWINS, DatasetInfo, indices, record_dicts
from .diffusion.card import ModelCard
from .diffusion.load import Request
from .diffusion.placing import Placing
from .errors import UsageError
from .painting_plan import Ask, planned
from .render.supervisor import Limits, Outcome, Supervisor
from .render.worker import TIMEOUT_S, Worker

__all__ = ["MODULE", "PLACING", "REQUEST", "Ask", "Options", "Result", "is_there", "paint"]

MODULE = "scenewright.painting_worker"
REQUEST, PLACING = TypeAdapter(Request), TypeAdapter(Placing)
#: Each image is painted alone.
APART = "frames and views of a group have their defects in the same places, and each its own paint there"
#: A worker keeps its model until the end.
UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Options:
    """How to run; nothing here touches a pixel.

    Attributes:
        workers: processes that paint side by side, each with the model.
        timeout_s: an image that takes longer is tried again, and given up in the end.
    """

    workers: int = 1
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if not 0 < self.timeout_s <= 604_800:
            raise UsageError(f"an image may take more than 0 s and up to a week, got --timeout {self.timeout_s:g}")


@dataclass(frozen=True)
class Result:
    """What a run did.

    Attributes:
        info, folder: the new dataset.
        made: images that this run has made.
        requested, accepted: kind → how many defects of the whole dataset.
        failed: index → why an image is not there; `impossible` are those that fail the same way every time.
    """

    info: DatasetInfo
    folder: Path
    made: int
    requested: dict[str, int]
    accepted: dict[str, int]
    failed: dict[int, str] = field(default_factory=dict)
    impossible: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Every image that was asked for is there."""
        return not self.failed


def paint(
    dataset: str | Path, out: str | Path, ask: Ask | None = None, options: Options | None = None,
    progress: Callable[[Outcome], None] = lambda _: None, begin: Callable[[int, int], None] = lambda *_: None,
    loaded: Callable[[ModelCard], None] = lambda _: None,
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
    check_places(source, folder)
    plan, info = planned(source, ask)
    images = indices(source)
    with lock(folder):
        told = plan.model_dump(mode="json")
        info = open_derived(folder, source, info, "variant", told, len(images), _notes(info))
        there = {i for i in indices(folder) if is_there(folder, i)}
        todo = [i for i in images if i not in there]
        begin(len(todo), len(images))
        run = _Run(source, folder, info, ask, options, todo, progress, loaded)
        try:
            lost = run()
        finally:
            for place in (folder, folder / TWINS):
                sweep(place)
        info = finish(folder, run.info)
    impossible = tuple(i for i, o in sorted(lost.items()) if o.status == "impossible")
    failed = {i: o.reason or "" for i, o in sorted(lost.items())}
    return Result(info, folder, len(todo) - len(lost), *_counted(folder), failed, impossible)


def is_there(folder: Path, index: int) -> bool:
    """Whether an image is finished; one whose picture somebody deleted is made again."""
    return all((folder / name / f"{index:06d}{suffix}").is_file() for name, suffix in (
        ("records", ".json"), ("images", ".png"),
    ))  # fmt: skip


def _notes(info: DatasetInfo) -> tuple[str, ...]:
    """What must be known of defects in sequences and stereo pairs."""
    camera, motion = info.recipe.get("camera") or {}, info.recipe.get("motion") or {}
    return () if camera.get("stereo") is None and motion.get("frames", 1) == 1 else (APART,)


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


class _Run:
    """One run: the workers, and what they tell."""

    def __init__(
        self, source: Path, folder: Path, info: DatasetInfo, ask: Ask, options: Options, todo: Sequence[int],
        progress: Callable[[Outcome], None], loaded: Callable[[ModelCard], None],
    ) -> None:  # fmt: skip
        self.info = info
        self._folder, self._options, self._progress, self._loaded = folder, options, progress, loaded
        self._todo = todo
        self._workers: dict[int, Worker] = {}
        self._setup: dict[str, Any] = {
            "source": str(source.absolute()), "folder": str(folder.absolute()),
            "masks": None if ask.masks is None else str(ask.masks.absolute()),
            "model": None if ask.model is None else REQUEST.dump_python(ask.model, mode="json"),
            "placing": PLACING.dump_python(ask.placing, mode="json"), "workers": min(options.workers, len(todo)),
        }  # fmt: skip

    def __call__(self) -> dict[int, Outcome]:
        """Paint; gives the images that could not be made."""
        limits = Limits(self._options.workers, self._options.timeout_s, UNLIMITED)
        return Supervisor(
            self._start, self._todo, limits, self._finished, self._progress, self._greet
        ).run()  # fmt: skip

    def _start(self) -> Worker:
        """A worker in the first place that none holds; its number decides which GPU it uses."""
        number = next(k for k in range(self._options.workers) if k not in self._workers or self._workers[k].ended)
        self._workers[number] = Worker(MODULE, {**self._setup, "number": number})
        return self._workers[number]

    def _finished(self, index: int) -> Outcome | None:
        return Outcome(index, "ok") if is_there(self._folder, index) else None

    def _greet(self, answer: dict[str, Any]) -> None:
        card = ModelCard.model_validate(answer["card"])
        self.info = accept_model(self._folder, self.info, card)
        loaded, self._loaded = self._loaded, lambda _: None
        loaded(card)
