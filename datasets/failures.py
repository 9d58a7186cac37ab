"""Images that could not be made, put aside with all that helps to find out why.

::

    quarantine/000017/failure.json     Failure
    quarantine/000017/scene.json       the scene, where it got so far
    quarantine/000017/log.txt          the end of what the worker wrote
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ..errors import DatasetError
from .files import exists, read_bytes, remove, write_bytes_atomic
from .listing import names
from .place import Place
from .records import Stored, quarantine_folder

__all__ = ["Failure", "drop_failures", "failures", "read_failure", "write_failure"]

FILES = ("failure.json", "scene.json", "log.txt")


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
    write_bytes_atomic(place / "failure.json", failure.model_dump_json(indent=2).encode() + b"\n")


def read_failure(folder: Place, index: int) -> Failure:
    """Why image `index` is not there.

    Raises:
        DatasetError: it is not among the failures, or the file is damaged.
    """
    path = quarantine_folder(folder, index) / "failure.json"
    try:
        return Failure.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged: {error.errors()[0]['msg']}. Delete it, and run again") from error


def failures(folder: Place) -> dict[int, Failure]:
    """Every image that was put aside because it could not be made, by index."""
    aside = folder / "quarantine"
    found = sorted(int(name) for name in names(aside) if name.isdecimal())
    return {i: read_failure(folder, i) for i in found if exists(aside / f"{i:06d}" / "failure.json")}


def drop_failures(folder: Place, chosen: Iterable[int]) -> None:
    """Forget that these images could not be made, so that they are tried again."""
    for index in failures(folder).keys() & set(chosen):
        place = quarantine_folder(folder, index)
        for name in FILES:  # the one that counts first
            remove(place / name)
        if isinstance(place, Path):
            place.rmdir()
