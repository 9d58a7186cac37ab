"""What was made last, kept up to a number of bytes: a bolt's mesh is half a megabyte, a scanned part's two hundred."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["LIMIT_BYTES", "Cache"]

#: What one cache of a process may hold: the largest mesh that is read, or hundreds of usual ones.
LIMIT_BYTES = 256 << 20

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """The values used last, together of `limit_bytes` at most; one that is larger by itself is made each time.

    `size` gives the bytes of a value, the same each time it is asked. Values are kept by reference: treat them as
    read-only. There is no lock, so two threads that ask for one new key at once may each make it.
    """

    def __init__(self, limit_bytes: int, size: Callable[[Value], int]) -> None:
        self.limit_bytes, self._size = limit_bytes, size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._held = 0

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of `key`: the one that is kept, else the one that `make` gives."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        if self._size(value) <= self.limit_bytes:
            self._values[key] = value
            self._held += self._size(value)
        while self._held > self.limit_bytes:
            self._held -= self._size(self._values.popitem(last=False)[1])
        return value
