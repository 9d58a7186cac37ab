"""When the images of a dataset were finished: modification times of its records, a sample where there are many."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .listing import NUMBER, numbered_entries
from .place import Place

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["Stamps", "stamps"]

NAME = re.compile(NUMBER + r"\.json")
#: Up to so many files are all looked at; it takes 3 µs each on a local disk.
ALL = 50_000
#: Beyond, files are taken together by so many successive indices, and of each lot so many are looked at.
LOT, LOOKS = 512, 4
NEW_S = 3600.0


@dataclass(frozen=True)
class Stamps:
    """What lies in `records/`.

    Attributes:
        indices: of all images there, ascending.
        modified_s: when some of their records were written, in seconds since 1970 by the clock of the store.
        weight: for how many records each of these stands.
    """

    indices: npt.NDArray[np.int64]
    modified_s: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]

    def between(self, begin_s: float, end_s: float) -> float:
        """How many records were written after `begin_s` and not after `end_s`; an estimate where times are a sample."""
        return float(self.weight[(self.modified_s > begin_s) & (self.modified_s <= end_s)].sum())


def stamps(folder: Place) -> Stamps:
    """Count the records of a dataset, and look when they were written.

    A million take a second on a local disk. Images are made in the order of their indices, more or less, so that
    records of one time lie together: of the newest hour all are looked at, up to `ALL`.
    """
    records = folder / "records"
    if not isinstance(records, Path):
        return _listed(records)
    indices = np.fromiter(_indices(records), dtype=np.int64)
    indices.sort()
    if indices.size <= ALL:
        return Stamps(indices, *_looked(records, indices, 1.0))
    lots = np.array_split(indices, -(-indices.size // LOT))
    some = [_looked(records, lot[np.linspace(0, lot.size - 1, LOOKS).astype(int)], lot.size / LOOKS) for lot in lots]
    newest = np.array([times.max(initial=-np.inf) for times, _ in some])
    for at in [int(k) for k in np.argsort(-newest)[: ALL // LOT] if newest[k] > newest.max() - NEW_S]:
        some[at] = _looked(records, lots[at], 1.0)
    times, weights = zip(*some, strict=True)
    return Stamps(indices, np.concatenate(times), np.concatenate(weights))


def _listed(records: UPath) -> Stamps:
    """Those in a bucket, whose listing tells times and names alike."""
    pairs = ((index, entry.modified_s) for index, entry in numbered_entries(records, ".json"))
    found = np.fromiter(pairs, dtype=[("index", np.int64), ("time", np.float64)])
    return Stamps(np.sort(found["index"]), found["time"], np.ones(found.size))


def _indices(records: Path) -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir(records) as entries:
        yield from (int(match[1]) for entry in entries if (match := NAME.fullmatch(entry.name)))


def _looked(
    records: Path, indices: npt.NDArray[np.int64], weight: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """When the records of these images were written, and the weight of each one; those that are gone are left out."""
    times = np.fromiter(_times(records, indices), dtype=np.float64)
    return times, np.full(times.size, weight)


def _times(records: Path, indices: npt.NDArray[np.int64]) -> Iterator[float]:
    for index in indices.tolist():
        with suppress(FileNotFoundError):
            yield os.stat(f"{records}/{index:06d}.json").st_mtime  # noqa: PTH116 - a Path for each would take twice as long
