"""Ending a run early but in order: what is in the making is finished, within a time."""

from __future__ import annotations

import time

__all__ = ["GRACE_S", "Stop"]

#: Schedulers send SIGKILL 30 s after SIGTERM; ten of them are for ending the workers and a slow disk.
GRACE_S = 20.0


class Stop:
    """Whether a run shall end, and how long images that are in the making may still take.

    Args:
        grace_s: seconds after `request` in which they are waited for.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self.grace_s = grace_s
        self._deadline: float | None = None

    def request(self) -> None:
        """Begin no further image; may be called from a signal handler, and again."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self.grace_s

    @property
    def requested(self) -> bool:
        """Whether anybody has asked for the end."""
        return self._deadline is not None

    @property
    def over(self) -> bool:
        """Whether the time for what was in the making has gone by too."""
        return self._deadline is not None and time.monotonic() >= self._deadline
