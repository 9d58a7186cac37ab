"""What is left to make, and in which place: after a failure rather in another one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from .job import CANARY

__all__ = ["MAX_FAILURES", "MAX_KILLS", "Backlog", "Tries"]

MAX_FAILURES = 3
#: Who is killed from outside may have been in somebody's way (a cgroup's limit, an operator): it need not be the image.
MAX_KILLS = 10


@dataclass
class Tries:
    """What the tries at an image came to.

    Attributes:
        failures: why it failed, once for each try.
        kills: deaths that came from outside.
        places: where it failed.
    """

    failures: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether it shall be tried no more."""
        return len(self.failures) >= MAX_FAILURES or len(self.kills) >= MAX_KILLS

    @property
    def reasons(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.kills, *self.failures)


class Backlog:
    """Images that wait for a worker, in places that are numbered from 0.

    What has failed waits for a place where it has failed least: a place may be what is at fault (one GPU of eight).
    The canary is tried like an image, but first, by workers that have made nothing, and elsewhere than the suspects
    have failed last.

    Args:
        todo: the images, in the order in which they are begun.
        places: how many there are.
    """

    def __init__(self, todo: Iterable[int], places: int) -> None:
        self._untried, self._again = deque(todo), deque[int]()
        self._places = range(places)
        self._tries: defaultdict[int, Tries] = defaultdict(Tries)

    def count(self, place: int) -> int:
        """How many a fresh worker in that place may choose from."""
        return len(self._untried) + sum(place in self._best(index) for index in self._again)

    def take(self, place: int, fresh: bool) -> int | None:
        """What a worker in that place shall make; None: nothing. `fresh`: it has made nothing yet."""
        for index in self._again:
            if place in self._best(index) and (fresh or index != CANARY):
                self._again.remove(index)
                return index
        return self._untried.popleft() if self._untried else None

    def failures(self, index: int) -> int:
        """How often an image has failed."""
        return len(self._tries[index].failures)

    def failed(self, index: int, place: int, reason: str, from_outside: bool) -> Tries:
        """A try has failed; gives all of them. Unless they are over, the image waits for the next one."""
        tries = self._tries[index]
        if from_outside:
            tries.kills.append(reason)
        else:
            tries.failures.append(reason)
            tries.places.append(place)
        if not tries.over:
            (self._again.appendleft if index == CANARY else self._again.append)(index)
        return tries

    def suspect(self, place: int) -> None:
        """An image has failed for the last time, in that place: the canary has to be made, unless it is already."""
        if CANARY not in self._tries:
            self._again.appendleft(CANARY)
        self._tries[CANARY].places.append(place)

    def trusted(self) -> None:
        """The canary was made."""
        del self._tries[CANARY]

    def trial(self) -> set[int]:
        """The places in which a fresh worker would get the canary; none when it does not wait."""
        return self._best(CANARY) if CANARY in self._again else set()

    def clear(self) -> None:
        """Nothing shall be begun any more."""
        self._untried.clear()
        self._again.clear()

    def _best(self, index: int) -> set[int]:
        """The places where it has failed least."""
        failed = self._tries[index].places
        least = min(failed.count(place) for place in self._places)
        return {place for place in self._places if failed.count(place) == least}
