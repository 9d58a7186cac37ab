"""Calls to a store over the network, tried again while what went wrong may pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

__all__ = ["WAITS_S", "TornWriteError", "attempt", "passes", "status"]

T = TypeVar("T")

#: Six tries in half a minute. No chance in it: workers that failed together are at different images soon enough.
WAITS_S = (0.1, 0.4, 1.5, 6.0, 22.0)

#: Answers that another try may change: time-outs, two writers at once, too many requests, the server's own trouble.
PASSING_STATUS = {408, 409, 425, 429, 500, 502, 503, 504, 509}
#: The same as codes of S3, which come with status 400: the store has noticed that a part was lost on the way.
PASSING_CODES = {
    "BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
}  # fmt: skip
#: Classes of the clients and of what they build on, by name, since none of them need be installed.
PASSING_CLASSES = {
    "ChecksumError", "ClientConnectionError", "ClientPayloadError", "ConnectionError", "FlexibleChecksumError",
    "HTTPClientError", "IncompleteRead", "IncompleteReadError", "ResponseParserError", "ServiceRequestError",
    "ServiceResponseError", "TimeoutError", "TornWriteError",
}  # fmt: skip
#: Where clients' own exceptions come from. What comes from elsewhere and is no OSError is a mistake in the program.
CLIENTS = {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "s3fs"}

log = logging.getLogger("scenewright")


class TornWriteError(OSError):
    """A store took a write, and holds something else; `etag` names what."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


def attempt(what: str, call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """What `call` gives; tried again after what may pass, and each time that is said on stderr.

    Raises:
        FileNotFoundError, FileExistsError, PermissionError: the store says so; these do not pass.
        OSError: the store cannot be reached, or refuses for another reason.
    """
    for number, seconds in enumerate((*WAITS_S, None), 1):
        try:
            return call(*arguments, **options)
        except Exception as error:
            if seconds is None or not passes(error):
                raise _plain(error) from error
            log.warning("%s: %s; try %d of %d follows", what, _brief(error), number + 1, len(WAITS_S) + 1)
            time.sleep(seconds)
    raise AssertionError("the last try returns or raises")


def passes(error: BaseException) -> bool:
    """Whether another try may help."""
    for cause in _causes(error):
        if (code := _code(cause)) in PASSING_CODES or (number := status(cause)) in PASSING_STATUS:
            return True
        if code is not None or number is not None:
            return False
    if isinstance(error, FileNotFoundError | FileExistsError | PermissionError):
        return False
    return any(kind.__name__ in PASSING_CLASSES for cause in _causes(error) for kind in type(cause).__mro__)


def status(error: BaseException) -> int | None:
    """The HTTP status that an exception of botocore, gcsfs, azure or aiohttp carries, None when it has none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = next((v for name in ("status_code", "status", "code") if (v := getattr(error, name, None))), None)
    return int(found) if str(found).isdecimal() else None


def _code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was made from, innermost last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _plain(error: Exception) -> Exception:
    """The exception as the rest of the program knows them: an OSError for what a client says of the store."""
    if isinstance(error, OSError):
        return error
    if type(error).__module__.partition(".")[0] not in CLIENTS:
        return error
    kind = PermissionError if "Credentials" in type(error).__name__ or status(error) in (401, 403) else OSError
    return kind(_brief(error))


def _brief(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
