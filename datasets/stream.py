"""A COCO file in the making, whichever of COCO's formats: one that never holds more than one image in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson

from ..errors import DatasetError
from .files import atomic_file
from .place import Place

__all__ = ["CocoFile", "damaged"]

#: Bytes gathered before they are written: fewer mean more calls, and more no longer fit a core's cache (both measured).
BUFFER = 1 << 18

Json = dict[str, Any]


class CocoFile:
    """Images go straight to the file; annotations wait in a nameless one and follow at the end.

    Images carry their whole `generation` and with it most of the bytes, which this way are written once. The file
    appears under its name, complete, when `stack` closes after `finish`. `images` and `annotations` count.
    """

    def __init__(self, stack: ExitStack, path: Place, head: Json) -> None:
        self.images = self.annotations = 0
        self._file = stack.enter_context(atomic_file(path, BUFFER))
        beside = path.parent if isinstance(path, Path) else None
        self._late = stack.enter_context(tempfile.TemporaryFile(dir=beside))  # noqa: SIM115  # the stack closes it
        self._file.write(orjson.dumps(head)[:-1] + b',\n"images":[')

    def add(self, image: Json, annotations: list[Json]) -> None:
        """One image with its annotations."""
        if annotations:
            self._late.write(b",\n" if self.annotations else b"\n")
            self._late.write(memoryview(orjson.dumps(annotations))[1:-1])  # without the brackets, and without a copy
        self._file.write(b",\n" if self.images else b"\n")
        self._file.write(orjson.dumps(image))
        self.annotations += len(annotations)
        self.images += 1

    def finish(self) -> None:
        """Put the annotations behind the images."""
        self._file.write(b'],\n"annotations":[')
        self._late.seek(0)
        shutil.copyfileobj(self._late, self._file, BUFFER)
        self._file.write(b"]}\n")


@contextmanager
def damaged(index: object) -> Iterator[None]:
    """What a record lacks becomes a DatasetError that names its image and says what to do."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, orjson.JSONEncodeError) as error:
        raise DatasetError(
            f"the record of image {index} is damaged ({type(error).__name__}: {error}): validate the dataset, "
            "delete that record and run the same generate command again"
        ) from error
