"""What lies in a folder, of this machine or of a bucket."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError
from .ahead import ahead
from .objects import Entry, client
from .place import Place
from .retry import attempt

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["by_number", "entries", "entry", "is_folder", "names", "numbered", "numbered_entries", "walk"]

NUMBER = r"([0-9]{6}|[1-9][0-9]{6,})"
#: As many as S3 and Google tell in one answer.
PAGE = 1000
#: What may follow the beginning of such a name.
FOLLOWING = "0123456789."


def numbered(folder: Place, suffix: str) -> list[int]:
    """Numbers of the files in a folder that are named as images are, 000017 and `suffix`, ascending.

    A million take a second on a local disk. A store tells a thousand names in one answer: where there are more, the
    folder is split by their first digits, and the parts are asked for side by side.
    """
    pattern = re.compile(NUMBER + re.escape(suffix))
    names = _local_names(folder) if isinstance(folder, Path) else (entry.name for entry in _parallel(folder))
    return sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))


def numbered_entries(folder: UPath, suffix: str) -> Iterator[tuple[int, Entry]]:
    """The objects that `numbered` counts, in any order; no more than some thousand of them are held at a time."""
    pattern = re.compile(NUMBER + re.escape(suffix))
    return ((int(match[1]), entry) for entry in _parallel(folder) if (match := pattern.fullmatch(entry.name)))


def by_number(folder: Place, wanted: Collection[str]) -> Iterator[tuple[int, str]]:
    """Which of the wanted files lie in folders that are named as images are, 000017/: the number and the file's name.

    In a bucket from a listing of all that lies there, of which one request tells a thousand.
    """
    if isinstance(folder, Path):
        numbers = (name for name in names(folder) if re.fullmatch(NUMBER, name))
        found = ([number, name] for number in numbers for name in wanted if (folder / number / name).is_file())
    else:
        parts = (entry.name.split("/") for entry in walk(folder))
        found = (p for p in parts if len(p) == 2 and p[1] in wanted and re.fullmatch(NUMBER, p[0]))
    return ((int(number), name) for number, name in found)


def entries(folder: Place) -> Iterator[Entry]:
    """The files that lie directly in a folder; none where there is no such folder."""
    if not isinstance(folder, Path):
        yield from (e for page in _pages(folder, "", "/") for e in page.values() if not e.name.endswith("/"))
        return
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for item in found:
            with suppress(FileNotFoundError):  # removed since
                if item.is_file():
                    yield Entry(item.name, item.stat().st_size, "", item.stat().st_mtime)


def entry(path: Place) -> Entry:
    """What a listing says of one file; OSError where it is not there."""
    if isinstance(path, Path):
        found = path.stat()
        return Entry(path.name, found.st_size, "", found.st_mtime)
    page, _ = _page(path.parent, path.name, "/")
    if path.name not in page:
        raise FileNotFoundError(f"{path} is not there")
    return page[path.name]


def names(folder: Place) -> list[str]:
    """Names of the files and folders that lie directly in a folder, sorted; none where there is no such folder."""
    if isinstance(folder, Path):
        return sorted(_local_names(folder))
    return sorted(name.removesuffix("/") for page in _pages(folder, "", "/") for name in page)


def is_folder(folder: Place) -> bool:
    """Whether there is such a folder; in a bucket, whether anything lies in it."""
    return folder.is_dir() if isinstance(folder, Path) else bool(_page(folder, "", "/")[0])


def walk(folder: UPath) -> Iterator[Entry]:
    """All objects below a folder of a bucket, in the order of their names."""
    for page in _pages(folder, "", ""):
        yield from page.values()


def _local_names(folder: Path) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries)


def _parallel(folder: UPath) -> Iterator[Entry]:
    """The objects directly in a folder whose first characters are those of a number."""
    waiting = [""]
    while waiting:
        long = []
        for prefix, page, more in ahead(lambda prefix: (prefix, *_page(folder, prefix, "/")), waiting):
            if more is None:
                yield from page.values()
            else:
                long.append(prefix)
        waiting = [prefix + digit for prefix in long for digit in FOLLOWING]


def _pages(folder: UPath, prefix: str, delimiter: str) -> Iterator[dict[str, Entry]]:
    page, more = _page(folder, prefix, delimiter)
    yield page
    while more is not None:
        page, more = _page(folder, prefix, delimiter, more)
        yield page


def _page(folder: UPath, prefix: str, delimiter: str, token: str | None = None) -> tuple[dict[str, Entry], str | None]:
    """Up to a thousand entries below a folder whose names begin with `prefix`, and the token of what follows.

    With the delimiter "/" those directly in it; folders among them are named with a slash at the end. DatasetError
    where the store refuses.
    """
    ask = {"s3": _s3_page, "gs": _gcs_page, "gcs": _gcs_page}.get(folder.protocol, _whole)
    try:
        return attempt(f"list {folder}", ask, folder, prefix, delimiter, token)
    except OSError as error:
        raise DatasetError(
            f"cannot list {folder}: {error.strerror or error}. Check that the bucket is there, that these credentials "
            "may list, read and write it, and the connection"
        ) from error


def _s3_page(folder: UPath, prefix: str, delimiter: str, token: str | None) -> tuple[dict[str, Entry], str | None]:
    bucket, key, _ = client(folder).split_path(folder.path)
    top = f"{key}/" if key else ""
    more = {"ContinuationToken": token} if token else {}
    answer = client(folder).call_s3(
        "list_objects_v2", Bucket=bucket, Prefix=top + prefix, Delimiter=delimiter, MaxKeys=PAGE, **more
    )
    found = [
        Entry(item["Key"], item["Size"], item["ETag"], item["LastModified"].timestamp())
        for item in answer.get("Contents", ())
    ]
    found += [Entry(item["Prefix"], 0) for item in answer.get("CommonPrefixes", ())]
    return _below(top, found), answer.get("NextContinuationToken") if answer.get("IsTruncated") else None


def _gcs_page(folder: UPath, prefix: str, delimiter: str, token: str | None) -> tuple[dict[str, Entry], str | None]:
    bucket, key, _ = client(folder).split_path(folder.path)
    top = f"{key}/" if key else ""
    more = {"pageToken": token} if token else {}
    more |= {"delimiter": delimiter} if delimiter else {}
    answer: dict[str, Any] = client(folder).call(
        "GET", "b/{}/o", bucket, prefix=top + prefix, maxResults=PAGE, json_out=True, **more
    )
    found = [
        Entry(item["name"], int(item["size"]), item["etag"], datetime.fromisoformat(item["updated"]).timestamp())
        for item in answer.get("items", ())
    ]
    found += [Entry(name, 0) for name in answer.get("prefixes", ())]
    return _below(top, found), answer.get("nextPageToken")


def _whole(folder: UPath, prefix: str, delimiter: str, token: str | None) -> tuple[dict[str, Entry], str | None]:
    """All that Azure has, in pages of 5000 that its client asks for one after the other."""
    top, fs = f"{folder.path}/", client(folder)
    try:
        infos = fs.ls(folder.path, detail=True) if delimiter else fs.find(folder.path, detail=True).values()
    except FileNotFoundError:
        return {}, None
    found = [
        Entry(i["name"] + "/", 0)
        if i["type"] == "directory"
        else Entry(i["name"], int(i["size"] or 0), str(i.get("etag", "")), _since_1970(i.get("last_modified")))
        for i in infos
    ]
    return _below(top, [entry for entry in found if entry.name.startswith(top + prefix)]), None


def _since_1970(when: datetime | None) -> float:
    return 0.0 if when is None else when.timestamp()


def _below(top: str, found: list[Entry]) -> dict[str, Entry]:
    """Entries by their names below `top`; without the placeholder that some tools make for a folder."""
    below = ((entry.name[len(top) :], entry) for entry in found)
    return {name: replace(entry, name=name) for name, entry in below if name}
