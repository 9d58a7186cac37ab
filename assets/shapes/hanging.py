"""What a thing that can hang from a peg says about it: four key points that every hand tool here has.

The axis of its eye is the object's z axis. `hang` is the middle of the eye, `hang_rim` a point of its rim that a peg
may carry, `balance` the centre of mass. An open eye, such as the bend of a hexagon key, reaches from `hang_rim`
counter-clockwise (about z) to `hang_end`; one without that point is round.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .base import Points, Solid, moved
from .plate import rounded_extrude

__all__ = ["DENSITY", "balance", "slab"]

#: kg/m³ of what tools are made of.
DENSITY = {"steel": 7850.0, "wood": 700.0, "plastic": 1100.0}


def balance(pieces: Sequence[tuple[Solid, float]]) -> npt.NDArray[np.float64]:
    """(3,) centre of mass of closed solids with their densities (kg/m³), metres.

    Each triangle and the origin span a tetrahedron of volume a·(b×c)/6 with its centre at (a + b + c)/4.
    """
    mass, moment = 0.0, np.zeros(3)
    for (vertices, faces), density in pieces:
        corners = vertices[faces]
        six = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
        mass += density * float(six.sum()) / 6
        moment += density * np.asarray((six[:, None] * corners.sum(axis=1)).sum(axis=0)) / 24
    return np.asarray(moment / mass)


def slab(outline: Points, thickness: float, edge: float, holes: Sequence[Points] = ()) -> Solid:
    """A plate with rounded edges whose middle plane is z = 0; the outline is counter-clockwise, metres."""
    return moved(rounded_extrude(outline, holes, thickness, edge), (0.0, 0.0, -thickness / 2))
