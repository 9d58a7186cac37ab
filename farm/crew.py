"""Workers that each hold a diffusion model, and the dataset that they work on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets.derived_folder import accept_model
from ..datasets.records import DatasetInfo
from ..diffusion.card import ModelCard
from ..errors import UsageError
from ..pipeline import Outcome
from ..render.machine import usable_cores
from ..render.worker import TIMEOUT_S, Worker
from .beats import settings_key
from .heartbeat import Heartbeat
from .job import Job
from .stopping import Stop
from .supervisor import Limits, Supervisor

__all__ = ["Crew", "Options"]

#: A worker keeps its model until the end.
UNLIMITED = 1 << 62
MAX_TIMEOUT_S = 604_800.0  # a week


@dataclass(frozen=True)
class Options:
    """How to run. Nothing here touches a pixel, but that on a CPU the threads of a worker are its share of the cores.

    Attributes:
        workers: processes that work side by side, each with the model; GPUs are dealt out to them in turn.
        timeout_s: a worker from which nothing comes for so long counts as hung, and its images are tried again.
        cores: what they divide between them; None: all of this machine.
        stop: requested, the run ends early but in order.
    """

    workers: int = 1
    timeout_s: float = TIMEOUT_S
    cores: int | None = None
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise UsageError(f"an image may take more than 0 s and up to a week, got --timeout {self.timeout_s:g}")


class Crew(Job):
    """Workers of one module that load the same model.

    Args:
        module: what they run; its first answer has the model's `card`.
        setup: what they are told; each gets its `number` besides, by which GPUs are dealt out, and `workers`, how many
            were asked for.
        folder, info: the dataset. `info` names the model once a worker has loaded it.
        loaded: told the card of the first worker that has loaded its model.
    """

    def __init__(
        self, module: str, setup: Mapping[str, Any], options: Options, folder: Path, info: DatasetInfo,
        loaded: Callable[[ModelCard], None],
    ) -> None:  # fmt: skip
        self.info = info
        self._module, self._setup, self._options, self._folder = module, setup, options, folder
        self._loaded = loaded
        self._more: dict[str, Any] = {}
        self._heartbeat: Heartbeat
        self._span = 1
        self._told: defaultdict[int, list[str]] = defaultdict(list)
        self._finished: Callable[[int], Outcome | None] = lambda _: None
        self._progress: Callable[[Outcome], None] = lambda _: None
        self._partial: Callable[[dict[str, Any]], None] = lambda _: None

    def run(
        self, todo: Sequence[int], finished: Callable[[int], Outcome | None], progress: Callable[[Outcome], None],
        partial: Callable[[dict[str, Any]], None] = lambda _: None, **more: Any,
    ) -> dict[int, Outcome]:  # fmt: skip
        """Have all of `todo` done; `finished`, `progress` and `partial` are as in `Job`, `more` goes into the setup.

        Gives what could not be done.

        Raises:
            DatasetError: another model has begun the dataset.
            ScenewrightError: what `Supervisor.run` raises.
        """
        # Not as many as there is work left for: their share of the cores decides pixels, also when a run goes on.
        self._more = {"workers": self._options.workers, "cores": self._options.cores or usable_cores(), **more}
        self._finished, self._progress, self._partial = finished, progress, partial
        self._span, self._told = more.get("span", 1), defaultdict(list)
        limits = Limits(self._options.workers, self._options.timeout_s, UNLIMITED)
        kind = "derived" if self.info.derived is None else self.info.derived.kind
        with Heartbeat(self._folder, self._options.workers, "auto", settings_key(self.info, kind)) as self._heartbeat:
            return Supervisor(self, todo, limits, self._options.stop).run()

    def start(self, number: int) -> Worker:
        """A worker that loads the model; its number decides which GPU it uses."""
        return Worker(self._module, {**self._setup, **self._more, "number": number})

    def greet(self, answer: dict[str, Any]) -> None:
        """What the worker has loaded: it has to be what the dataset was begun with."""
        card = ModelCard.model_validate(answer["card"])
        self._heartbeat.on(card.device)
        self.info = accept_model(self._folder, self.info, card)
        loaded, self._loaded = self._loaded, lambda _: None
        loaded(card)

    def finished(self, index: int) -> Outcome | None:
        """As the run in progress was told."""
        return self._finished(index)

    def progress(self, outcome: Outcome) -> None:
        """As the run in progress was told."""
        self._progress(outcome)

    def partial(self, answer: dict[str, Any]) -> None:
        """As the run in progress was told."""
        self._told[answer["index"] // self._span].append(answer["status"])
        self._partial(answer)

    def started(self, seconds: float) -> None:
        """For the heartbeat."""
        self._heartbeat.started(seconds)

    def began(self, index: int) -> None:
        """For the heartbeat."""
        self._heartbeat.began(index)

    def ended(self, index: int, status: str, seconds: float, first: bool = False) -> None:
        """For the heartbeat: of several images that were asked for by the number of the first each took a share."""
        images = self._told.pop(index // self._span, []) or [status]
        for became in images:
            self._heartbeat.ended(index, became, seconds / len(images), first)

    def beat(self) -> None:
        """For the heartbeat."""
        self._heartbeat.beat()
