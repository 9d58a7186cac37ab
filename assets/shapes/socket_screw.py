"""Hexagon socket head cap screws, ISO 4762, M3 to M12: knurled head, countersunk socket with a drilled bottom."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Params, centred
from .fastener_tables import MM, PITCH, SOCKET_HEAD, Size, SocketHead
from .ring_walk import RingWalk, angles, hexagon, ring, rings, round_corners
from .shank import Shank, check_length, screw_length_rand, size_rand, threaded, walk_shank

__all__ = ["SocketScrewParams", "socket_screw", "socket_screw_rand"]

#: Radius of the broached socket's corners, in key widths.
CORNER = 0.03


class SocketScrewParams(Params):
    """A socket head cap screw; all other dimensions follow from ISO 4762."""

    size: Size = Field("M6", description="ISO metric thread size, coarse pitch")
    length_m: float = Field(0.025, gt=0, description="length under the head, metres, up to 10 diameters")
    knurled: bool = Field(True, description="straight knurl around the head, as most makers roll it")

    @model_validator(mode="after")
    def _thread_fits(self) -> SocketScrewParams:
        check_length(self.size, self.length_m, _least(self.size), "take another size or length")
        return self


def socket_screw(p: SocketScrewParams) -> Mesh:
    """The screw, head up, metres. Keypoints: socket centre (on its floor), head rim, neck, end of the shank.

    The thread is as long as ISO 4762 says (`b`), and reaches the head of screws not much longer than that.
    """
    head, d = SOCKET_HEAD[p.size], float(p.size[1:])
    length = p.length_m / MM
    cut = head.b if length > head.b + 5 * PITCH[p.size] else length
    walk = walk_shank(Shank(p.size, length, cut, 1.6 * head.r, 0.45 * head.dk))
    _walk_rim(walk, head.dk, d, p.knurled)
    _walk_socket(walk, head, d)
    vertices, faces = walk.arrays()
    keypoints = {
        "socket_center": (0, 0, d - head.t),
        "rim_0": (head.dk / 2, 0, d / 2),
        "rim_1": (-head.dk / 2, 0, d / 2),
        "neck": (0, 0, 0),
        "thread_start": (0, 0, cut - length),
        "shank_end": (0, 0, -length),
    }
    made = centred(vertices * MM, faces, keypoints={k: np.array(v) * MM for k, v in keypoints.items()})
    return threaded(made, p.size)


def socket_screw_rand(rng: np.random.Generator, given: Mapping[str, object]) -> SocketScrewParams:
    """Draw what `given` leaves open: any size, a preferred length of 2 to 5 diameters, a knurl on 3 of 4."""
    size = size_rand(rng, given, _least)
    length = screw_length_rand(rng, size)
    drawn = {"size": size, "length_m": length, "knurled": bool(rng.random() < 0.75)}
    return SocketScrewParams.model_validate({**drawn, **given})


def _least(size: Size) -> float:
    """Shortest length, millimetres: eight turns of thread."""
    return 8 * PITCH[size]


def _walk_rim(walk: RingWalk, dk: float, k: float, knurled: bool) -> None:
    """From the bearing plane up the head's side, its knurl closed at both ends by short ramps."""
    at = angles(66)
    foot = np.array([(0.45 * dk, 0), (0.465 * dk, 0), (dk / 2, 0.035 * dk), (dk / 2, 0.1 * k)])
    walk.to(*rings(round_corners(foot, (0, 0.02 * dk, 0.03 * dk, 0))[1:], at))
    if not knurled:
        return
    pitch = 0.2 + 0.035 * dk
    teeth = 2 * round(np.pi * dk / pitch / 2)
    notched = angles(2 * teeth)
    depth = np.where(np.arange(2 * teeth) % 2 == 1, 0.22 * pitch, 0.0)
    walk.to(ring(dk / 2, 0.13 * k, notched), ring(dk / 2 - depth, 0.15 * k, notched))
    walk.to(ring(dk / 2 - depth, 0.80 * k, notched), ring(dk / 2, 0.82 * k, notched))


def _walk_socket(walk: RingWalk, head: SocketHead, k: float) -> None:
    """From the side over the rounded rim and the flat top, into the countersunk hexagon, to the drill's point."""
    at, radius = hexagon(head.s, CORNER * head.s)
    mouth = 1.04 * radius.max()
    floor = k - head.t
    drilled = 0.42 * head.s
    path = np.zeros((len(at), 7, 2))
    path[:, 0] = head.dk / 2, 0.84 * k
    path[:, 1] = head.dk / 2, k
    path[:, 2] = mouth, k
    path[:, 3] = np.stack([radius, k - (mouth - radius)], axis=1)
    path[:, 4] = np.stack([radius, np.full_like(radius, floor)], axis=1)
    path[:, 5] = drilled, floor
    path[:, 6] = 0, floor - drilled * np.tan(np.pi / 6)
    rounded = round_corners(path, (0, 0.045 * head.dk, 0.01 * head.dk, 0.012 * head.s, 0.02 * head.s, 0, 0))
    walk.to(*rings(rounded[:, :-1], at)).to(np.array([[0, 0, path[0, 6, 1]]]))
