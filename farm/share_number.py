"""Which share of a run a process is, as told on the command line or by the scheduler that started it."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UsageError

__all__ = ["share_number"]

#: Scheduler → variables of the number, of the count, and of the first number where that need not be 0.
SCHEDULERS: Mapping[str, tuple[str, str | None, str | None]] = {
    "Slurm": ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"),
    "Kubernetes": ("JOB_COMPLETION_INDEX", None, None),
    "AWS Batch": ("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", None),
    "Google Batch": ("BATCH_TASK_INDEX", "BATCH_TASK_COUNT", None),
    "PBS": ("PBS_ARRAY_INDEX", None, None),
    "Grid Engine": ("SGE_TASK_ID", "SGE_TASK_LAST", "SGE_TASK_FIRST"),
}


def share_number(environ: Mapping[str, str], number: int | None = None, count: int | None = None) -> tuple[int, int]:
    """(number from 0, count): what is given, else what the environment says.

    Raises:
        UsageError: neither says it, or a variable holds no whole number.
    """
    for name, (own, of, first) in SCHEDULERS.items():
        if number is None and environ.get(own, "undefined") != "undefined":  # Grid Engine writes "undefined"
            start = _int(environ, first) if first and first in environ else 0
            number = _int(environ, own) - start
            if count is None and of and of in environ:
                count = _int(environ, of) + (1 - start if name == "Grid Engine" else 0)
    if number is None or count is None:
        what = "number (--shard)" if number is None else "count (--shards)"
        known = ", ".join(own for own, _, _ in SCHEDULERS.values())
        raise UsageError(f"--executor index needs the share's {what}: give it, or run where one of {known} is set")
    return number, count


def _int(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(environ[name])
    except ValueError:
        raise UsageError(f"{name} must be a whole number, got {environ[name]!r}") from None
