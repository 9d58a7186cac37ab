"""Shelves as in shops and pantries: boards between two sides, before a back panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from ..shapes.base import Params, number
from .boards import Board, boards_mesh
from .interior import Interior, Level

__all__ = ["PARTS", "ShelfParams", "shelf", "shelf_interior", "shelf_rand"]

PARTS = ("board", "side", "back")
BACK_M = 0.008


class ShelfParams(Params):
    """Lengths in metres: `x_m` wide and `y_m` deep inside; the lowest board lies above a plinth."""

    x_m: Annotated[float, Field(ge=0.2, le=3)]
    y_m: Annotated[float, Field(ge=0.1, le=1)]
    spacing_m: Annotated[float, Field(ge=0.08, le=1, description="from one board's top to the next one's")]
    levels: Annotated[int, Field(ge=1, le=8, description="boards to stand on; one more lies on top")]
    board_m: Annotated[float, Field(ge=0.006, le=0.06)] = 0.018
    plinth_m: Annotated[float, Field(ge=0.02, le=0.3, description="height of the lowest board's top")] = 0.08

    @model_validator(mode="after")
    def _room(self) -> ShelfParams:
        if self.spacing_m < self.board_m + 0.05:
            raise ValueError(
                f"between boards {self.spacing_m:g} m apart and {self.board_m:g} m thick nothing can stand"
            )
        return self


def shelf(p: ShelfParams) -> Mesh:
    """A shelf that is open towards −y; the origin is the middle of the lowest board's top."""
    return boards_mesh(_boards(p), PARTS)


def _boards(p: ShelfParams) -> list[Board]:
    x, y, t = p.x_m / 2, p.y_m / 2, p.board_m
    top = p.levels * p.spacing_m
    boards = [Board((-x, -y, k * p.spacing_m - t), (x, y, k * p.spacing_m), 0.0012) for k in range(p.levels + 1)]
    boards += [
        Board((s * x if s > 0 else -x - t, -y - 0.001, -p.plinth_m), (x + t if s > 0 else -x, y, top), 0.0012, 1)
        for s in (-1, 1)
    ]
    boards.append(Board((-x - t, y, -p.plinth_m), (x + t, y + BACK_M, top), 0.0008, 2))
    boards.append(Board((-x, -y + 0.03, -p.plinth_m), (x, -y + 0.03 + t, -t), 0.0008, 1))
    return boards


def shelf_interior(p: ShelfParams) -> Interior:
    """A level for every board but the topmost, as high as the board above lets things be."""
    x, y = p.x_m / 2, p.y_m / 2
    clear = p.spacing_m - p.board_m
    levels = tuple(Level(k * p.spacing_m, (-x, -y), (x, y), clear) for k in range(p.levels))
    pieces = tuple(board.piece() for board in _boards(p))
    return Interior(p.plinth_m, (-x, -y, 0.0), (x, y, p.levels * p.spacing_m), pieces, levels=levels)


def shelf_rand(rng: np.random.Generator, given: Mapping[str, object]) -> ShelfParams:
    """A shelf of 0.6 to 1.2 m with two to four boards."""
    x, y, spacing, board = rng.uniform([0.6, 0.22, 0.26, 0.014], [1.2, 0.4, 0.36, 0.022]).tolist()
    drawn = {"x_m": x, "y_m": y, "spacing_m": spacing, "levels": int(rng.integers(2, 5)), "board_m": board}
    return ShelfParams.model_validate({**drawn, "plinth_m": number(given, "plinth_m", 0.08), **given})
