"""The files that a dataset's scenes name, in its `assets/`: put there by hash, and made known to this process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..assets.files import STORED_NAME, add_folder, copy_into, locate, stored_name
from ..assets.material import FileRef
from ..errors import AssetError, DatasetError
from . import objects
from .listing import entries, is_folder
from .place import Place

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["fetch_assets", "put_assets", "use_assets"]


def put_assets(refs: Iterable[FileRef], folder: Place) -> None:
    """Copy files into the folder `assets/` of a dataset, each under its hash; what is there already is kept.

    Raises:
        AssetError: a file is not to be found, or cannot be written.
    """
    if isinstance(folder, Path):
        for ref in refs:
            copy_into(ref, folder)
        return
    held = {entry.name: entry.size for entry in entries(folder)}
    for ref in refs:
        source, name = locate(ref), stored_name(ref)
        if held.get(name) != source.stat().st_size:
            _upload(source, folder / name)


def use_assets(folder: Place) -> None:
    """Let scenes find the files of an `assets/` folder; those in a bucket are fetched into the user's cache first.

    Nothing happens where there is no such folder. A file is fetched once for a machine, and has the content that its
    name says.

    Raises:
        DatasetError: one cannot be fetched, or has other content.
    """
    if isinstance(folder, Path):
        if is_folder(folder):
            add_folder(folder)
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scenewright" / "assets"
    if fetch_assets(folder, cache):
        add_folder(cache)


def fetch_assets(folder: UPath, target: Path) -> int:
    """Copy the files of an `assets/` folder in a bucket into one of this machine; gives how many there are.

    Those that are there already are kept.

    Raises:
        DatasetError: one cannot be fetched, or does not have the content that its name says.
    """
    found = [entry for entry in entries(folder) if STORED_NAME.fullmatch(entry.name)]
    for entry in found:
        if not _have(target / entry.name, entry.size):
            _fetch(folder / entry.name, target / entry.name, entry.size)
    return len(found)


def _have(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _upload(source: Path, target: UPath) -> None:
    try:
        objects.upload(source, target)
    except OSError as error:
        raise AssetError(f"cannot write {target} ({error}): check that these credentials may write there") from error


def _fetch(source: UPath, target: Path, size: int) -> None:
    try:
        objects.download(source, target, size)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(
            f"cannot fetch {source} to {target} ({error}): make room, or set XDG_CACHE_HOME to another folder"
        ) from error
    if not target.name.startswith(digest):
        target.unlink()
        raise DatasetError(f"{source} does not have the content that its name says: restore the file")
