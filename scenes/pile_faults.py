"""What keeps a pile from being one: parts that move, stick in each other, lean or lie outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..assets.containers.interior import Interior
from ..assets.mesh import Mesh
from .penetration import overlaps
from .physics import STILL_M, WATCH_S
from .physics_model import Body
from .top import COCKED_DEG, uppermost

__all__ = ["OVERLAP_M", "faults"]

Vec = npt.NDArray[np.float64]

#: No two real meshes may stick in each other deeper than this, metres.
OVERLAP_M = 2e-4
#: How far a body may reach below the floor, metres: what falls through is caught, what contacts press in is not.
SUNK_M = 2e-3


def faults(bodies: Sequence[Body], poses: Vec, moved_m: Vec, inside: Interior, fixed: Mesh | None) -> dict[int, str]:
    """Position → reason, of bodies that must be dropped again; of two that stick in each other, the higher one.

    Args:
        poses: (n, 4, 4) container_T_object.
        moved_m: (n,) how far each moved while it was watched, metres; not a number where the simulation broke down.
        fixed: mesh of the container.
    """
    found = _restless(moved_m)
    for i, (body, pose) in enumerate(zip(bodies, poses, strict=True)):
        reason = _outside(body, pose, inside) or _cocked(body, pose)
        if reason:
            found[i] = f"object {i + 1} of {len(bodies)} {reason}"
    for (i, j), depth in overlaps(bodies, poses, fixed, OVERLAP_M).items():
        if depth > OVERLAP_M and i not in found and j not in found:
            other = "the container" if j < 0 else f"object {j + 1}"
            reason = f"object {i + 1} and {other} stick in each other deeper than {OVERLAP_M * 1e3:g} mm"
            found[i if j < 0 or poses[i][2, 3] >= poses[j][2, 3] else j] = reason
    return found


def _restless(moved_m: Vec) -> dict[int, str]:
    return {
        int(i): f"object {i + 1} of {len(moved_m)} still moves {moved_m[i] * 1e3:.2f} mm in {WATCH_S:g} s, "
        f"{STILL_M * 1e3:g} mm are allowed: drop fewer"
        for i in np.flatnonzero(~(moved_m <= STILL_M))
    }


def _outside(body: Body, pose: Vec, inside: Interior) -> str | None:
    """A body's middle is beyond the walls, or a body has got below the floor."""
    low, high, at = np.array(inside.low), np.array(inside.high), pose[:3, 3]
    lowest = float((body.mesh.vertices @ pose[2, :3]).min() * body.scale + at[2])
    if (at[:2] >= low[:2]).all() and (at[:2] <= high[:2]).all() and lowest >= low[2] - SUNK_M:
        return None
    return (
        f"left its container (it is at {np.round(at, 3).tolist()} m, the inside reaches from {inside.low} to "
        f"{inside.high}): drop fewer or smaller, or take higher walls"
    )


def _cocked(body: Body, pose: Vec) -> str | None:
    lean = uppermost(body.mesh, body.tops, pose[:3, :3])[1] if body.tops else 0.0
    if lean <= COCKED_DEG:
        return None
    allowed = f"{COCKED_DEG:g}° are allowed"
    return f"leans by {lean:.0f}°, so that no face is on top ({allowed}): drop fewer, or over a larger area"
