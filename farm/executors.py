"""Who does the work of a run. All of them call `Shard.make`, and leave no state but the records of the dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import UsageError
from ..pipeline import Outcome
from .stopping import Stop

__all__ = ["Executor", "Index", "Local", "Shard"]


class Shard(Protocol):
    """Work on some images. It can be sent to another machine: it names the places where datasets lie, and holds none.

    Attributes:
        indices: which images, in the order in which they are begun.
        stop: requested, the work ends early but in order.
    """

    @property
    def indices(self) -> tuple[int, ...]:
        """See above."""

    @property
    def stop(self) -> Stop:
        """See above."""

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> Shard:
        """Some of the images, for one worker of another machine on so many cores, and on a GPU or on none."""

    def make(self, progress: Callable[[Outcome], None]) -> None:
        """Do it here, as far as it is not done; `progress` is told of each image as it ends.

        Raises:
            DatasetError: a dataset cannot be read or written.
            ScenewrightError: this machine cannot do the work.
        """


class Executor(Protocol):
    """Takes all images of a run that are not there yet, and ends when each one is, or is put aside.

    Attributes:
        alone: whether this run is the only one that writes to its dataset.
    """

    @property
    def alone(self) -> bool:
        """See above."""

    def mine(self, indices: Sequence[int]) -> list[int]:
        """Which of a dataset's images this run is asked for."""

    def run(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        """Make the images; `progress` is told of each one as it ends.

        Raises:
            ScenewrightError: what `Shard.make` raises.
        """


@dataclass(frozen=True)
class Local:
    """Worker processes on this machine."""

    alone: bool = True

    def mine(self, indices: Sequence[int]) -> list[int]:
        """All of them."""
        return list(indices)

    def run(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        """Make the images here."""
        shard.make(progress)


@dataclass(frozen=True)
class Index:
    """One share of the images by its number, on this machine; for whatever can count: a job array, an indexed job.

    Image `i` belongs to share `i % of`, whatever is there already, so that every share can be run again by itself.
    Whichever share finds the dataset complete at its end writes the annotations.
    """

    number: int
    of: int
    alone: bool = False

    def __post_init__(self) -> None:
        if self.of < 1 or not 0 <= self.number < self.of:
            raise UsageError(
                f"shares are numbered from 0 to one below their count: got --shard {self.number} --shards {self.of}"
            )

    def mine(self, indices: Sequence[int]) -> list[int]:
        """Those of this share."""
        return [i for i in indices if i % self.of == self.number]

    def run(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        """Make the images here."""
        shard.make(progress)
