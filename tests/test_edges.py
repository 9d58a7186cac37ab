"""Edges of meshes: where a finger would feel them, however finely they are rounded."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.edges import creases
from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.scenes.build import scene_mesh
from scenewright.scenes.defect_fit import Sheet, Target, patch
from scenewright.scenes.defect_spots import Ground
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import matrix

from .small_recipe import make

SIDES = {"x_m": 0.04, "y_m": 0.03, "z_m": 0.02}


@pytest.mark.parametrize("edge_m", [0.0, 0.0005])
def test_a_box_has_twelve_edges(edge_m: float) -> None:
    """Sharp or rounded: samples lie on all twelve, each stands for its length, and looks out at 45°."""
    mesh = build("box", SIDES | {"edge_m": edge_m})
    found = creases(mesh)
    half = np.array([0.02, 0.015, 0.01])
    away = np.sort(half - np.abs(found.points), axis=1)
    assert found.convex.all()
    assert away[:, 1].max() <= edge_m + 1e-9, "on two sides, or on the round between them"
    along = np.abs(found.ways).argmax(axis=1)
    straight = np.abs(found.ways).max(axis=1) > 0.999
    signs = np.sign(np.round(found.points, 6))
    signs[np.arange(len(along)), along] = 0
    assert len({(k, *s) for k, s in zip(along[straight].tolist(), signs[straight].tolist(), strict=True)}) == 12
    middle = straight & (np.abs(found.points[np.arange(len(along)), along]) < 0.005)
    assert np.sort(np.abs(found.normals[middle]), axis=1) == pytest.approx(
        np.tile([0, np.sqrt(0.5), np.sqrt(0.5)], (middle.sum(), 1)), abs=0.12 if edge_m else 1e-6
    )
    if edge_m == 0:
        assert 2 * found.half_m.sum() == pytest.approx(4 * sum(SIDES.values()))
        assert len(set(found.smooth.tolist())) == 6


def test_what_is_round_has_no_edges() -> None:
    """A sphere of triangles has joints everywhere, and no edge."""
    found = creases(build("sphere", {"radius_m": 0.015}))
    assert len(found.points) == 0 and set(found.smooth.tolist()) == {0}


def test_inner_corners_are_no_convex_edges() -> None:
    """Where two walls meet inside an angle bracket, the edge does not stick out."""
    corners = [[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]
    v = np.array([[x, y, z] for z in (0, 1) for x, y in corners], dtype=np.float64) / 100
    ring = [(k, (k + 1) % 6) for k in range(6)]
    faces = [t for a, b in ring for t in ((a, b, b + 6), (a, b + 6, a + 6))]
    caps = [(0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5)]
    faces += [(c, b, a) for a, b, c in caps] + [(a + 6, b + 6, c + 6) for a, b, c in caps]
    found = creases(Mesh(v, np.array(faces, np.int32), np.zeros(len(faces), np.uint8)))
    inner = np.linalg.norm(found.points[:, :2] - 0.01, axis=1) < 1e-9
    assert inner.any() and not found.convex[inner].any() and found.convex[~inner].all()


def test_on_a_thread_a_sheet_lies_on_the_crests() -> None:
    """The mean of the surface under a sheet on a thread is the shank's normal, whatever flank its middle is on."""
    bolt = {"category": "bolt", "shape": "hex_bolt", "params": {"size": "M10", "length_m": 0.03, "thread": "full"}}
    (item,) = sample(make(objects={"count": 1, "assets": [bolt]}), 0).objects
    ground = Ground(item, scene_mesh(item.mesh))
    defect = Defect(
        id=FIRST_DEFECT, kind="stain", severity=0.5, seed=1, values={"width_mm": 4.0, "density": 0.5}, part="body",
        patch_T_object=matrix(np.eye(4)), size_mm=(6.0, 6.0), reach_mm=1.0,
    )  # fmt: skip
    sheet, target = Sheet.of(np.random.default_rng(0), defect), Target(ground)
    lean: list[tuple[float, float]] = []
    for spot in ground.anywhere(np.random.default_rng(1), ground.on(["body"]), "all"):
        if not -0.012 < spot.point[2] < 0.006 or abs(spot.normal[2]) < 0.4:
            continue
        level = ground.levelled(spot, 0.003)
        radial = np.append(spot.point[:2], 0) / np.linalg.norm(spot.point[:2])
        lean.append((np.rad2deg(np.arccos(level.normal @ radial)), np.rad2deg(np.arccos(spot.normal @ radial))))
        assert target.land(sheet, patch(level, 0.0, item.scale), level, 0.25).share > 0.6
        if len(lean) == 20:
            break
    assert max(level for level, _ in lean) < 20 < min(own for _, own in lean)


def test_beside_a_single_edge_a_sheet_stays_on_its_side() -> None:
    """Near the edges of a box, sharp or rounded, no place is rough."""
    for edge_m in (0.0, 0.0005):
        box = {"category": "box", "shape": "box", "params": SIDES | {"edge_m": edge_m}}
        (item,) = sample(make(objects={"count": 1, "assets": [box]}), 0).objects
        ground = Ground(item, scene_mesh(item.mesh))
        for _, spot in zip(
            range(200), ground.anywhere(np.random.default_rng(1), ground.on(["body"]), "all"), strict=False
        ):
            assert ground.levelled(spot, 0.005) is spot
