"""Which images of a dataset were put aside, and why, in a few lines however many they are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from ..datasets.files import read_bytes
from ..datasets.listing import by_number
from ..datasets.place import Place
from ..datasets.records import quarantine_folder
from ..errors import DatasetError

__all__ = ["Aside", "put_aside"]

#: Reasons are read of so many images. Of the others it is known only whether their labels are in doubt or they failed.
READ = 1000
RECORD = "record.json"
#: What says why an image lies there: its labels are in doubt, or it could not be made.
TELLING = (RECORD, "failure.json")
NUMBERS = re.compile(r"\d+(\.\d+)?(e-?\d+)?")


@dataclass(frozen=True)
class Aside:
    """Images that were put aside for one reason: what the image `example` says; what others say differs in numbers."""

    status: str
    reason: str
    count: int
    example: int


def put_aside(place: Place, done: npt.NDArray[np.int64]) -> tuple[Counter[str], tuple[Aside, ...]]:
    """How many images are "quarantined", "failed" or "impossible", and for what reasons, the commonest first.

    An image that is `done` all the same, by another worker, does not count.
    """
    files = {i: quarantine_folder(place, i) / name for i, name in by_number(place / "quarantine", TELLING)}
    aside = np.setdiff1d(np.array(sorted(files), dtype=np.int64), done).tolist()
    counts: Counter[str] = Counter()
    groups: dict[tuple[str, str], Aside] = {}
    for at, index in enumerate(aside):
        told = _read(files[index]) if at < READ else {}
        state = str(told.get("status", "quarantined" if files[index].name == RECORD else "failed"))
        reason = _reason(told) if at < READ else ""
        counts[state] += 1
        if reason:
            key = state, NUMBERS.sub("#", reason)
            old = groups.get(key, Aside(state, reason, 0, index))
            groups[key] = replace(old, count=old.count + 1)
    return counts, tuple(sorted(groups.values(), key=lambda g: (-g.count, g.example)))


def _reason(told: dict[str, Any]) -> str:
    """The first line of the last reason."""
    reasons = (*told.get("reasons", ()), told.get("reason"))
    return next((str(r) for r in reversed(reasons) if r), "unknown").partition("\n")[0]


def _read(path: Place) -> dict[str, Any]:
    try:
        told = orjson.loads(read_bytes(path))
    except (DatasetError, orjson.JSONDecodeError):
        return {}
    return told if isinstance(told, dict) else {}
