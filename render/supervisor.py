"""Many images shared out over workers: those that die, hang or have grown old are replaced, and nothing is lost."""

from __future__ import annotations

import selectors
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .. import errors
from ..errors import DatasetError, RenderError
from .worker import GRACE_S, START_S, Worker

__all__ = ["MAX_CRASHES", "Limits", "Outcome", "Supervisor"]

RECYCLE_BYTES = 3 << 30
MAX_CRASHES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one image, and why.

    `status` is "ok"; "quarantined"; "failed" after crashes, hangs or trouble of the renderer, where another try may
    help; or "impossible" after any other error, which the same (recipe, seed, index) meets every time.
    """

    index: int
    status: str
    reason: str | None = None


@dataclass(frozen=True)
class Limits:
    """How many workers at once, how long each may take for an image, after how many images it is replaced."""

    workers: int
    timeout_s: float
    recycle_images: int


@dataclass
class _Slot:
    """A worker, the image that it makes (None: it starts), and until when."""

    worker: Worker
    deadline: float
    index: int | None = None
    ready: bool = False
    served: int = 0


class Supervisor:
    """Hands indices to workers and replaces workers.

    Args:
        start: starts a worker that answers `{"index": i}` with the fields of an `Outcome`, and `rss` in bytes.
        todo: the indices, in the order in which they are begun.
        limits: see `Limits`.
        finished: what is there of an image whose worker died. It writes the record before it answers, so that an
            image may be complete all the same; None when it is not.
        progress: told of every image as it ends.
        greet: told the first answer of every worker; what it raises ends the run.
        partial: told every answer that is not the last one to a request. The time for a request begins anew then.
    """

    def __init__(
        self, start: Callable[[], Worker], todo: Iterable[int], limits: Limits,
        finished: Callable[[int], Outcome | None], progress: Callable[[Outcome], None],
        greet: Callable[[dict[str, Any]], None] = lambda _: None,
        partial: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._start, self._limits, self._finished, self._progress = start, limits, finished, progress
        self._greet, self._partial = greet, partial
        self._waiting = deque(todo)
        self._crashes: Counter[int] = Counter()
        self._failed_starts = 0
        self._started_once = False
        self._lost: dict[int, Outcome] = {}
        self._selector = selectors.DefaultSelector()
        self._slots: list[_Slot] = []

    def run(self) -> dict[int, Outcome]:
        """Until nothing waits and nobody works; gives the images, by index, that failed or are impossible.

        Raises:
            DatasetError: a worker cannot write.
            RenderError: workers do not start.
            ScenewrightError: whatever else a worker names as what ended it.
        """
        try:
            self._fill()
            while self._slots:
                self._wait()
        finally:
            for slot in list(self._slots):
                self._close(slot)
            self._selector.close()
        return self._lost

    def _wait(self) -> None:
        """Until something happens; then deal with it."""
        nearest = min(s.deadline for s in self._slots)
        for key, _ in self._selector.select(max(0.0, nearest - time.monotonic())):
            self._answer(key.data)
            while key.data in self._slots and key.data.worker.pending:
                self._answer(key.data)
        for slot in [s for s in self._slots if s.deadline <= time.monotonic()]:
            what = f"took longer than {self._limits.timeout_s:g} s" if slot.ready else "did not start in time"
            self._crashed(slot, slot.worker.with_tail(what))
        self._fill()

    def _fill(self) -> None:
        """Open workers while images wait that no starting worker will take."""
        while len(self._slots) < self._limits.workers and self._starting() < len(self._waiting):
            slot = _Slot(self._start(), time.monotonic() + max(self._limits.timeout_s, START_S))
            self._slots.append(slot)
            self._selector.register(slot.worker.fileno(), selectors.EVENT_READ, slot)

    def _starting(self) -> int:
        return sum(slot.index is None for slot in self._slots)

    def _close(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        self._selector.unregister(slot.worker.fileno())
        slot.worker.stop(busy=slot.index is not None or not slot.ready)

    def _answer(self, slot: _Slot) -> None:
        try:
            answer = slot.worker.receive(GRACE_S)
        except TimeoutError:
            self._crashed(slot, slot.worker.with_tail("stopped in the middle of an answer"))
            return
        if answer is None:
            self._crashed(slot, slot.worker.post_mortem())
            return
        if answer.get("partial"):
            slot.deadline = time.monotonic() + self._limits.timeout_s
            self._partial(answer)
            return
        if slot.index is None:
            self._ready(slot, answer)
        else:
            self._ended(slot, slot.index, answer)
        self._next(slot, int(answer.get("rss", 0)))

    def _ready(self, slot: _Slot, answer: dict[str, Any]) -> None:
        if answer.get("status") == "fatal":
            raise _error(answer, RenderError)
        self._greet(answer)
        slot.ready = self._started_once = True
        self._failed_starts = 0

    def _ended(self, slot: _Slot, index: int, answer: dict[str, Any]) -> None:
        slot.index, slot.served = None, slot.served + 1
        if answer["status"] == "fatal":
            raise _error(answer, DatasetError)
        self._tell(Outcome(index, answer["status"], answer.get("reason")))

    def _tell(self, outcome: Outcome) -> None:
        if outcome.status in ("failed", "impossible"):
            self._lost[outcome.index] = outcome
        self._progress(outcome)

    def _next(self, slot: _Slot, rss: int) -> None:
        """Give the worker another image, or close it."""
        if not self._waiting or slot.served >= self._limits.recycle_images or rss > RECYCLE_BYTES:
            self._close(slot)
            return
        slot.index = self._waiting.popleft()
        slot.deadline = time.monotonic() + self._limits.timeout_s
        slot.worker.send({"index": slot.index})

    def _crashed(self, slot: _Slot, reason: str) -> None:
        """A worker that has died or must go; its image is made again by another one, unless it is finished."""
        self._close(slot)
        if slot.index is None:
            self._failed_start(reason)
        elif (outcome := self._finished(slot.index)) is not None:
            self._tell(outcome)
        else:
            self._crashes[slot.index] += 1
            if self._crashes[slot.index] < MAX_CRASHES:
                self._waiting.appendleft(slot.index)
            else:
                self._tell(Outcome(slot.index, "failed", f"tried {MAX_CRASHES} times: {reason}"))

    def _failed_start(self, reason: str) -> None:
        """The first worker must start; later ones may fail now and then, on a machine that is short of something."""
        self._failed_starts += 1
        if not self._started_once:
            raise RenderError(
                f"the worker process did not start: {reason}\nrun `scenewright doctor` to see what is missing"
            )
        if self._failed_starts >= MAX_CRASHES:
            raise RenderError(f"workers died {MAX_CRASHES} times in a row while starting: {reason}")


def _error(answer: dict[str, Any], usual: type[Exception]) -> Exception:
    """What a worker ended with, as it named it."""
    kind: type[Exception] = getattr(errors, answer.get("error", ""), usual)
    return kind(answer["reason"])
