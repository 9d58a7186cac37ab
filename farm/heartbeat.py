"""What a supervising process writes about itself while it runs."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Full, Queue
from threading import Thread
from types import TracebackType

import psutil

from ..datasets.files import write_bytes_atomic
from ..datasets.place import Place
from ..datasets.records import WORKERS
from .beats import Beat, Busy, history, read_beat
from .times import LEAST_IMAGES, Times, time_limit

__all__ = ["INTERVAL_S", "Heartbeat"]

INTERVAL_S = 15.0
#: How long `close` waits for a store that does not answer.
PATIENCE_S = 5.0
GPUS = Path("/proc/driver/nvidia/gpus")


def _note(message: str) -> None:
    print(message, file=sys.stderr)


class Heartbeat:
    """Writes a `Beat` every `interval_s` seconds, from a thread of its own: a store that hangs holds nobody up.

    What cannot be written is left out, and `note` is told once. Use it in one thread, and as a context; one after the
    other in a process go on in one file, so that a process that makes a thousand shards leaves no thousand files.

    Args:
        place: the dataset's folder.
        slots: how many workers work side by side.
        device: what they work on; `on` changes it once they have said what "auto" is.
        settings: see `settings_key`.
    """

    def __init__(
        self, place: Place, slots: int, device: str, settings: str, interval_s: float = INTERVAL_S,
        note: Callable[[str], None] = _note,
    ) -> None:  # fmt: skip
        self._slots, self._device, self._settings, self._interval_s = slots, device, settings, interval_s
        self._started, self._started_utc = time.monotonic(), datetime.now(UTC)
        self._gpus = _gpus()
        self._busy: dict[int, tuple[float, datetime]] = {}
        self._counts: Counter[str] = Counter()
        self._busy_s = 0.0
        self._times, self._first_times = Times(), Times()
        self._starts, self._starting_s = 0, 0.0
        self._history: dict[str, Times] = {}
        self._place, self._note, self._noted = place, note, False
        self.name = _name(device, settings)
        self._earlier: Beat | None = None
        self._outbox: Queue[Beat | None] = Queue(maxsize=1)
        self._thread = Thread(target=self._serve, daemon=True, name="heartbeat")
        self._thread.start()
        self._due = self._started
        self.beat()

    @property
    def _path(self) -> Place:
        return self._place / WORKERS / self.name

    def __enter__(self) -> Heartbeat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on(self, device: str) -> None:
        """What the workers say that they work on."""
        self._device = device

    def started(self, seconds: float) -> None:
        """A worker is ready for its first image, so long after its process was begun."""
        self._starts += 1
        self._starting_s += seconds

    def began(self, index: int) -> None:
        """A worker has got this image."""
        self._busy[index] = time.monotonic(), datetime.now(UTC)

    def ended(self, index: int, status: str, seconds: float, first: bool = False) -> None:
        """It is finished, or it will be begun anew ("crashed"), after that time; `first` of its worker's images."""
        self._busy.pop(index, None)
        self._counts[status] += 1
        self._busy_s += seconds
        if status in ("ok", "quarantined"):
            self._times += Times.of([seconds])
            self._first_times += Times.of([seconds] if first else [])

    def limit(self, ceiling_s: float, tries: int = 0) -> float:
        """`time_limit` by what this process and earlier ones of the same settings and device have seen."""
        return time_limit(self._history.get(self._device, Times()) + self._times, ceiling_s, tries)

    def beat(self) -> None:
        """Write when it is time to; call it as often as you like."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + self._interval_s
        with contextlib.suppress(Full):  # the store is slow: the next one will tell more
            self._outbox.put_nowait(self._content(None))

    def close(self) -> None:
        """Write for the last time, that it has ended; may be called twice."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(Full):
            self._outbox.put(self._content(datetime.now(UTC)), timeout=PATIENCE_S)
            self._outbox.put(None, timeout=PATIENCE_S)
            self._thread.join(PATIENCE_S)

    def _content(self, ended: datetime | None) -> Beat:
        now = time.monotonic()
        busy = [Busy(index=i, since_utc=utc, seconds=round(now - t, 3)) for i, (t, utc) in self._busy.items()]
        return Beat(
            host=socket.gethostname(), pid=os.getpid(), slots=self._slots, device=self._device, gpus=self._gpus,
            settings=self._settings, interval_s=self._interval_s, started_utc=self._started_utc,
            updated_utc=datetime.now(UTC), ended_utc=ended, alive_s=round(now - self._started, 3), busy=tuple(busy),
            counts=dict(self._counts), busy_s=round(self._busy_s, 3), times=self._times,
            first_times=self._first_times, starts=self._starts, starting_s=round(self._starting_s, 3),
        )  # fmt: skip

    def _serve(self) -> None:
        """The thread: writes what it is given, and after the first time reads how long images take."""
        self._try("read", self._resume)
        learnt = False
        while (beat := self._outbox.get()) is not None:
            self._try("write", partial(self._write, beat))
            if not learnt:
                self._try("read", self._learn)
            learnt = True

    def _resume(self) -> None:
        self._earlier = read_beat(self._path)

    def _write(self, beat: Beat) -> None:
        whole = beat if self._earlier is None else beat.after(self._earlier)
        write_bytes_atomic(self._path, whole.model_dump_json().encode() + b"\n")

    def _learn(self) -> None:
        mine = self._earlier
        if mine is not None and mine.times.count >= LEAST_IMAGES:
            self._history = {mine.device: mine.times}  # enough, and a listing for every shard would be much
        else:
            self._history = history(self._place, self._settings)

    def _try(self, what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception as error:  # whatever a store may raise: a heartbeat ends no run
            if not self._noted:
                self._noted = True
                self._note(f"cannot {what} {self._path} ({error}): the run goes on, and `status` knows less of it")


def _name(device: str, settings: str) -> str:
    """The same for everything that a process does with these settings, and for nothing else."""
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())[:100]
    told = f"{psutil.Process().create_time()} {device} {settings}"
    return f"{host}-{os.getpid()}-{zlib.crc32(told.encode()):08x}.json"


def _gpus() -> tuple[str, ...]:
    """Names of this machine's NVIDIA GPUs, as its driver lists them."""
    names = []
    for path in sorted(GPUS.glob("*/information")):
        with contextlib.suppress(OSError):
            found = re.search(r"^Model:\s*(.+?)\s*$", path.read_text(errors="replace"), re.MULTILINE)
            names += [found[1]] if found else []
    return tuple(names)
