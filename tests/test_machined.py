"""Machined parts with screws in them."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.assets.library import build, rand
from scenewright.assets.mesh import Mesh
from scenewright.assets.shapes.base import Solid, to_manifold
from scenewright.assets.shapes.fastener_tables import SIZES, SOCKET_HEAD, Size
from scenewright.assets.shapes.machined import cap_screw, counterbore, rounded_rectangle


def part_of(mesh: Mesh, name: str) -> Solid:
    faces = mesh.faces[mesh.within([name])]
    used, index = np.unique(faces, return_inverse=True)
    return mesh.vertices[used], index.reshape(-1, 3).astype(np.int32)


@pytest.mark.parametrize("size", SIZES)
def test_a_screw_has_the_head_of_the_standard(size: Size) -> None:
    """Head diameter, head height and length are those of ISO 4762, and its counterbore leaves half a millimetre."""
    points = cap_screw(size, 0.01)[0] * 1000
    low, high = points.min(axis=0), points.max(axis=0)
    assert high[:2] == pytest.approx([SOCKET_HEAD[size].dk / 2] * 2, rel=1e-9)
    assert (low[2], high[2]) == pytest.approx((-10.0, float(size[1:])), rel=1e-9)
    assert counterbore(size) * 1000 - SOCKET_HEAD[size].dk >= 1.0 - 1e-9


@pytest.mark.parametrize("shape", ["flange", "cover_plate"])
@pytest.mark.parametrize("sunk", [True, False])
def test_screws_do_not_touch_what_they_stand_in(shape: str, sunk: bool) -> None:
    """Screws and body share no volume, so that one can be taken out and leaves an empty hole."""
    for seed in range(3):
        mesh = build(shape, rand(np.random.default_rng(seed), shape, {"sunk": sunk}))
        body, screws = (to_manifold(part_of(mesh, name)) for name in ("body", "screws"))
        assert (body ^ screws).volume() == 0
        assert screws.volume() > 0


def test_a_rounded_rectangle_has_its_size() -> None:
    """Its box is x × y, and its area that of the rectangle less the corners: (4 − π) r², to the polygon's error."""
    points = rounded_rectangle(0.06, 0.04, 0.01, segments=200)
    assert np.ptp(points, axis=0) == pytest.approx([0.06, 0.04], rel=1e-9)
    x, y = points.T
    area = float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    assert area == pytest.approx(0.06 * 0.04 - (4 - np.pi) * 0.01**2, rel=1e-5)
