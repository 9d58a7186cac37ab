"""The fixtures by name: what objects lie in, stand on or hang from, how each is built, and what it offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .containers import tray
from .containers.interior import Interior
from .shape import Shape

__all__ = ["FIXTURES", "FixtureKind"]


@dataclass(frozen=True)
class FixtureKind(Shape):
    """A shape whose frame has its origin in the middle of the floor; `interior` gives what it offers to things."""

    interior: Callable[[Any], Interior]


FIXTURES: dict[str, FixtureKind] = {
    "tray": FixtureKind(
        tray.TrayParams, tray.tray, tray.tray_rand,
        {"wall": {"plastic": 2, "painted_metal": 1, "wood": 1}, "floor": {"plastic": 1, "fabric": 2},
         "lining": {"plastic": 1, "cardboard": 1}},
        tray.tray_interior,
    ),
}  # fmt: skip
