"""Piles and throws: things fall into the container, or onto the table, and stay as they come to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Interior, Level, box_piece
from ..assets.mesh import Mesh
from ..errors import PlacementError
from .build import scene_mesh
from .physics import drop_again, settle
from .physics_model import Body, Drop
from .pile_faults import faults
from .sample_container import PlacedContainer
from .streams import stream

__all__ = ["DROPS", "Pile", "pile", "table"]

Pose = npt.NDArray[np.float64]

#: What is done to things by the name of the mode: poured in, or thrown.
DROPS = {"pile": Drop(), "roll": Drop(drag_per_s=0.0, speed_m_s=0.35, spin_rad_s=20.0, tumble_s=0.8, friction=0.35)}
#: How often a pile is drawn anew until all of it will do.
REDRAWS = 20
#: How often single things of a pile are taken out and dropped again before that, and up to which share of them.
AGAIN = 3
AGAIN_SHARE = 0.2


@dataclass(frozen=True)
class Pile:
    """(4, 4) world_T_object of every thing; how often all, and how many single things, had to be dropped again."""

    poses: list[Pose]
    redraws: int
    dropped_again: int


def pile(
    seed: int, index: int, name: str, bodies: Sequence[Body], drop: Drop, inside: PlacedContainer | Interior
) -> Pile:
    """Things dropped into a container, which lie still, inside and apart from each other.

    A thing that does not is taken out and dropped onto the others again; where that does not help, or too many are
    concerned, all are dropped anew. Each try has a stream of its own, so a pile is a function of (seed, index, name)
    whatever failed before it.

    Raises:
        PlacementError: no try ends well, or something is larger than the container.
    """
    interior = inside if isinstance(inside, Interior) else inside.interior
    fixed: Mesh | None = None if isinstance(inside, Interior) else scene_mesh(inside.fixture.mesh)
    world = np.eye(4) if isinstance(inside, Interior) else inside.pose
    reasons: dict[int, str] = {}
    dropped_again = 0
    for redraws in range(REDRAWS):
        poses, moved = settle(stream(seed, index, f"{name} {redraws}"), bodies, interior, drop)
        for turn in range(AGAIN + 1):
            reasons = faults(bodies, poses, moved, interior, fixed)
            if not reasons:
                return Pile([world @ pose for pose in poses], redraws, dropped_again)
            if turn == AGAIN or len(reasons) > max(1, AGAIN_SHARE * len(bodies)):
                break
            again = np.isin(np.arange(len(bodies)), list(reasons))
            rng = stream(seed, index, f"{name} {redraws} again {turn}")
            poses, moved = drop_again(rng, bodies, interior, drop, poses, again)
            dropped_again += len(reasons)
    last = next(iter(reasons.values()))
    raise PlacementError(f"dropped {len(bodies)} objects {REDRAWS} times and no pile will do; the last: {last}")


def table(size: tuple[float, float], area: tuple[float, float]) -> Interior:
    """A table of a size (x, y) as a container without walls: things fall within `area` and must stay on the table."""
    x, y = size[0] / 2, size[1] / 2
    slab = box_piece((-x, -y, -0.05), (x, y, 0.0))
    whole = Interior(0.0, (-x, -y, 0.0), (x, y, 0.0), (slab,), levels=(Level(0.0, (-x, -y), (x, y)),))
    return replace(whole, low=(-area[0] / 2, -area[1] / 2, 0.0), high=(area[0] / 2, area[1] / 2, 0.0))
