"""The cache of meshes: it keeps what was used last, up to a number of bytes."""

from __future__ import annotations

import pytest

from scenewright.assets import library, mesh_files
from scenewright.assets.cache import Cache


def cache(limit: int) -> tuple[Cache[str, bytes], list[str]]:
    """A cache of texts by their letter, and the letters for which one was made."""
    return Cache(limit, len), []


def ask(held: Cache[str, bytes], made: list[str], key: str, size: int) -> bytes:
    def make() -> bytes:
        made.append(key)
        return key.encode() * size

    return held.get(key, make)


def test_a_second_call_gives_the_same_object() -> None:
    """What is kept is handed out again, not made again."""
    held, made = cache(10)
    assert ask(held, made, "a", 4) is ask(held, made, "a", 4)
    assert made == ["a"]


def test_what_was_used_longest_ago_goes_first() -> None:
    """When the bytes do not suffice, as many values go as must, and use counts, not age."""
    held, made = cache(10)
    for key, size in (("a", 4), ("b", 3), ("c", 3), ("a", 4), ("d", 5)):
        ask(held, made, key, size)
    made.clear()
    for key, size in (("a", 4), ("d", 5), ("b", 3)):
        ask(held, made, key, size)
    assert made == ["b"]


def test_a_value_over_the_limit_is_not_kept_and_evicts_nothing() -> None:
    """A value that is larger than the whole cache is made each time, and the others stay."""
    held, made = cache(10)
    for key, size in (("a", 10), ("b", 11), ("b", 11), ("a", 10)):
        assert len(ask(held, made, key, size)) == size
    assert made == ["a", "b", "b"]


def test_a_failure_is_not_kept() -> None:
    """What cannot be made is tried again by the next call."""
    held: Cache[str, bytes] = Cache(10, len)
    with pytest.raises(ZeroDivisionError):
        held.get("a", lambda: bytes(1 // 0))
    assert held.get("a", lambda: b"a") == b"a"


def test_meshes_are_kept_by_their_bytes() -> None:
    """Built meshes may hold 32 MiB (a worker may grow by 100 MB), read ones 256; a mesh counts with all its arrays."""
    assert library._meshes.limit_bytes == 32 * 2**20
    assert mesh_files._meshes.limit_bytes == 256 * 2**20
    can = library.build("can", {})
    v, f = len(can.vertices), len(can.faces)
    assert can.nbytes == v * 3 * 8 + f * 3 * 4 + f + f * 6 * 4
