"""What the command line shows while it works: progress on stderr, a bar on a terminal and lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Stopped", "console", "rendering", "steps"]


class Stopped(BaseException):
    """Ctrl-C or SIGTERM, and what to say after "interrupted". No KeyboardInterrupt, which typer ends without a word."""


console = Console(stderr=True, highlight=False)


@contextmanager
def rendering(count: int, doing: str = "rendering") -> Iterator[Any]:
    """A bar on a terminal, a line for every tenth image elsewhere.

    Gives two functions to call: with the number of images that are to be made, of `count` in all unless another number
    is told there; and with each image.
    """
    bar = Progress(
        TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=console,
        disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("images", total=None, rate="")

        def begin(todo: int, of: int = count) -> None:
            bar.update(task, total=todo)
            if todo < of:
                console.print(f"{todo} of {of} images are left to make")

        def advance(outcome: Any) -> None:
            bar.advance(task)
            t = bar.tasks[0]
            rate = f"{60 * t.completed / t.elapsed:.1f} images/min" if t.elapsed else ""
            bar.update(task, rate=rate)
            if not console.is_terminal and (t.completed % 10 == 0 or t.completed == t.total):
                console.print(f"{t.completed:.0f}/{t.total:.0f} images, {rate}")
            if outcome.status != "ok":
                console.print(
                    f"[red]image {outcome.index} {outcome.status}:[/] {escape(str(outcome.reason))}", soft_wrap=True
                )

        yield begin, advance


@contextmanager
def steps(doing: str) -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """A bar for each thing that begins, or on no terminal a line for every tenth of it.

    Gives a function to call with what begins and how much of it there is; that gives one to call after each.
    """
    bar = Progress(
        TextColumn(doing), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("left"), TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip

    def begin(what: str, count: int) -> Callable[[], None]:
        task, done, told = bar.add_task(what, total=count), 0, 0

        def advance() -> None:
            nonlocal done, told
            done += 1
            bar.advance(task)
            if not console.is_terminal and (done == count or done >= told + max(10, count // 10)):
                told = done
                console.print(f"{doing} {what}: {done}/{count}")

        return advance

    with bar:
        yield begin
