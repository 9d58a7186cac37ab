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

from .datasets.derived_folder import accept_model, check_places, finish, open_derived
from .datasets.files import sweep
from .datasets.folder import lock
from .datasets.records import TWINS, DatasetInfo, indices, read_info, read_record, record_path
from .diffusion.card import ModelCard, checked_license
from .diffusion.load import Request
from .diffusion.plan import Plan
from .errors import UsageError
from .render.supervisor import Limits, Outcome, Supervisor
from .render.worker import TIMEOUT_S, Worker

__all__ = ["MODULE", "REQUEST", "Options", "Result", "is_there", "refine"]

MODULE = "scenewright.refining_worker"
REQUEST = TypeAdapter(Request)
#: A worker is handed so many batches at a time: what fails at first is tried again together.
BATCHES = 8
#: What is to be known of frames and views that were refined one by one.
APART = "frames and views of a group were refined one by one: what is new in one does not agree with the others"
#: A worker keeps its model until the end.
UNLIMITED = 1 << 62


@dataclass(frozen=True)
class Options:
    """How to run. Nothing here touches a pixel, but that on a CPU the threads of a worker are its share of the cores.

    Attributes:
        workers: processes that refine side by side, each with the model; GPUs are dealt out to them in turn.
        timeout_s: a worker from which nothing comes for so long counts as hung, and its images are tried again.
        count: only the first so many images of the dataset.
    """

    workers: int = 1
    timeout_s: float = TIMEOUT_S
    count: int | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if not 0 < self.timeout_s <= 604_800:
            raise UsageError(f"an image may take more than 0 s and up to a week, got --timeout {self.timeout_s:g}")
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
        notes = (APART,) if _grouped(source, asked[-1]) else ()
        info = open_derived(folder, source, info, "refined", plan.checked().model_dump(mode="json"), len(asked), notes)
        there = {i for i in indices(folder) if is_there(folder, i)}
        todo = [i for i in asked if i not in there]
        begin(len(todo), len(asked))
        run = _Run(source, folder, info, request, plan, options, todo, progress, loaded)
        try:
            run()
        finally:
            for place in (folder, folder / TWINS):
                sweep(place)
        info = finish(folder, run.info)
    return Result(info, folder, len(todo) - len(run.failed), dict(sorted(run.failed.items())))


def is_there(folder: Path, index: int) -> bool:
    """Whether an image is finished; one whose picture somebody deleted is made again."""
    return all((folder / name / f"{index:06d}{suffix}").is_file() for name, suffix in (
        ("records", ".json"), ("images", ".png"),
    ))  # fmt: skip


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


def _grouped(source: Path, last: int) -> bool:
    """Whether images belong together, as frames of a sequence or as a stereo pair."""
    return read_record(record_path(source, last)).scene.group != last


class _Run:
    """One run: what it is told by workers, and which images were lost."""

    def __init__(
        self, source: Path, folder: Path, info: DatasetInfo, request: Request, plan: Plan, options: Options,
        todo: Sequence[int], progress: Callable[[Outcome], None], loaded: Callable[[ModelCard], None],
    ) -> None:  # fmt: skip
        self.info, self.failed = info, dict[int, str]()
        self._folder, self._options, self._progress, self._loaded = folder, options, progress, loaded
        self._todo, self._span = todo, BATCHES * plan.batch
        self._starts = sorted({i // self._span * self._span for i in todo})
        self._workers: dict[int, Worker] = {}
        self._setup: dict[str, Any] = {
            "source": str(source.absolute()), "folder": str(folder.absolute()), "plan": plan.model_dump(mode="json"),
            "request": REQUEST.dump_python(request, mode="json"), "span": self._span, "last": max(todo, default=-1),
            "workers": min(options.workers, len(self._starts)),
        }  # fmt: skip

    def __call__(self) -> None:
        if self._starts:
            limits = Limits(self._options.workers, self._options.timeout_s, UNLIMITED)
            Supervisor(
                self._start, self._starts, limits, lambda _: None, self._ended, self._greet, self._tell
            ).run()  # fmt: skip

    def _start(self) -> Worker:
        """A worker in the first place that none holds; its number decides which GPU it uses."""
        number = next(k for k in range(self._options.workers) if k not in self._workers or self._workers[k].ended)
        self._workers[number] = Worker(MODULE, {**self._setup, "number": number})
        return self._workers[number]

    def _greet(self, answer: dict[str, Any]) -> None:
        card = ModelCard.model_validate(answer["card"])
        self.info = accept_model(self._folder, self.info, card)
        loaded, self._loaded = self._loaded, lambda _: None
        loaded(card)

    def _tell(self, answer: dict[str, Any]) -> None:
        """What became of one image."""
        index, status, reason = answer["index"], answer["status"], answer.get("reason")
        if status == "failed":
            self.failed[index] = str(reason)
        self._progress(Outcome(index, status, reason))

    def _ended(self, share: Outcome) -> None:
        """A share whose worker died again and again takes with it what is not there of it."""
        if share.status == "ok":
            return
        for index in self._todo:
            among = share.index <= index < share.index + self._span
            if among and index not in self.failed and not is_there(self._folder, index):
                self._tell({"index": index, "status": "failed", "reason": share.reason})
