"""Calls that mostly wait, many at once, with their results in order and few of them in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["PARALLEL", "ahead"]

A = TypeVar("A")
B = TypeVar("B")

#: Requests to a store at once: each waits for 20 to 100 ms.
PARALLEL = 32


def ahead(call: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """`map(call, items)`, some items ahead of who reads. What a call raises is raised in its place, and ends it."""
    rest = iter(items)
    with ThreadPoolExecutor(PARALLEL) as pool:
        waiting = deque(pool.submit(call, item) for item in islice(rest, 2 * PARALLEL))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(call, item) for item in islice(rest, 1))
        finally:
            pool.shutdown(cancel_futures=True)
