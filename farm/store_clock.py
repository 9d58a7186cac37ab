"""What time it is where a dataset lies."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path

from ..datasets.files import remove
from ..datasets.listing import entry
from ..datasets.objects import put
from ..datasets.place import Place
from ..datasets.records import WORKERS
from ..errors import DatasetError

__all__ = ["store_now"]


def store_now(place: Place) -> float | None:
    """Seconds since 1970 by the clock that stamps the files of a dataset: that of a file server, or of a bucket.

    Asked by writing a file, which is removed again; None where that is refused.
    """
    folder = place / WORKERS
    if isinstance(place, Path) and not (place / WORKERS).is_dir():
        folder = place
    path = folder / f".now.{uuid.uuid4().hex}.tmp"
    try:
        if isinstance(path, Path):
            path.touch()
        else:
            put(path, b"")
        return entry(path).modified_s
    except (OSError, DatasetError):
        return None
    finally:
        with contextlib.suppress(DatasetError):
            remove(path)
