"""What a supervisor needs to know of the work that its workers do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..pipeline import Outcome
from ..render.worker import Worker

__all__ = ["CANARY", "Evidence", "Job", "read_scene"]

#: The index of an image of no dataset; see `Job.canary`.
CANARY = -1


@dataclass(frozen=True)
class Evidence:
    """What is known about an image that could not be made.

    Attributes:
        status: "failed", or "impossible", which it is every time.
        reasons: what each try ended with, the last one last.
        log: the end of what the last worker wrote.
        scene: the scene as JSON, where the worker got so far.
    """

    index: int
    status: str
    reasons: tuple[str, ...]
    log: bytes = b""
    scene: bytes | None = None

    @property
    def outcome(self) -> Outcome:
        """It as an outcome, in a sentence."""
        tries = f"tried {len(self.reasons)} times: " if len(self.reasons) > 1 else ""
        return Outcome(self.index, self.status, tries + self.reasons[-1])


class Job(ABC):
    """Work on images by number. Subclasses say how a worker starts, and listen to what they want to know.

    A worker answers `{"index": i}` with the fields of an `Outcome`, and `rss` in bytes.

    Attributes:
        canary: whether workers also answer the index `CANARY`: an image of no dataset, which any sound machine makes.
    """

    canary = False

    @abstractmethod
    def start(self, number: int) -> Worker:
        """A new worker in place `number`, counted from 0; no living one has the same."""

    @abstractmethod
    def finished(self, index: int) -> Outcome | None:
        """What is there of an image whose worker died: it writes the record before it answers. None: not complete."""

    def progress(self, outcome: Outcome) -> None:
        """An image has ended."""

    def greet(self, answer: dict[str, Any]) -> None:
        """The first answer of a worker; what this raises ends the run."""

    def partial(self, answer: dict[str, Any]) -> None:
        """An answer that is not the last one to a request. The time for the request begins anew then."""

    def limit_s(self, ceiling_s: float, tries: int) -> float:
        """Seconds that an image may take which has failed so many times; the run was told a ceiling."""
        return ceiling_s

    def started(self, seconds: float) -> None:
        """A worker is ready, so long after it was opened."""

    def began(self, index: int) -> None:
        """A worker was handed an image."""

    def ended(self, index: int, status: str, seconds: float, first: bool = False) -> None:
        """An image ended, with the status of an `Outcome` or as "crashed", so long after it was begun.

        `first`: it was the first one of its worker.
        """

    def beat(self) -> None:
        """Time passes: called about every second, and more often while things happen."""

    def aside(self, given_up: Evidence) -> Outcome:
        """An image is given up; gives how that shall be told."""
        return given_up.outcome


def read_scene(scratch: Path, index: int) -> bytes | None:
    """The scene that a worker has left in its scratch folder, if it is that of the image."""
    try:
        return (scratch / f"scene-{index}.json").read_bytes()
    except OSError:
        return None
