"""What a dataset will take, from what a few of its images took: hours, node-hours, bytes, objects, requests, money."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import RenderError, UsageError
from .heartbeat import INTERVAL_S
from .times import Times

__all__ = ["Farm", "Forecast", "Shown", "Span", "forecast"]

#: The spread that is told is where the mean of all images lies 9 times in 10.
WITHIN = 0.9
#: Requests that read a bucket, as a server counted them: so often a run lists the folders of images, a thousand names
#: in each answer; what each worker asks when it starts; and what a run asks once.
LISTINGS, PAGE = 2, 1000
PER_START, PER_RUN = 3, 17


@dataclass(frozen=True)
class Shown:
    """What a pilot has shown.

    Attributes:
        later_times, first_times: of its images, those that were a worker's first apart: they fill its caches.
        starts, starting_s: workers that were started, and how long that took for all of them.
        overhead_s: what the run took while no worker did: opening the dataset, writing annotations.
        sizes: bytes of each image, all its files together.
        disk_bytes: what an image takes on a disk, in blocks of 4 KiB.
        files: files of an image.
        annotation_bytes, annotation_s: of an image in the annotations, and what writing that takes.
        fixed_bytes, fixed_files: what the dataset has once.
    """

    later_times: Times
    first_times: Times
    starts: int
    starting_s: float
    overhead_s: float
    sizes: tuple[int, ...]
    disk_bytes: float
    files: float
    annotation_bytes: float
    annotation_s: float
    fixed_bytes: int
    fixed_files: int

    @property
    def image_s(self) -> Span:
        """What a slot takes for an image, once its worker is warm."""
        times = self.later_times if self.later_times.count > 1 else self.later_times + self.first_times
        return Span.of_mean(times.mean_s, times.deviation_s, times.count)

    @property
    def start_s(self) -> float:
        """What it takes to start a worker and to warm it: how much longer its first image takes included."""
        start = self.starting_s / self.starts if self.starts else 0.0
        if not self.first_times.count or self.later_times.count < 2:
            return start
        return start + max(0.0, self.first_times.mean_s - self.later_times.mean_s)

    @property
    def image_bytes(self) -> Span:
        """What an image takes in the store, without its part of the annotations."""
        count = len(self.sizes)
        mean = sum(self.sizes) / count
        spread = math.sqrt(sum((s - mean) ** 2 for s in self.sizes) / max(1, count - 1))
        return Span.of_mean(mean, spread, count)


@dataclass(frozen=True)
class Span:
    """An estimate, and between what it lies 9 times in 10, as far as chance between images goes; None: unknown."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of_mean(cls, mean: float, deviation: float, count: int) -> Span:
        """The mean of so many values of that standard deviation, by Student's t.

        A pilot's images are balanced in each parameter, so that its mean is nearer to the truth than that of as many
        images that chance had chosen: the interval is on the safe side.
        """
        if count < 2:
            return cls(mean, None, None)
        from scipy.special import stdtrit

        half = float(stdtrit(count - 1, 0.5 + WITHIN / 2)) * deviation / math.sqrt(count)
        return cls(mean, max(0.0, mean - half), mean + half)

    def scaled(self, factor: float, offset: float = 0.0) -> Span:
        """Each of the three times `factor`, and `offset` more."""
        low, high = (None if v is None else factor * v + offset for v in (self.low, self.high))
        return Span(factor * self.value + offset, low, high)


@dataclass(frozen=True)
class Farm:
    """Where the rest is to be made: `nodes` like this machine, with `workers` each, replaced after `recycle_images`."""

    nodes: int
    workers: int
    recycle_images: int

    def __post_init__(self) -> None:
        if self.nodes < 1 or self.workers < 1:
            raise UsageError(f"a farm has a node and a worker at least, got --nodes {self.nodes}")

    @property
    def slots(self) -> int:
        """Workers on all nodes."""
        return self.nodes * self.workers


@dataclass(frozen=True)
class Forecast:
    """What a dataset of `count` images will take, of which `left` are still to be made.

    Attributes:
        image_s: seconds of a slot for an image.
        hours: until all images are there, annotations written, from the start of the command that makes the rest.
        node_hours: that on each node, which is paid until the end; `start_share` of it goes into starts.
        cost: of that, at `price` for an hour of a node; None without one.
        bytes: of the whole dataset; `disk_bytes` in blocks of 4 KiB. Twins included where the recipe asks for them.
        objects: files of the whole dataset.
        writes, reads: requests to a bucket for what is left: objects and heartbeats are written; records are read for
            the annotations, images looked for, and folders listed.
    """

    count: int
    left: int
    farm: Farm
    image_s: Span
    hours: Span
    node_hours: Span
    start_share: float
    cost: Span | None
    price: float | None
    currency: str
    bytes: Span
    disk_bytes: float
    objects: int
    writes: int
    reads: int


def forecast(
    shown: Shown, count: int, left: int, farm: Farm, price: float | None = None, currency: str = "USD"
) -> Forecast:
    """What is left to make takes, on a farm whose slots work side by side as those of the pilot did.

    Raises:
        RenderError: the pilot has shown nothing.
    """
    if not shown.sizes or not (shown.later_times.count or shown.first_times.count):
        raise RenderError(
            "the pilot shows no image and what it took, so nothing can be said of the others: see above why"
        )
    each = left / farm.slots if left > farm.slots else float(left > 0)
    starts = math.ceil(each / farm.recycle_images)
    starting = starts * shown.start_s + shown.overhead_s
    fixed = starting + count * shown.annotation_s if left else 0.0
    tail = 0.5 * (1 - 1 / min(farm.slots, max(left, 1)))  # slots are done half an image apart, in the mean
    seconds = shown.image_s.scaled(each + tail if left else 0.0, fixed)
    hours, node_hours = seconds.scaled(1 / 3600), seconds.scaled(farm.nodes / 3600)
    size = shown.image_bytes.scaled(count, count * shown.annotation_bytes + shown.fixed_bytes)
    writes, reads = _requests(shown, count, left, farm, seconds.value, starts) if left else (0, 0)
    return Forecast(
        count=count, left=left, farm=farm, image_s=shown.image_s, hours=hours, node_hours=node_hours,
        start_share=starting / seconds.value if left else 0.0, cost=None if price is None else node_hours.scaled(price),
        price=price, currency=currency, bytes=size,
        disk_bytes=count * (shown.disk_bytes + shown.annotation_bytes) + shown.fixed_bytes,
        objects=round(count * shown.files) + shown.fixed_files, writes=writes, reads=reads,
    )  # fmt: skip


def _requests(shown: Shown, count: int, left: int, farm: Farm, seconds: float, starts: int) -> tuple[int, int]:
    writes = left * shown.files + shown.fixed_files + farm.nodes * seconds / INTERVAL_S
    listed = LISTINGS * shown.files * math.ceil(count / PAGE)
    reads = left + count + listed + PER_START * starts * min(farm.slots, left) + PER_RUN
    return math.ceil(writes), math.ceil(reads)
