"""Which share of a run a process is, as told on the command line or by the scheduler that started it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["share_number"]


@dataclass(frozen=True)
class _Scheduler:
    """Variables of a task's number, of the count of tasks, and of the first and last number of the array.

    `base` is the number of the first share: Grid Engine knows no task 0.
    """

    own: str
    count: str | None = None
    first: str | None = None
    last: str | None = None
    base: int = 0


SCHEDULERS: Mapping[str, _Scheduler] = {
    "Slurm": _Scheduler(
        "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX"
    ),
    "Kubernetes": _Scheduler("JOB_COMPLETION_INDEX"),
    "AWS Batch": _Scheduler("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"),
    "Google Batch": _Scheduler("BATCH_TASK_INDEX", "BATCH_TASK_COUNT"),
    "PBS": _Scheduler("PBS_ARRAY_INDEX"),
    "Grid Engine": _Scheduler("SGE_TASK_ID", None, "SGE_TASK_FIRST", "SGE_TASK_LAST", 1),
}


def share_number(environ: Mapping[str, str], number: int | None = None, count: int | None = None) -> tuple[int, int]:
    """(number from 0, count): what is given, else what the environment says.

    A task keeps its number in an array of some tasks only, such as one that repeats those that failed.

    Raises:
        UsageError: neither says it, the array has some tasks only and the count is not given, or a variable holds no
            whole number.
    """
    for name, scheduler in SCHEDULERS.items():
        if number is None and environ.get(scheduler.own, "undefined") != "undefined":  # Grid Engine writes "undefined"
            number = _int(environ, scheduler.own) - scheduler.base
            count = count or _count(environ, name, scheduler)
    if number is None or count is None:
        what = "number (--shard)" if number is None else "count (--shards)"
        known = ", ".join(scheduler.own for scheduler in SCHEDULERS.values())
        raise UsageError(f"--executor index needs the share's {what}: give it, or run where one of {known} is set")
    return number, count


def _count(environ: Mapping[str, str], name: str, scheduler: _Scheduler) -> int | None:
    """How many tasks the array has, if all of them are in it: of a part of one, only the user knows the whole."""
    variables = (scheduler.first, scheduler.last, scheduler.count)
    first, last, there = (_int(environ, v) if v is not None and v in environ else None for v in variables)
    whole = None if last is None else last - scheduler.base + 1
    if first not in (None, scheduler.base) or (whole is not None and there not in (None, whole)):
        raise UsageError(
            f"this array of {name} has {there or 'its'} tasks from {first} to {last}, so it does not say how many "
            "shares the dataset has: give their number with --shards"
        )
    return whole if there is None else there


def _int(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise UsageError(f"{name} must be a whole number, got {environ[name]!r}") from None
