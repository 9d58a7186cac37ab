"""A sign of life of every process that supervises workers: what it does, and how long its images took.

::

    workers/<host>-<pid>-<8 hex digits of start and settings>.json    Beat

These files are about the work, not about the dataset: the only ones with clocks in them, in fields that say so. No
reader of datasets needs them, and deleting them at any time costs no more than the figures of `scenewright status`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..datasets.files import read_bytes
from ..datasets.listing import entries
from ..datasets.objects import Entry
from ..datasets.place import Place
from ..datasets.records import WORKERS, DatasetInfo
from ..errors import DatasetError
from .times import Times

__all__ = ["Beat", "Busy", "Seen", "heartbeats", "history", "read_beat", "settings_key"]

#: So many files, the newest ones, say how long images take; a dataset made of many shards has many more.
HISTORY_FILES = 32
MAX_BYTES = 1 << 20
#: Requests to a bucket at once.
PARALLEL = 32


class Busy(BaseModel):
    """An image that a worker makes: since when, and for how many seconds when this was written."""

    model_config = ConfigDict(frozen=True)

    index: int
    since_utc: datetime
    seconds: float


class Beat(BaseModel):
    """What a supervising process says of itself. Unknown fields are passed over: other versions may say more.

    A process that has ended and begins again, with the next shard, goes on in the same file: all but `busy` adds up.

    Attributes:
        slots: workers that work side by side.
        device: what they work on; `gpus` are those of the machine, whether or not it uses them.
        settings: what else the time for an image depends on (`settings_key`).
        interval_s: how often this is written.
        ended_utc: None while it runs, and for ever if it was killed.
        alive_s: how long it has been running, by a clock that nobody sets, as all seconds here.
        counts: of tries, by what became of them (`Outcome.status`, or "crashed").
        busy_s: what workers have spent on all of these.
        times: of images that were finished.
        first_times: of those among them that were a worker's first, which has to fill its caches.
        starts: workers that have started; `starting_s` is what that took for all of them.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    schema_version: Literal[1] = 1
    host: str
    pid: int
    slots: int
    device: str
    gpus: tuple[str, ...] = ()
    settings: str
    interval_s: float
    started_utc: datetime
    updated_utc: datetime
    ended_utc: datetime | None = None
    alive_s: float
    busy: tuple[Busy, ...] = ()
    counts: dict[str, int] = {}
    busy_s: float = 0.0
    times: Times = Times()
    first_times: Times = Times()
    starts: int = 0
    starting_s: float = 0.0

    def after(self, earlier: Beat) -> Beat:
        """This one, with what the same process did before it."""
        more = {
            "started_utc": earlier.started_utc,
            "alive_s": round(earlier.alive_s + self.alive_s, 3),
            "counts": dict(Counter(earlier.counts) + Counter(self.counts)),
            "busy_s": round(earlier.busy_s + self.busy_s, 3),
            "times": earlier.times + self.times,
            "first_times": earlier.first_times + self.first_times,
            "starts": earlier.starts + self.starts,
            "starting_s": round(earlier.starting_s + self.starting_s, 3),
        }
        return self.model_copy(update=more)


@dataclass(frozen=True)
class Seen:
    """A heartbeat as it lies in the store, which says itself when it was written, in seconds since 1970."""

    name: str
    modified_s: float
    beat: Beat


def settings_key(info: DatasetInfo, kind: str = "dataset", threads: int | None = None) -> str:
    """What the time for an image depends on, beside its device: work of one key has a common history.

    `kind` is what is made, "dataset" or "twins" for instance; `threads` are those of a worker, None for all.
    """
    engine, preset = (str(info.settings.get(name, "?")) for name in ("engine", "preset"))
    width, height = info.size
    return f"{kind} {engine} {preset} {width}x{height}" + (f" {threads} threads" if threads else "")


def heartbeats(place: Place) -> list[Seen]:
    """All heartbeats of a dataset that can be read, by name; torn and foreign files are passed over."""
    return _read(place, sorted(_listed(place), key=lambda entry: entry.name))


def history(place: Place, settings: str) -> dict[str, Times]:
    """How long images took by the newest heartbeats of these settings, by device."""
    newest = sorted(_listed(place), key=lambda entry: entry.modified_s)[-HISTORY_FILES:]
    known: dict[str, Times] = {}
    for beat in (seen.beat for seen in _read(place, newest) if seen.beat.settings == settings):
        known[beat.device] = known.get(beat.device, Times()) + beat.times
    return known


def read_beat(path: Place) -> Beat | None:
    """What a file says, None where it is not there or is no heartbeat."""
    try:
        return Beat.model_validate_json(read_bytes(path))
    except (DatasetError, ValidationError):
        return None


def _listed(place: Place) -> Iterator[Entry]:
    """The files that may be heartbeats."""
    found = entries(place / WORKERS)
    return (e for e in found if e.name.endswith(".json") and e.name[0] != "." and e.size <= MAX_BYTES)


def _read(place: Place, found: Sequence[Entry]) -> list[Seen]:
    """Those that can be read, in their order; in a bucket many at once."""
    paths = [place / WORKERS / entry.name for entry in found]
    if isinstance(place, Path):
        beats = [read_beat(path) for path in paths]
    else:
        with ThreadPoolExecutor(PARALLEL) as pool:
            beats = list(pool.map(read_beat, paths))
    pairs = zip(found, beats, strict=True)
    return [Seen(entry.name, entry.modified_s, beat) for entry, beat in pairs if beat is not None]
