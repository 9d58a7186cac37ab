"""Furniture and frames from straight pieces: boxes with eased edges, put together as parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..mesh import Mesh, snap
from ..shapes.base import Solid, merge_parts, moved
from ..shapes.primitives import rounded_box
from .interior import box_piece

__all__ = ["Board", "boards_mesh"]

Vec3 = tuple[float, float, float]


class Board(NamedTuple):
    """A box by its opposite corners (metres), the radius of its edges, and the part that it belongs to."""

    low: Vec3
    high: Vec3
    edge_m: float = 0.001
    part: int = 0

    def solid(self) -> Solid:
        """The board as a closed solid."""
        low, high = np.asarray(self.low), np.asarray(self.high)
        size = high - low
        edge = min(self.edge_m, 0.45 * float(size.min()))
        x, y, z = (float(s) for s in size)
        return moved(rounded_box((x, y, z), edge, 2), (low + high) / 2)

    def piece(self) -> npt.NDArray[np.float64]:
        """Its corners: what things touch."""
        return box_piece(self.low, self.high)


def boards_mesh(boards: Sequence[Board], names: tuple[str, ...], more: Sequence[tuple[Solid, int]] = ()) -> Mesh:
    """One mesh of all boards, and of other solids with their part."""
    solids = [(*board.solid(), board.part) for board in boards]
    vertices, faces, part = merge_parts([*solids, *((*solid, part) for solid, part in more)])
    return Mesh(snap(vertices), faces, part, names)
