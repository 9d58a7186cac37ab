"""Orderly places: a grid with jitter, and goods in rows on the boards of a shelf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Level
from ..errors import PlacementError
from .placement import Item, resting
from .scene import matrix

__all__ = ["grid", "shelve"]

Pose = npt.NDArray[np.float64]

#: Goods are turned by no more than this, radians, and stand up to so far apart, in their widths.
GOODS_TURN, GOODS_GAP = 0.12, 0.35


@dataclass(frozen=True)
class _Standing:
    """A thing on the plane z = 0 above the origin: its pose, and the corners (2,) of its outline's box, metres."""

    pose: Pose
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    height: float

    @property
    def size(self) -> npt.NDArray[np.float64]:
        """(2,) x and y extent."""
        return self.high - self.low

    def at(self, corner: npt.NDArray[np.float64], z: float) -> Pose:
        """The pose that puts the lower corner of its box there."""
        pose = self.pose.copy()
        pose[:2, 3] += corner - self.low
        pose[2, 3] += z
        return np.asarray(matrix(pose))


def _stand(rng: np.random.Generator, item: Item, turn: float) -> _Standing:
    pose = resting(rng, item)
    c, s = np.cos(turn), np.sin(turn)
    pose[:3, :3] = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ pose[:3, :3]
    points = item.mesh.vertices @ pose[:3, :3].T * item.scale
    return _Standing(pose, points[:, :2].min(axis=0), points[:, :2].max(axis=0), float(np.ptp(points[:, 2])))


def grid(
    rng: np.random.Generator, rngs: Sequence[np.random.Generator], items: Sequence[Item], size: tuple[float, float],
    gap_m: float,
) -> list[Pose]:  # fmt: skip
    """Poses on z = 0: one thing in each cell of the coarsest grid over `size` (x, y) that has enough cells.

    Each is turned and moved at random as far as its cell lets it. `rng` deals the cells, each thing's own generator its
    pose in there.

    Raises:
        PlacementError: a thing is larger than a cell.
    """
    columns, rows = _cells(len(items), size)
    cell = np.array([size[0] / columns, size[1] / rows])
    poses = []
    for own, item, place in zip(rngs, items, rng.permutation(columns * rows)[: len(items)], strict=True):
        standing = _stand(own, item, own.uniform(0, 2 * np.pi))
        room = cell - standing.size - gap_m
        if (room < 0).any():
            w, d = standing.size * 1e3
            raise PlacementError(
                f"{item.name} takes {w:.1f} × {d:.1f} mm and a cell of the {columns} × {rows} grid has "
                f"{cell[0] * 1e3:.1f} × {cell[1] * 1e3:.1f} mm: widen placement.area, or lower the count"
            )
        corner = np.array([place % columns, place // columns]) * cell - np.array(size) / 2
        poses.append(standing.at(corner + gap_m / 2 + own.uniform(0, 1, 2) * room, 0.0))
    return poses


def _cells(count: int, size: tuple[float, float]) -> tuple[int, int]:
    """Columns and rows of about square cells, at least `count` of them."""
    columns = max(1, round(float(np.sqrt(count * size[0] / size[1]))))
    return columns, -(-count // columns)


def shelve(
    rngs: Sequence[np.random.Generator], items: Sequence[Item], levels: Sequence[Level], gap_m: float
) -> list[Pose]:
    """Poses in the container's frame: rows on the boards, from the front backwards, one kind beside the other.

    Raises:
        PlacementError: the boards are full, or too low for a thing.
    """
    standing = [_stand(own, item, own.uniform(-GOODS_TURN, GOODS_TURN)) for own, item in zip(rngs, items, strict=True)]
    fronts = [level.low[1] + 0.01 for level in levels]
    rows = [_Row(k, level, fronts[k]) for k, level in enumerate(levels)]
    poses: dict[int, Pose] = {}
    for k in sorted(range(len(items)), key=lambda k: (items[k].name, k)):
        thing, own = standing[k], rngs[k]
        space = gap_m + own.uniform(0.05, GOODS_GAP) * thing.size[0]
        row = _row_for(rows, levels, thing, space, gap_m)
        if row is None:
            raise PlacementError(
                f"the boards hold {len(poses)} of {len(items)} objects, then there is no room for {items[k].name} of "
                f"{thing.height * 1e3:.0f} mm height: lower the count, or take a wider shelf or a larger spacing_m"
            )
        corner = np.array([row.x + space, row.y + own.uniform(0, 0.008)])
        poses[k] = thing.at(corner, levels[row.level].z)
        row.x, row.depth = corner[0] + thing.size[0], max(row.depth, corner[1] + thing.size[1] - row.y)
    return [poses[k] for k in range(len(items))]


class _Row:
    """A row on a board in the making: filled up to `x`, from `y` on `depth` deep."""

    def __init__(self, level: int, board: Level, y: float) -> None:
        self.level, self.x, self.y, self.depth, self.full = level, board.low[0] + 0.01, y, 0.0, False


def _row_for(rows: list[_Row], levels: Sequence[Level], thing: _Standing, space: float, gap_m: float) -> _Row | None:
    """The least filled row that takes the thing; a new one behind when all are full."""
    for row in sorted((r for r in rows if not r.full), key=lambda r: (round(r.y, 9), round(r.x, 9), r.level)):
        board = levels[row.level]
        if thing.height > board.clearance_m - 0.005 or row.y + 0.008 + thing.size[1] > board.high[1]:
            continue
        if row.x + space + thing.size[0] <= board.high[0] - 0.01:
            return row
        row.full = True
        rows.append(_Row(row.level, board, row.y + row.depth + gap_m + 0.005))
    fresh = [r for r in rows if not r.full and r.x == levels[r.level].low[0] + 0.01]
    for row in sorted(fresh, key=lambda r: (round(r.y, 9), r.level)):
        board = levels[row.level]
        fits = thing.height <= board.clearance_m - 0.005 and row.y + 0.008 + thing.size[1] <= board.high[1]
        if fits and row.x + space + thing.size[0] <= board.high[0] - 0.01:
            return row
    return None
