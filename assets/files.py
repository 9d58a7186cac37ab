"""Files named by their content: a scene holds a hash, this module finds bytes that have it.

The module keeps three tables: the hash of each file version seen, the paths where a hash was seen, and the folders
to search. They are the one piece of module state in `assets/`, and harmless: a hash determines the bytes, so what they
hold can make a lookup succeed sooner but never make it return something else. A new process starts with empty tables
and fills them with `add_folder` or `remember`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import AssetError
from .atomic import atomic_file
from .material import FileRef
from .regular import check_regular

__all__ = ["STORED_NAME", "add_folder", "copy_into", "locate", "remember", "store", "stored_name"]

#: The name of a stored file: its hash, and its suffix where that is a plain one.
STORED_NAME = re.compile(r"([0-9a-f]{64})(\.[a-z0-9]{1,8})?")
CHUNK_BYTES = 1 << 20
#: No mesh, picture or panorama that the limits of their kinds allow is larger.
MAX_BYTES = 2 << 30

#: Size, mtime and ctime in ns, inode: while none of them changes, the content is taken as unchanged.
_Version = tuple[int, int, int, int]
_hashes: dict[Path, tuple[_Version, str]] = {}
_places: dict[str, list[Path]] = {}
_folders: list[Path] = []


def remember(path: Path) -> FileRef:
    """Hash a file and note where it lies, so that `locate` finds it again.

    Raises:
        AssetError: the path is missing, a folder, no regular file, unreadable, empty or larger than `MAX_BYTES`.
    """
    digest = _digest(path)
    places = _places.setdefault(digest, [])
    if path.absolute() not in places:
        places.append(path.absolute())
    return FileRef(name=path.name, sha256=digest)


def add_folder(folder: Path) -> None:
    """Let `locate` search a folder of files that are named `<sha256><suffix>`, such as a dataset's `assets/`.

    Raises:
        AssetError: it is no folder.
    """
    if not folder.is_dir():
        raise AssetError(f"{folder} is no folder: give the folder that holds files named <sha256><suffix>")
    if folder.absolute() not in _folders:
        _folders.append(folder.absolute())


def locate(ref: FileRef) -> Path:
    """A path whose content has the reference's hash, checked again whenever its size or times have changed.

    Raises:
        AssetError: no known file has this content (any more).
    """
    seen = _places.get(ref.sha256, [])
    stored = [file for folder in _folders for file in sorted(folder.glob(f"{ref.sha256}*"))]
    for path in (*seen, *stored):
        if path.is_file() and _digest(path) == ref.sha256:
            return path
    raise AssetError(_not_found(ref, [*seen, *stored]))


def copy_into(ref: FileRef, folder: Path) -> Path:
    """Copy the file to `folder/<sha256><suffix>`, atomically, and return that path; a good copy there is kept.

    A suffix that is not plain (see `STORED_NAME`) is left out.

    Raises:
        AssetError: the content is not to be found, changes while it is read, or cannot be written.
    """
    target = folder / stored_name(ref)
    if target.is_file() and _digest(target) == ref.sha256:
        return target
    source = locate(ref)
    hasher = hashlib.sha256()
    with _replacing(target) as sink, source.open("rb") as data:
        while chunk := data.read(CHUNK_BYTES):
            hasher.update(chunk)
            sink.write(chunk)
        if hasher.hexdigest() != ref.sha256:
            raise AssetError(f"{source} changed while it was copied: leave it alone during a run, then run again")
    return target


def stored_name(ref: FileRef) -> str:
    """The name under which `copy_into` puts a file."""
    name = f"{ref.sha256}{Path(ref.name).suffix.lower()}"
    return name if STORED_NAME.fullmatch(name) else ref.sha256


def store(content: bytes, suffix: str, folder: Path) -> Path:
    """Write bytes to `folder/<sha256><suffix>`, atomically, and return that path; a good copy there is kept.

    Raises:
        AssetError: it cannot be written.
    """
    digest = hashlib.sha256(content).hexdigest()
    target = folder / f"{digest}{suffix}"
    if not (target.is_file() and _digest(target) == digest):
        with _replacing(target) as sink:
            sink.write(content)
    return target


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """`atomic_file`, with the error of this layer."""
    try:
        with atomic_file(target) as sink:
            yield sink
    except OSError as error:
        raise AssetError(f"cannot write {target} ({error}): make room or make its folder writable") from error


def _digest(path: Path) -> str:
    """The sha256 of a file's content, computed once for each version of the file."""
    if path.is_dir():
        raise AssetError(f"{path} is a folder: name a file in it")
    try:
        stat = check_regular(path)
        version = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        known = _hashes.get(path.absolute())
        if known is not None and known[0] == version:
            return known[1]
        if stat.st_size == 0:
            raise AssetError(f"{path} is empty (0 bytes): export or copy it again")
        if stat.st_size > MAX_BYTES:
            raise AssetError(
                f"{path} has {stat.st_size:,} bytes, and no asset may have more than {MAX_BYTES:,}: reduce it"
            )
        with path.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist: correct the path, which is taken from {Path.cwd()}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise AssetError(f"{path} cannot be read ({error}): correct the path, or its permissions") from error
    _hashes[path.absolute()] = (version, digest)
    return digest


def _not_found(ref: FileRef, tried: list[Path]) -> str:
    short = f'"{ref.name}" (sha256 {ref.sha256[:12]}…)'
    changed = [path for path in tried if path.is_file()]
    if changed:
        return f"{short} has changed: {changed[0]} now holds other content. Restore the file, or start a new dataset"
    if tried:
        return f"{short} is gone from {tried[0]}: put it back, or start a new dataset"
    searched = ", ".join(str(folder) for folder in _folders) or "no folder"
    return f"{short} is in no known place (searched: {searched}): keep the dataset's assets/ folder beside its records"
