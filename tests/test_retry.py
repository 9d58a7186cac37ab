"""Which troubles of a network may pass, as the store's own client tells them."""

from __future__ import annotations

import pytest

from scenewright.datasets.retry import passes

exceptions = pytest.importorskip("botocore.exceptions", reason="needs the extra `farm`")


def answered(code: str, status: int) -> Exception:
    """What S3's client raises for an answer."""
    told = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = exceptions.ClientError(told, "PutObject")
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answered("SlowDown", 503), True),
        (answered("BadDigest", 400), True),
        (answered("AccessDenied", 403), False),
        (answered("PreconditionFailed", 412), False),
        (exceptions.FlexibleChecksumError(error_msg="Expected checksum a did not match calculated checksum: b"), True),
        (exceptions.IncompleteReadError(actual_bytes=3, expected_bytes=7), True),
        (ValueError("a mistake of ours"), False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_lost_on_the_way_is_asked_for_again(error: Exception, expected: bool) -> None:
    """Torn answers and busy stores pass; refusals and mistakes do not, whatever class they come in."""
    wrapped = OSError("could not read")
    wrapped.__cause__ = error
    assert passes(error) is expected
    assert passes(wrapped) is expected
