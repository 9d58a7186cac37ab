"""Objects in a bucket: one function for each thing that a dataset asks of a store, all of them through `retry.attempt`.

Every function raises OSError, or one of its kinds: FileNotFoundError, PermissionError. An object is written whole or
not at all, by the store's own promise; that it has got what was sent is checked here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from ..assets.atomic import atomic_file
from .retry import TornWriteError, attempt, status

if TYPE_CHECKING:
    from upath import UPath

__all__ = [
    "Entry",
    "client",
    "create",
    "delete",
    "download",
    "exists",
    "honours_conditions",
    "parts",
    "put",
    "read",
    "stream",
    "upload",
]

#: Larger files go up in parts, so that what fails is tried again part by part; S3 takes 10,000 of at most 5 GiB.
PART_BYTES = 64 << 20
S3 = ("s3", "s3a")
PRECONDITION_FAILED = 412


@dataclass(frozen=True)
class Entry:
    """What a listing says of an object, or of a file.

    Attributes:
        name: below the folder that was listed.
        size: in bytes.
        etag: of an object, in quotes.
        modified_s: when the store says that it was written, in seconds since 1970.
    """

    name: str
    size: int
    etag: str = ""
    modified_s: float = 0.0


def client(place: UPath) -> Any:
    """The client of a bucket; s3fs, which would try again without a word, does not: see `place.OPTIONS`."""
    fs = place.fs
    fs.retries = 1
    if _is_s3(place) and fs.session is None:
        fs.session = _session()
    return fs


def _session() -> Any:
    """botocore's session with another parser of times: its own takes three quarters of what a listing costs."""
    from aiobotocore.session import AioSession
    from botocore.utils import parse_timestamp

    def parse(text: Any) -> datetime:
        try:
            return datetime.fromisoformat(text)
        except (TypeError, ValueError):  # times in headers are written otherwise
            found: datetime = parse_timestamp(text)
            return found

    session = AioSession()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse)
    return session


def create(place: UPath, data: bytes) -> bool:
    """Put an object where there is none; False when there is another one, which stays as it is.

    Where the connection was lost the store may have had the object already, and the next try, of ours or of a client
    that tries again in secret, finds it there. So what is there is compared: with these very bytes it is as good as
    put now, whoever put it. A part of them is what a store has torn; that is replaced, unless somebody has done it.
    """
    fs, path = client(place), place.path
    condition: dict[str, Any] = {"mode": "create"}

    def once() -> bool:
        nonlocal condition
        try:
            _put(fs, path, data, condition)
        except TornWriteError as torn:
            condition = {"IfMatch": torn.etag}
            raise
        except FileExistsError:
            held = read(place)
            if not _torn(held, data) or not _is_s3(place):
                return held == data
            condition = {"IfMatch": f'"{_md5(held)}"'}
            raise TornWriteError("the object there is a part of this one", condition["IfMatch"]) from None
        except OSError as error:
            if "IfMatch" in condition and _status(error) == PRECONDITION_FAILED:
                return read(place) == data
            raise
        return True

    return attempt(f"create {place}", once)


def put(place: UPath, data: bytes) -> None:
    """Put an object, in place of any that is there."""
    attempt(f"write {place}", _put, client(place), place.path, data, {})


def read(place: UPath) -> bytes:
    """The content of an object."""
    data: bytes = attempt(f"read {place}", client(place).cat_file, place.path)
    return data


def exists(place: UPath) -> bool:
    """Whether there is such an object: one request on S3."""
    fs = client(place)
    if not _is_s3(place):
        return bool(attempt(f"look for {place}", fs.isfile, place.path))
    bucket, key, _ = fs.split_path(place.path)
    with suppress(FileNotFoundError):
        attempt(f"look for {place}", fs.call_s3, "head_object", Bucket=bucket, Key=key)
        return True
    return False


def parts(place: UPath, size: int | None = None) -> Iterator[bytes]:
    """The content of an object part by part, and a part at a time in memory; `size` in bytes saves a request."""
    fs = client(place)
    size = attempt(f"look for {place}", fs.size, place.path) if size is None else size
    for start in range(0, size, PART_BYTES):
        end = min(size, start + PART_BYTES)
        part: bytes = attempt(f"read {place}", fs.cat_file, place.path, start=start, end=end)
        if len(part) != end - start:
            raise OSError(f"{place} has changed while it was read: try again")
        yield part


def download(place: UPath, target: Path, size: int) -> None:
    """Copy an object of `size` bytes into a file of this machine, which appears when it is whole."""
    with atomic_file(target) as file:
        for part in parts(place, size):
            file.write(part)


def delete(place: UPath) -> None:
    """Remove an object, if there is one."""
    with suppress(FileNotFoundError):
        attempt(f"delete {place}", client(place).rm_file, place.path)


def honours_conditions(place: UPath) -> bool:
    """Whether the store refuses to create an object that is there, which some that speak S3 do not.

    The object must be there. It is asked to be created with the content that it has, so that no answer can hurt.
    """
    return not attempt(f"create {place}", _created, client(place), place.path, read(place))


@contextmanager
def stream(place: UPath, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file to write to, on this machine's temporary disk, that is put as an object when the block has succeeded."""
    with TemporaryDirectory(prefix="scenewright-") as folder:
        path = Path(folder) / "object"
        with path.open("wb", buffering) as file:
            yield file
        upload(path, place)


def upload(path: Path, place: UPath) -> None:
    """Put a file of this machine as an object, in place of any that is there; large ones in parts."""
    if path.stat().st_size <= PART_BYTES:
        put(place, path.read_bytes())
    elif _is_s3(place):
        _put_parts(path, place)
    else:
        attempt(f"write {place}", client(place).put_file, str(path), place.path)


def _put_parts(path: Path, place: UPath) -> None:
    """S3's multi-part upload. Nothing is there before the end, and the end names the checksum of every part."""
    bucket, key, _ = client(place).split_path(place.path)

    def ask(method: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = attempt(
            f"write {place}", client(place).call_s3, method, Bucket=bucket, Key=key, **options
        )
        return answer

    upload = ask("create_multipart_upload")["UploadId"]
    parts: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                number = len(parts) + 1
                answer = ask("upload_part", UploadId=upload, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        ask("complete_multipart_upload", UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException:
        with suppress(OSError):
            ask("abort_multipart_upload", UploadId=upload)
        raise


def _put(fs: Any, path: str, data: bytes, condition: dict[str, Any]) -> None:
    """One request, and where the store says what it has got, a look at that.

    S3's ETag is the MD5 of the content, except with some kinds of encryption and some other stores: so one that differs
    is a reason to read what is there.
    """
    answer = fs.pipe_file(path, data, **condition)
    etag = answer.get("ETag", "") if isinstance(answer, dict) else ""
    if etag and etag.strip('"') != _md5(data) and fs.cat_file(path) != data:
        raise TornWriteError("the store holds other bytes than were sent", etag)


def _created(fs: Any, path: str, data: bytes) -> bool:
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    return True


def _is_s3(place: UPath) -> bool:
    return place.protocol in S3


def _torn(held: bytes, whole: bytes) -> bool:
    return len(held) < len(whole) and whole.startswith(held)


def _status(error: OSError) -> int | None:
    return status(error.__cause__) if error.__cause__ is not None else None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
