"""How far a dataset is: what is done, who works on it, how fast, and what it costs. Read from the dataset alone.

Progress is what the records say. Who works is what heartbeats say (`beats.py`), and whether they still live is judged
by the clock of the store: by when it says that files were written, and not by the clocks of this machine or of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..datasets.files import exists
from ..datasets.listing import names
from ..datasets.place import Place
from ..datasets.records import TWINS, DatasetInfo, read_info
from ..datasets.stamps import Stamps, stamps
from .aside import Aside, put_aside
from .beats import Busy, Seen, heartbeats
from .store_clock import store_now
from .times import Times

__all__ = ["Cost", "Rate", "Status", "Work", "Worker", "status"]

#: A heartbeat that is older than so many of its intervals is lost.
LOST_INTERVALS = 4
WINDOWS_S = (600.0, 3600.0)
#: A rate needs so many seconds of work, and the shorter window so many images.
LEAST_S, LEAST_IMAGES = 30.0, 20


@dataclass(frozen=True)
class Worker:
    """A process that supervises workers, as its heartbeat tells; `age_s` is how long ago it gave a sign of life."""

    name: str
    host: str
    pid: int
    state: Literal["alive", "lost"]
    age_s: float
    device: str
    gpus: tuple[str, ...]
    slots: int
    busy: tuple[Busy, ...]
    counts: dict[str, int]
    alive_s: float
    mean_s: float
    p90_s: float


@dataclass(frozen=True)
class Rate:
    """How fast images come.

    Attributes:
        last_10_min, last_60_min: images per hour, by when records were written; over as much of the window as anybody
            has worked in. None: too little of it to tell.
        used: the one by which the time left is reckoned, None when nobody works or nothing is known.
        source: where it is from; "heartbeats" is the number of living slots over the mean time of an image.
        seconds_left: until all images are there, at that rate.
    """

    last_10_min: float | None
    last_60_min: float | None
    used: float | None
    source: Literal["last 10 min", "last 60 min", "heartbeats"] | None
    seconds_left: float | None


@dataclass(frozen=True)
class Cost:
    """Machine time, and what it costs at `price` for an hour of a node; None where no heartbeat tells.

    A node is a host name. `node_hours` is how long any process has worked on each; `images` were made in that time.
    """

    price: float | None
    currency: str
    nodes: int
    nodes_alive: int
    node_hours: float
    images: int
    node_hours_left: float | None
    so_far: float | None
    per_image: float | None
    to_the_end: float | None


@dataclass(frozen=True)
class Work:
    """All who work on a dataset, or have; those that `ended` in order are counted only.

    `images` were finished by all of them, in a `mean_s` and `median_s`, nine tenths in `p90_s` at most.
    """

    workers: tuple[Worker, ...]
    ended: int
    images: int
    mean_s: float
    median_s: float
    p90_s: float
    longest_s: float


@dataclass(frozen=True)
class Status:
    """A dataset, or the twins in it.

    Attributes:
        kind: "renders", "twins", "refined" or "variant".
        requested: how many images were asked for; None for twins, whose number depends on the images.
        done: images that are complete.
        running: images that living processes make, by their last sign of life. What of these is there already has been
            followed by another one.
        quarantined, failed, impossible: images that were put aside, see `generate`.
        future: records that seem to be from the future, since a clock was set back.
    """

    place: str
    name: str
    kind: str
    requested: int | None
    done: int
    running: int
    quarantined: int
    failed: int
    impossible: int
    reasons: tuple[Aside, ...]
    work: Work
    rate: Rate
    cost: Cost
    future: int
    twins: Status | None = None

    @property
    def waiting(self) -> int | None:
        """Images that are neither there nor in the making nor put aside."""
        aside = self.quarantined + self.failed + self.impossible
        return None if self.requested is None else max(0, self.requested - self.done - aside - self.running)

    @property
    def complete(self) -> bool:
        """Every image that was asked for is there."""
        return self.requested is not None and self.done >= self.requested

    @property
    def idle(self) -> bool:
        """Nobody gives a sign of life."""
        return all(w.state == "lost" for w in self.work.workers)


def status(place: Place, price: float | None = None, currency: str = "USD") -> Status:
    """How far the dataset in `place` is; `price` is that of an hour of one node.

    Raises:
        DatasetError: there is no dataset, or its dataset.json cannot be read.
    """
    place = place.absolute() if isinstance(place, Path) else place  # "." has no name
    twins = place.name == TWINS and exists(place.parent / "dataset.json")
    info = read_info(place.parent if twins else place)
    whole = _status(place, info, twins, price, currency)
    if twins or "records" not in names(place / TWINS):
        return whole
    return replace(whole, twins=_status(place / TWINS, info, True, price, currency))


def _status(place: Place, info: DatasetInfo, twins: bool, price: float | None, currency: str) -> Status:
    seen = heartbeats(place)
    found = stamps(place)
    now_s = store_now(place) or max([float(found.modified_s.max(initial=0.0)), *(s.modified_s for s in seen)])
    aside, reasons = put_aside(place, found.indices)
    alive = [s for s in seen if s.beat.ended_utc is None and not _lost(s, now_s)]
    wanted, kind = info.counts.requested, "renders"
    if info.derived is not None:
        wanted, kind = info.derived.images, info.derived.kind
    running = {b.index for s in alive for b in s.beat.busy}
    requested, kind = (None, "twins") if twins else (wanted, kind)
    left = None if requested is None else max(0, requested - found.indices.size - sum(aside.values()))
    rate = _rate(found, seen, alive, now_s, left)
    return Status(
        place=str(place), name=info.name, kind=kind, requested=requested, done=int(found.indices.size),
        running=len(running) if left is None else min(len(running), left),
        quarantined=aside["quarantined"], failed=aside["failed"], impossible=aside["impossible"], reasons=reasons,
        work=_work(seen, alive, now_s), rate=rate, cost=_cost(seen, alive, price, currency, left),
        future=round(found.between(now_s + LEAST_S, np.inf)),
    )  # fmt: skip


def _lost(seen: Seen, now_s: float) -> bool:
    """Whether its last sign of life is old; or from the future: a living process would have written again since."""
    return abs(now_s - seen.modified_s) > LOST_INTERVALS * seen.beat.interval_s


def _work(seen: Sequence[Seen], alive: Sequence[Seen], now_s: float) -> Work:
    living = {s.name for s in alive}
    workers = tuple(
        Worker(
            name=s.name, host=s.beat.host, pid=s.beat.pid, state="alive" if s.name in living else "lost",
            age_s=round(now_s - s.modified_s, 3), device=s.beat.device, gpus=s.beat.gpus, slots=s.beat.slots,
            busy=s.beat.busy, counts=s.beat.counts, alive_s=s.beat.alive_s, mean_s=s.beat.times.mean_s,
            p90_s=s.beat.times.quantile(0.9),
        )
        for s in seen
        if s.beat.ended_utc is None
    )  # fmt: skip
    times = sum((s.beat.times for s in seen), Times())
    spread = times.mean_s, times.quantile(0.5), times.quantile(0.9), times.longest_s
    return Work(workers, len(seen) - len(workers), times.count, *spread)


def _rate(found: Stamps, seen: Sequence[Seen], alive: Sequence[Seen], now_s: float, left: int | None) -> Rate:
    begins = [now_s - window for window in WINDOWS_S]
    for at, begin in enumerate(begins):  # nobody worked before the first one did who was at work in the window
        starts = [s.modified_s - s.beat.alive_s for s in seen if begin < s.modified_s]
        begins[at] = max(begin, min(starts, default=begin))
    counts = [found.between(begin, now_s + LEAST_S) for begin in begins]
    hourly = [3600 * n / (now_s - b) if now_s - b >= LEAST_S else None for n, b in zip(counts, begins, strict=True)]
    short, long = hourly
    used, source = (short, "last 10 min") if counts[0] >= LEAST_IMAGES else (long, "last 60 min")
    if not alive:
        used = None
    elif not used:
        used, source = _by_heartbeats(alive), "heartbeats"
    seconds = 3600 * left / used if left is not None and used else None
    return Rate(short, long, used, source if used else None, seconds)  # type: ignore[arg-type]


def _by_heartbeats(alive: Sequence[Seen]) -> float | None:
    """Images per hour of slots that are never idle."""
    times = sum((s.beat.times for s in alive), Times())
    return 3600 * sum(s.beat.slots for s in alive) / times.mean_s if times.total_s else None


def _cost(seen: Sequence[Seen], alive: Sequence[Seen], price: float | None, currency: str, left: int | None) -> Cost:
    hosts = {s.beat.host for s in seen}
    hours = sum(_hours([s for s in seen if s.beat.host == host]) for host in hosts)
    made = sum((Counter(s.beat.counts) for s in seen), Counter[str]())["ok"]
    each = hours / made if made else None
    rest = None if each is None or left is None else each * left
    paid = [None if price is None or h is None else price * h for h in (hours if seen else None, each, rest)]
    return Cost(price, currency, len(hosts), len({s.beat.host for s in alive}), hours, made, rest, *paid)


def _hours(seen: Sequence[Seen]) -> float:
    """For how many hours any of these processes, which share a host, has worked."""
    spans = sorted((s.beat.started_utc.timestamp(), s.beat.alive_s) for s in seen)
    total, until = 0.0, -np.inf
    for begin, length in spans:
        end = begin + length
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return float(total) / 3600
