"""Where a dataset is: a folder of this machine, NFS among them, or a prefix of a bucket on S3, Google or Azure."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..errors import UsageError

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["CLIENTS", "Place", "PlaceT", "local_folder", "place"]

#: A `pathlib.Path`, or for a bucket the same thing of universal_pathlib, whose import a local run does not pay for.
Place: TypeAlias = "Path | UPath"
#: For functions that give a place below the one that they are given, of its kind.
PlaceT = TypeVar("PlaceT", Path, "UPath", "Path | UPath")

#: Protocol → the package that speaks it. Of these the source was read: each sends the condition of a create-if-absent.
CLIENTS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
SQUASHED = re.compile(r"({}):/[^/].*".format("|".join(CLIENTS)), re.DOTALL)

#: A listing is never older than the call. On S3 it is we who try again (`retry.py`), so that every try is told.
OPTIONS: dict[str, dict[str, Any]] = {
    "s3fs": {
        "use_listings_cache": False,
        "max_concurrency": 1,  # more costs a request for the size before every read
        "config_kwargs": {
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 64,
        },
    },
    "gcsfs": {"use_listings_cache": False, "consistency": "md5"},
    "adlfs": {"use_listings_cache": False},
}


def local_folder(text: str | Path) -> Path:
    """The folder of this machine that a path names; UsageError for a bucket, which has to be fetched first."""
    found = place(text)
    if isinstance(found, Path):
        return found
    raise UsageError(
        f"{found} is in a bucket, and this command reads a folder of this machine: run `scenewright fetch {found} "
        "FOLDER`, then name that folder"
    )


def place(text: str | Path) -> Place:
    """The place that a path or a URL names: `out/parts`, `s3://bucket/parts`, `gs://…`, `az://container/…`.

    Clients take address and credentials from their usual environment variables: AWS_ENDPOINT_URL, AWS_PROFILE,
    GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_CONNECTION_STRING, …

    Raises:
        UsageError: a protocol that is not known to commit safely, a URL without a bucket, or its package is missing.
    """
    if isinstance(text, Path):
        return text
    if SQUASHED.fullmatch(text):
        raise UsageError(f"{text!r} lacks a slash: a bucket is written {text.replace(':/', '://', 1)}")
    match = URL.fullmatch(text)
    if match is None:
        return Path(text)
    protocol, rest = match[1].lower(), match[2].rstrip("/")
    client = CLIENTS.get(protocol)
    if client is None:
        raise UsageError(
            f"datasets lie in a folder or at {', '.join(f'{p}://' for p in ('s3', 'gs', 'az'))}, got {text!r}: only of "
            "these is it known that two workers which make the same image end with one record"
        )
    if not rest or "::" in rest or any(part in ("", ".", "..") for part in rest.split("/")):
        raise UsageError(f"{text!r} names no place in a bucket: write {protocol}://BUCKET/FOLDER, without . or ..")
    if importlib.util.find_spec(client) is None:
        raise UsageError(f"{protocol}:// needs the package {client}: pip install 'scenewright[farm]'")
    from upath import UPath

    bucket: UPath = UPath(f"{protocol}://{rest}", **OPTIONS[client])
    return bucket
