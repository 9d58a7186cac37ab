"""The ladder: refine, judge, and where labels did not survive try again more gently, down to the render itself.

First as asked for; then with less strength and new seeds; then the render pasted back over the instances that failed;
last the render, untouched. Every rung leaves its scores, whether it was accepted or not.

Judging costs processor time while a GPU stands still, so images climb side by side: the model is given the next batch
while others are judged, elsewhere if `pool` says so. What comes out for an image does not depend on the others.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, ScenewrightError, UsageError
from .gate import Reference, Verdict, judge
from .gate_outlines import wider
from .jobs import Job, Refined
from .tries import Rung, Status

__all__ = ["SHARES", "Case", "Inline", "Outcome", "climb", "seed_of"]

Refine = Callable[[Sequence[Job]], Sequence[Refined | ModelError]]
Image = npt.NDArray[np.uint8]

#: Shares of the strength that was asked for, one after the other.
SHARES = (1.0, 0.7, 0.5)
#: A pasted instance brings so many pixels around it along.
PASTED_PX = 3


@dataclass(frozen=True)
class Case:
    """An image to be refined, and its render as the gate measured it."""

    job: Job
    reference: Reference

    def __post_init__(self) -> None:
        if not np.array_equal(self.job.image, self.reference.render):
            raise UsageError(f"the reference of image {self.job.index} is of another render")


AnyCase = TypeVar("AnyCase", bound=Case)


@dataclass(frozen=True)
class Outcome:
    """What became of an image, and the tries that led there; the last one was accepted, unless `status` is fallback."""

    image: Image
    status: Status
    rungs: tuple[Rung, ...]


class Inline(Executor):
    """Does at once, in this process, what is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The result of `fn`, or what it raised."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except ScenewrightError as error:
            done.set_exception(error)
        return done


def seed_of(seed: int, attempt: int) -> int:
    """The seed of an attempt: that of the job at first, then others that depend on it alone."""
    if attempt == 0:
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed} {attempt}".encode(), digest_size=8).digest(), "little") >> 1


def climb(
    cases: Iterable[Future[AnyCase]], refine: Refine, batch: int = 1, pool: Executor | None = None,
    shares: Sequence[float] = SHARES,
) -> Iterator[tuple[int, Outcome | ScenewrightError]]:  # fmt: skip
    """Refine images so that their labels stay true; gives each, with its number among the cases, as it is done.

    A case that could not be prepared, or on which the model failed, comes out as the error that it ended with. `refine`
    is called with up to `batch` jobs of one strength: what comes out for a job must not depend on the others, as with
    `Refiner.refine`. A share that leaves the model no denoising step is left out. `pool` is where the gate judges: in
    this process by default.
    """
    ladder, waiting = _Ladder(refine, batch, pool or Inline(), shares), deque(enumerate(cases))
    while waiting or ladder.busy:
        some = ladder.together(to_the_last=not waiting)
        while waiting and not some:
            for number, case in [waiting.popleft() for _ in range(min(batch, len(waiting)))]:
                if isinstance(error := case.exception(), ScenewrightError):
                    yield number, error
                else:
                    some.append(ladder.at_the_foot(number, case.result()))
        yield from ladder.step(some)


@dataclass
class _Climber:
    """An image on its way: its place among the cases, its next try, what was tried, what pasting would start from."""

    number: int
    case: Case
    job: Job
    attempt: int = 0
    rungs: list[Rung] = field(default_factory=list)
    image: Image | None = None
    failed: tuple[int, ...] = ()

    def ended(self, status: Status, image: Image) -> tuple[int, Outcome]:
        return self.number, Outcome(image, status, tuple(self.rungs))


class _Ladder:
    """The images that were tried at least once: those that are being judged, and those that are to be tried again."""

    def __init__(self, refine: Refine, batch: int, pool: Executor, shares: Sequence[float]) -> None:
        self._refine, self._batch, self._pool, self._shares = refine, batch, pool, shares
        self._again: list[_Climber] = []
        self._judging: dict[Future[Verdict], tuple[_Climber, Image, Rung]] = {}

    @property
    def busy(self) -> bool:
        """Whether any image is on its way."""
        return bool(self._again or self._judging)

    def at_the_foot(self, number: int, case: Case) -> _Climber:
        """An image before its first try."""
        job = self._try(case.job, 0)
        assert job is not None
        return _Climber(number, case, job)

    def together(self, to_the_last: bool) -> list[_Climber]:
        """A batch of those that failed equally often and have different places in it; what does not fill one waits.

        `to_the_last`: nothing new will come, so that once none is being judged a smaller batch will do.
        """
        for attempt in sorted({c.attempt for c in self._again}):
            apart = {c.job.index % self._batch: c for c in self._again if c.attempt == attempt}
            if len(apart) == self._batch or (to_the_last and not self._judging):
                return list(apart.values())
        return []

    def step(self, climbers: list[_Climber]) -> Iterator[tuple[int, Outcome | ScenewrightError]]:
        """Have the model make a batch, and take what the gate has judged meanwhile; without a batch, wait for it."""
        self._again = [c for c in self._again if c not in climbers]
        made = self._refine([c.job for c in climbers]) if climbers else ()
        for climber, refined in zip(climbers, made, strict=True):
            if isinstance(refined, ModelError):
                yield climber.number, refined
                continue
            rung = Rung("refined", climber.job.strength, climber.job.seed, refined.steps, refined.flagged)
            if refined.flagged:
                yield from self._failed(climber, rung)
            else:
                self._judge(climber, refined.image, rung)
        if self._judging:
            done, _ = wait(self._judging, timeout=0 if climbers else None, return_when=FIRST_COMPLETED)
            for verdict in sorted(done, key=lambda f: self._judging[f][0].number):
                yield from self._judged(*self._judging.pop(verdict), verdict.result())

    def _judge(self, climber: _Climber, image: Image, rung: Rung) -> None:
        self._judging[self._pool.submit(judge, climber.case.reference, image)] = climber, image, rung

    def _judged(self, climber: _Climber, image: Image, rung: Rung, verdict: Verdict) -> Iterator[tuple[int, Outcome]]:
        if verdict.accepted:
            climber.rungs.append(replace(rung, verdict=verdict))
            yield climber.ended(rung.status, image)
        else:
            climber.image, climber.failed = image, verdict.failed_ids
            yield from self._failed(climber, replace(rung, verdict=verdict))

    def _failed(self, climber: _Climber, rung: Rung) -> Iterator[tuple[int, Outcome]]:
        """On to the next rung."""
        climber.rungs.append(rung)
        climber.attempt += 1
        job = self._try(climber.case.job, climber.attempt) if rung.status == "refined" else None
        if job is not None:
            climber.job = job
            self._again.append(climber)
        elif rung.status == "refined" and climber.image is not None and climber.failed:
            # The last one that was judged is the gentlest.
            mask = wider(np.isin(climber.case.reference.ids, np.array(climber.failed)), PASTED_PX)
            mended = np.where(mask[..., None], climber.case.reference.render, climber.image)
            self._judge(climber, mended, Rung("pasted", None, None, 0, False, climber.failed))
        else:
            yield climber.ended("fallback", climber.case.reference.render)

    def _try(self, job: Job, attempt: int) -> Job | None:
        """The job of an attempt; None after the last, or where its strength would leave no step."""
        if attempt >= len(self._shares):
            return None
        seed = seed_of(job.seed, attempt)
        if job.strength is None:
            return replace(job, seed=seed)
        strength = round(job.strength * self._shares[attempt], 6)
        if attempt and int(job.steps * strength) < 1:
            return None
        return replace(job, seed=seed, strength=strength)
