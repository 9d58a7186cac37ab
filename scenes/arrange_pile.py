"""Piles and throws: things fall into the container, or onto the table, and stay as they come to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Interior, Level, box_piece
from ..assets.mesh import Mesh
from ..errors import PlacementError
from .build import scene_mesh
from .penetration import overlaps
from .physics import Body, Drop, Unsettled, settle
from .sample_container import PlacedContainer
from .streams import stream
from .top import COCKED_DEG, uppermost

__all__ = ["DROPS", "OVERLAP_M", "pile", "table"]

Pose = npt.NDArray[np.float64]

#: What is done to things by the name of the mode: poured in, or thrown.
DROPS = {"pile": Drop(), "roll": Drop(drag_per_s=0.0, speed_m_s=0.35, spin_rad_s=20.0, tumble_s=0.8, friction=0.35)}
#: No two real meshes may stick in each other deeper than this, metres.
OVERLAP_M = 2e-4
#: How often a pile is drawn anew until it lies still.
REDRAWS = 20


def pile(
    seed: int, index: int, name: str, bodies: Sequence[Body], drop: Drop, inside: PlacedContainer | Interior
) -> tuple[list[Pose], int]:
    """(4, 4) world_T_object of every body, lying still, and how often they had to be dropped anew.

    Each try has a stream of its own, so a pile is a function of (seed, index, name) whatever failed before it.

    Raises:
        PlacementError: no try ends well, or something is larger than the container.
    """
    interior = inside if isinstance(inside, Interior) else inside.interior
    fixed: Mesh | None = None if isinstance(inside, Interior) else scene_mesh(inside.fixture.mesh)
    world = np.eye(4) if isinstance(inside, Interior) else inside.pose
    reason: PlacementError | None = None
    for redraws in range(REDRAWS):
        try:
            poses = settle(stream(seed, index, f"{name} {redraws}"), bodies, interior, drop)
            _check_apart(bodies, poses, fixed)
            _check_flat(bodies, poses)
        except Unsettled as e:
            reason = e
        else:
            return [world @ pose for pose in poses], redraws
    raise PlacementError(f"dropped {len(bodies)} objects {REDRAWS} times and no pile will do; the last: {reason}")


def table(size: tuple[float, float], area: tuple[float, float]) -> Interior:
    """A table of a size (x, y) as a container without walls: things fall within `area` and must stay on the table."""
    x, y = size[0] / 2, size[1] / 2
    slab = box_piece((-x, -y, -0.05), (x, y, 0.0))
    whole = Interior(0.0, (-x, -y, 0.0), (x, y, 0.0), (slab,), levels=(Level(0.0, (-x, -y), (x, y)),))
    return replace(whole, low=(-area[0] / 2, -area[1] / 2, 0.0), high=(area[0] / 2, area[1] / 2, 0.0))


def _check_flat(bodies: Sequence[Body], poses: Pose) -> None:
    for i, (body, pose) in enumerate(zip(bodies, poses, strict=True)):
        lean = uppermost(body.mesh, body.tops, pose[:3, :3])[1] if body.tops else 0.0
        if lean > COCKED_DEG:
            raise Unsettled(
                f"object {i + 1} leans by {lean:.0f}°, so that no face is on top ({COCKED_DEG:g}° are allowed): drop "
                "fewer, or over a larger area"
            )


def _check_apart(bodies: Sequence[Body], poses: Pose, fixed: Mesh | None) -> None:
    deep = {pair: depth for pair, depth in overlaps(bodies, poses, fixed, OVERLAP_M).items() if depth > OVERLAP_M}
    if deep:
        (i, j), _ = next(iter(deep.items()))
        other = "the container" if j < 0 else f"object {j + 1}"
        raise Unsettled(f"object {i + 1} and {other} stick in each other deeper than {OVERLAP_M * 1e3:g} mm")
