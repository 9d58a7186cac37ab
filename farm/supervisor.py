"""Many images shared out over the workers of one machine: those that die, hang, grow too large or old are replaced."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import errors
from ..errors import DatasetError, RenderError
from ..pipeline import Outcome
from ..render.worker import GRACE_S, START_S, Worker
from .job import CANARY, Evidence, Job, read_scene
from .stopping import Stop
from .tries import MAX_FAILURES, Backlog

__all__ = ["Limits", "Supervisor"]

RECYCLE_BYTES = 3 << 30
POLL_S = 1.0


@dataclass(frozen=True)
class Limits:
    """What workers may take.

    Attributes:
        workers: how many at once.
        timeout_s: seconds for an image, unless the job knows better.
        recycle_images: a worker is replaced after so many images.
        memory_bytes: a worker that holds more is killed, and the image has failed; None: the system decides.
    """

    workers: int
    timeout_s: float
    recycle_images: int
    memory_bytes: int | None = None


@dataclass
class _Slot:
    """A worker, the image that it makes (None: it starts), since when and until when."""

    number: int
    worker: Worker
    deadline: float
    index: int | None = None
    began: float = 0.0
    ready: bool = False
    served: int = 0


class Supervisor:
    """Hands indices to workers and replaces workers.

    A worker that has failed is replaced, and its image rather tried in another place. An image that has failed
    `MAX_FAILURES` times is suspected, not yet guilty: first a fresh worker has to make the canary. A machine that
    cannot make that in as many tries (its GPU is lost, its scratch disk full) would fail every image, and ends the run
    instead.

    Args:
        job: what workers do.
        todo: the indices, in the order in which they are begun.
        limits: see `Limits`.
        stop: when requested, no further image is begun, and what is in the making has a while to end.
    """

    def __init__(self, job: Job, todo: Iterable[int], limits: Limits, stop: Stop | None = None) -> None:
        self._job, self._limits, self._stop = job, limits, stop or Stop()
        self._backlog = Backlog(todo, limits.workers)
        self._suspects: list[Evidence] = []
        self._failed_starts = 0
        self._started_once = False
        self._lost: dict[int, Outcome] = {}
        self._selector = selectors.DefaultSelector()
        self._slots: list[_Slot] = []

    def run(self) -> dict[int, Outcome]:
        """Until nothing waits and nobody works, or the end was asked for; gives what could not be made, by index.

        Raises:
            DatasetError: a worker cannot write.
            RenderError: workers do not start, or cannot make the canary either.
            ScenewrightError: whatever else a worker names as what ended it.
        """
        try:
            self._fill()
            while self._slots and not self._stop.over:
                self._wait()
        finally:
            for slot in list(self._slots):
                self._close(slot)
            self._selector.close()
        return self._lost

    def _wait(self) -> None:
        """Until something happens, or for a second; then deal with it."""
        nearest = min(s.deadline for s in self._slots)
        pause = max(0.0, min(POLL_S, nearest - time.monotonic()))
        for key, _ in self._selector.select(pause):
            self._answer(key.data)
            while key.data in self._slots and key.data.worker.pending:
                self._answer(key.data)
        for slot in list(self._slots):
            if trouble := self._trouble(slot):
                self._crashed(slot, slot.worker.with_tail(trouble))
        if self._stop.requested:
            self._backlog.clear()
            for slot in [s for s in self._slots if s.index is None]:
                self._close(slot)
        self._job.beat()
        self._fill()

    def _trouble(self, slot: _Slot) -> str | None:
        """What a living worker has to be killed for."""
        if slot.deadline <= time.monotonic():
            return f"took longer than {slot.deadline - slot.began:.0f} s" if slot.ready else "did not start in time"
        limit = self._limits.memory_bytes
        if limit is not None and slot.index is not None and (held := slot.worker.resident()) > limit:
            return f"held {held / 2**30:.1f} GiB of memory, and {limit / 2**30:.1f} GiB are allowed (--memory)"
        return None

    def _fill(self) -> None:
        """Open workers in places for which more waits than starting workers will take."""
        for number in sorted(set(range(self._limits.workers)) - {s.number for s in self._slots}):
            if self._starting() >= self._backlog.count(number):
                continue
            now = time.monotonic()
            slot = _Slot(number, self._job.start(number), now + max(self._limits.timeout_s, START_S), began=now)
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
            reason = slot.worker.post_mortem()
            self._crashed(slot, reason, from_outside=slot.worker.was_killed)
            return
        if answer.get("partial"):
            slot.deadline = time.monotonic() + self._limit_s(slot.index)
            self._job.partial(answer)
            return
        if slot.index is None:
            self._ready(slot, answer)
        else:
            self._ended(slot, slot.index, answer)
        if slot in self._slots:
            self._next(slot, int(answer.get("rss", 0)))

    def _limit_s(self, index: int | None) -> float:
        if index is None or index == CANARY:
            return max(self._limits.timeout_s, START_S)
        return self._job.limit_s(self._limits.timeout_s, self._backlog.failures(index))

    def _ready(self, slot: _Slot, answer: dict[str, Any]) -> None:
        if answer.get("status") == "fatal":
            raise _error(answer, RenderError)
        self._job.greet(answer)
        self._job.started(time.monotonic() - slot.began)
        slot.ready = self._started_once = True
        self._failed_starts = 0

    def _ended(self, slot: _Slot, index: int, answer: dict[str, Any]) -> None:
        status, reason = answer["status"], answer.get("reason")
        if status == "fatal":
            raise _error(answer, DatasetError)
        if index != CANARY:
            self._job.ended(index, status, time.monotonic() - slot.began, slot.served == 0)
        if index == CANARY and status == "ok":
            self._convict()
        elif index == CANARY or status == "failed":
            self._failed(slot, index, str(reason))
        elif status == "impossible":
            self._tell(self._job.aside(self._evidence(slot, index, status, (str(reason),))))
        else:
            self._tell(Outcome(index, status, reason))
        slot.index, slot.served = None, slot.served + 1

    def _convict(self) -> None:
        """The canary was made: it is not this machine but the suspects that cannot be made."""
        suspects, self._suspects = self._suspects, []
        self._backlog.trusted()
        for failure in suspects:
            self._tell(self._job.aside(failure))

    def _sick(self, tries: int, reason: str) -> RenderError:
        """The canary cannot be made: it is this machine."""
        blamed = ", ".join(f"image {s.index} failed {len(s.reasons)} times" for s in self._suspects)
        return RenderError(
            f"this machine cannot make any image: {blamed}, and the simplest scene {tries} times: {reason}\n"
            "run `scenewright doctor` here, or go on with the same command elsewhere"
        )

    def _evidence(self, slot: _Slot, index: int, status: str, reasons: tuple[str, ...]) -> Evidence:
        worker = slot.worker
        return Evidence(index, status, reasons, worker.log(), read_scene(worker.scratch, index))

    def _tell(self, outcome: Outcome) -> None:
        if outcome.status not in ("ok", "quarantined"):
            self._lost[outcome.index] = outcome
        self._job.progress(outcome)

    def _next(self, slot: _Slot, rss: int) -> None:
        """Give the worker the canary, if it is fresh and suspects wait for that, or another image, or close it."""
        old = slot.served >= self._limits.recycle_images or rss > RECYCLE_BYTES
        done = old or self._stop.requested or self._gives_way(slot)
        slot.index = None if done else self._backlog.take(slot.number, fresh=not slot.served)
        if slot.index is None:
            self._close(slot)
            return
        slot.began = time.monotonic()
        slot.deadline = slot.began + self._limit_s(slot.index)
        if slot.index != CANARY:
            self._job.began(slot.index)
        slot.worker.send({"index": slot.index})

    def _gives_way(self, slot: _Slot) -> bool:
        """Whether a fresh worker shall make the canary here, since none can sooner in another place."""
        places, taken = self._backlog.trial(), {s.number for s in self._slots if s.served or s.index is not None}
        return slot.number in places <= taken

    def _crashed(self, slot: _Slot, reason: str, from_outside: bool = False) -> None:
        """A worker that has died or must go; its image is made again by another one, unless it is finished."""
        index = slot.index
        if index is not None and index != CANARY:
            self._job.ended(index, "crashed", time.monotonic() - slot.began, slot.served == 0)
        if index is None:
            self._close(slot)
            self._failed_start(reason, from_outside)
        elif index != CANARY and (outcome := self._finished(slot, index)) is not None:
            self._close(slot)
            self._tell(outcome)
        else:
            self._failed(slot, index, reason, from_outside)

    def _finished(self, slot: _Slot, index: int) -> Outcome | None:
        slot.worker.end()  # whoever still writes must not finish between our look and the next try
        return self._job.finished(index)

    def _failed(self, slot: _Slot, index: int, reason: str, from_outside: bool = False) -> None:
        """A try has failed: another one by another worker, or the end of it."""
        tries = self._backlog.failed(index, slot.number, reason, from_outside)
        failure = self._evidence(slot, index, "failed", tries.reasons)
        self._close(slot)
        if not tries.over:
            return
        if index == CANARY:
            raise self._sick(len(tries.reasons), reason)
        if self._job.canary:
            self._suspects.append(failure)
            self._backlog.suspect(slot.number)
        else:
            self._tell(self._job.aside(failure))

    def _failed_start(self, reason: str, from_outside: bool) -> None:
        """The first worker must start, unless somebody kills it.

        Later ones may fail now and then, on a machine that is short of something.
        """
        self._failed_starts += 1
        if not self._started_once and not from_outside:
            raise RenderError(
                f"the worker process did not start: {reason}\nrun `scenewright doctor` to see what is missing"
            )
        if self._failed_starts >= MAX_FAILURES:
            raise RenderError(f"workers died {MAX_FAILURES} times in a row while starting: {reason}")


def _error(answer: dict[str, Any], usual: type[Exception]) -> Exception:
    """What a worker ended with, as it named it."""
    kind: type[Exception] = getattr(errors, answer.get("error", ""), usual)
    return kind(answer["reason"])
