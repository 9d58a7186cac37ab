"""What the doctor says about one thing."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """One fact about this machine. `remedy` is empty when `ok`, else what to do, a command wherever there is one."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
