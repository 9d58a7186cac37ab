"""The fixtures by name: what objects lie in, stand on or hang from, how each is built, and what it offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .containers import bin, conveyor, dish, pegboard, shelf, tray
from .containers.interior import Interior
from .shape import Shape

__all__ = ["FIXTURES", "FixtureKind"]


@dataclass(frozen=True)
class FixtureKind(Shape):
    """A shape whose frame has its origin in the middle of the floor; `interior` gives what it offers to things."""

    interior: Callable[[Any], Interior]
    pegs: bool = False  # whether things hang from it, and nothing lies in it


FIXTURES: dict[str, FixtureKind] = {
    "bin": FixtureKind(bin.BinParams, bin.bin_mesh, bin.bin_rand, {"body": {"plastic": 1}}, bin.bin_interior),
    "conveyor": FixtureKind(
        conveyor.ConveyorParams, conveyor.conveyor, conveyor.conveyor_rand,
        {"belt": {"rubber": 1}, "frame": {"brushed_steel": 1}, "rail": {"plastic": 1, "brushed_steel": 1}},
        conveyor.conveyor_interior,
    ),
    "shelf": FixtureKind(
        shelf.ShelfParams, shelf.shelf, shelf.shelf_rand,
        {"board": {"wood": 1, "painted_metal": 2}, "side": {"painted_metal": 1}, "back": {"painted_metal": 1}},
        shelf.shelf_interior,
    ),
    "dish": FixtureKind(
        dish.DishParams, dish.dish, dish.dish_rand, {"body": {"ceramic": 1, "brushed_steel": 1, "glass": 1}},
        dish.dish_interior,
    ),
    "pegboard": FixtureKind(
        pegboard.PegboardParams, pegboard.pegboard, pegboard.pegboard_rand,
        {
            "board": {"painted_metal": 2, "wood": 1},
            "frame": {"painted_metal": 1, "wood": 2, "brushed_steel": 1},
            "hook": {"zinc": 3, "black_oxide": 1},
        },
        pegboard.pegboard_interior,
        pegs=True,
    ),
    "tray": FixtureKind(
        tray.TrayParams, tray.tray, tray.tray_rand,
        {"wall": {"plastic": 2, "painted_metal": 1, "wood": 1}, "floor": {"plastic": 1, "fabric": 2},
         "lining": {"plastic": 1, "cardboard": 1}},
        tray.tray_interior,
    ),
}  # fmt: skip
