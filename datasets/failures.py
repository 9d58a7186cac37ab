"""Images that could not be made, put aside with all that helps to find out why.

::

    quarantine/000017/failure.json     Failure
    quarantine/000017/scene.json       the scene, where it got so far
    quarantine/000017/log.txt          the end of what the worker wrote
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ..errors import DatasetError
from .ahead import ahead
from .files import read_bytes, read_there, remove, write_bytes_atomic
from .listing import by_number
from .place import Place
from .records import Stored, quarantine_folder

__all__ = ["Failure", "drop_failures", "failed", "failures", "read_failure", "write_failure"]

TELLING = "failure.json"
FILES = (TELLING, "scene.json", "log.txt")


class Failure(Stored):
    """Why an image is not there.

    `status` is "failed" after that many tries, of which `reasons` tell, or "impossible", which it is every time; `host`
    is the machine of the last try, `command` renders the scene again, or draws it where there is none.
    """

    schema_version: Literal[1] = 1
    index: Annotated[int, Field(ge=0)]
    status: Literal["failed", "impossible"]
    reasons: Annotated[tuple[str, ...], Field(min_length=1)]
    host: str
    command: str
    versions: dict[str, str]

    @property
    def reason(self) -> str:
        """It in a sentence."""
        tries = f"tried {len(self.reasons)} times: " if len(self.reasons) > 1 else ""
        return tries + self.reasons[-1]


def write_failure(folder: Place, failure: Failure, scene: bytes | None, log: bytes) -> None:
    """Put an image aside: its scene if there is one, the log, and last `failure.json`."""
    place = quarantine_folder(folder, failure.index)
    if scene is not None:
        write_bytes_atomic(place / "scene.json", scene)
    write_bytes_atomic(place / "log.txt", log)
    write_bytes_atomic(place / TELLING, failure.model_dump_json(indent=2).encode() + b"\n")


def read_failure(folder: Place, index: int) -> Failure:
    """Why image `index` is not there.

    Raises:
        DatasetError: it is not among the failures, or the file is damaged.
    """
    path = quarantine_folder(folder, index) / TELLING
    return _parsed(path, read_bytes(path))


def failed(folder: Place) -> list[int]:
    """Indices of the images that were put aside because they could not be made, ascending."""
    return sorted(index for index, _ in by_number(folder / "quarantine", (TELLING,)))


def failures(folder: Place, chosen: Container[int]) -> dict[int, Failure]:
    """Why those of the chosen images that could not be made are not there, by index.

    One that another run forgets meanwhile, to try it again, is none of them.
    """
    paths = (quarantine_folder(folder, index) / TELLING for index in failed(folder) if index in chosen)
    return {int(path.parent.name): _parsed(path, data) for path, data in read_there(paths)}


def drop_failures(folder: Place, chosen: Container[int]) -> None:
    """Forget that these images could not be made, so that they are tried again."""
    places = (quarantine_folder(folder, index) for index in failed(folder) if index in chosen)
    deque((map if isinstance(folder, Path) else ahead)(_drop, places), maxlen=0)


def _drop(place: Place) -> None:
    for name in FILES:  # the one that counts first
        remove(place / name)
    if isinstance(place, Path):
        with suppress(OSError):  # something else lies there, such as what a killed worker was writing
            place.rmdir()


def _parsed(path: Place, data: bytes) -> Failure:
    try:
        return Failure.model_validate_json(data)
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged: {error.errors()[0]['msg']}. Delete it, and run again") from error
