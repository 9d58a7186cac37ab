"""What the benchmarks share: seconds by stage, tables, and a standard output that Blender does not write to."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any

__all__ = ["Stopwatch", "blender_quiet", "size", "table"]


class Stopwatch:
    """Seconds by stage, of CPU time of all threads where `clock` is not another one.

    A stage inside another one is charged to itself, not to the outer one.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self.spent: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge the block to `name`; a `{}` in it stands for the stage around it."""
        self._charge()
        self._open.append(name.format(self._open[-1] if self._open else "").strip())
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def watch(self, module: Any, name: str, stage: str) -> None:
        """Charge every call of `module.name`, made through that module and inside a stage, to `stage`."""
        function: Callable[..., Any] = getattr(module, name)

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(stage) if self._open else nullcontext():
                return function(*args, **kwargs)

        setattr(module, name, timed)

    def _charge(self) -> None:
        now = self._clock()
        if self._open:
            self.spent[self._open[-1]] += now - self._since
        self._since = now


def blender_quiet() -> None:
    """Blender prints to file descriptor 1: send that to /dev/null, and this program's own prints where it led before.

    A run with BENCH_LOG=1 in its environment sends it to standard error instead.
    """
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2 if os.environ.get("BENCH_LOG") else os.open(os.devnull, os.O_WRONLY), 1)


def size(text: str) -> tuple[int, int]:
    """`640x480` as (width, height), for argparse."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"a size is WIDTHxHEIGHT, got {text!r}")
    return int(width), int(height)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows under a head, the first column to the left, the others to the right; floats as they come."""
    cells = [[str(c) for c in row] for row in (head, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    for row in cells:
        print("  ".join(c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))))
