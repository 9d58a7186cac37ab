"""Piles: still, inside, apart, supported, and the same every time."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import fcl
import mujoco
import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from scenewright.assets.convex import FINE_M, MAX_PIECES, coarse_pieces, convex_pieces
from scenewright.assets.library import SHAPES, build, interior, rand
from scenewright.assets.mesh import Mesh
from scenewright.errors import PlacementError
from scenewright.scenes.arrange_pile import pile, table
from scenewright.scenes.deposit import deposit
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.penetration import overlaps, tree
from scenewright.scenes.physics import drop_again
from scenewright.scenes.physics_model import STEP_S, UNITS_PER_M, Body, Drop, build_model
from scenewright.scenes.pile_faults import OVERLAP_M, faults
from scenewright.scenes.sample import sample

TRAY = {"x_m": 0.12, "y_m": 0.1, "height_m": 0.06, "wall_m": 0.003, "floor_m": 0.003, "corner_m": 0.01, "draft_deg": 3}
CUBE = {"x_m": 0.015, "y_m": 0.015, "z_m": 0.015, "edge_m": 0.0005}
EMBLEM = {
    "size_m": 0.011449256067114026, "edge_m": 0.0011218599840535854, "pip_m": 0.0009834582864807113,
    "pip_depth_m": 0.0004233042771980348, "spread": 0.21767422893775973, "logo": True, "ball": 0.6940702505799226,
}  # fmt: skip
MIXED = ("hex_bolt", "nut", "washer", "gear", "die", "bracket", "mug")


def bodies(count: int, kinds: tuple[str, ...] = ("hex_bolt", "nut", "washer", "die")) -> list[Body]:
    rng = np.random.default_rng(3)
    meshes = [build(kind, rand(rng, kind, {})) for kind in kinds]
    return [Body(meshes[k % len(meshes)], 0.6) for k in range(count)]


def most_outside(mesh: Mesh) -> float:
    """How far a point of the mesh's surface lies outside of all its convex pieces, metres."""
    samples = np.vstack([mesh.vertices, mesh.vertices[mesh.faces].mean(axis=1)])
    outside = np.full(len(samples), np.inf)
    for piece in convex_pieces(mesh):
        planes = ConvexHull(piece).equations
        outside = np.minimum(outside, (samples @ planes[:, :3].T + planes[:, 3]).max(axis=1))
    return float(outside.max())


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_pieces_enclose_their_mesh(kind: str) -> None:
    """Every point of a mesh's surface lies in one of its convex pieces: what misses the pieces misses the mesh."""
    given = {"subdivisions": 3} if kind == "sphere" else {}  # or a second's work takes half a minute
    mesh = build(kind, rand(np.random.default_rng(1), kind, given))
    assert 1 <= len(convex_pieces(mesh)) <= MAX_PIECES
    assert most_outside(mesh) < 1e-8


def test_a_face_alone_becomes_a_piece() -> None:
    """This die is cut along its face around the emblem: the face gets a thickness, and the pieces enclose the mesh."""
    mesh = build("die", EMBLEM)
    assert all(np.linalg.svd(piece - piece.mean(axis=0), compute_uv=False)[2] > 1e-6 for piece in convex_pieces(mesh))
    assert most_outside(mesh) < 1e-8


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_coarse_pieces_say_what_they_leave_out(kind: str) -> None:
    """A coarse piece has 64 corners at most, or more where others lay far outside; no other is farther than it says."""
    mesh = build(kind, rand(np.random.default_rng(1), kind, {}))
    for piece, (corners, outside) in zip(convex_pieces(mesh), coarse_pieces(mesh, 64), strict=True):
        assert len(corners) <= 128 and set(map(tuple, corners)) <= set(map(tuple, piece))
        assert len(corners) == 128 or outside <= FINE_M
        if len(piece) > 64:
            planes = ConvexHull(corners).equations
            assert (piece @ planes[:, :3].T + planes[:, 3]).max() <= outside + 1e-9
        else:
            assert len(corners) == len(piece) and outside == 0


def test_a_ring_keeps_its_hole() -> None:
    """The pieces of a washer leave most of its hole free, and those of a mug its inside."""
    for kind, share in (("washer", 0.85), ("mug", 0.65)):
        mesh = build(kind, rand(np.random.default_rng(1), kind, {}))
        hulls = sum(ConvexHull(piece).volume for piece in convex_pieces(mesh))
        assert hulls < share * ConvexHull(mesh.vertices).volume, kind


def test_a_cube_is_one_piece() -> None:
    """What is convex is not cut."""
    assert len(convex_pieces(build("box", {"x_m": 0.02, "y_m": 0.03, "z_m": 0.04, "edge_m": 0.001}))) == 1


def test_nothing_touches_before_it_falls() -> None:
    """All things start above the floor, between the walls, and clear of each other."""
    inside, things = interior("tray", TRAY), bodies(30)
    clouds = [b.mesh.vertices * b.scale for b in things]
    poses = deposit(np.random.default_rng(0), clouds, inside)
    world = [c @ p[:3, :3].T + p[:3, 3] for c, p in zip(clouds, poses, strict=True)]
    for w in world:
        assert (
            w[:, 2].min() > 0 and (w[:, :2].min(0) > inside.low[:2]).all() and (w[:, :2].max(0) < inside.high[:2]).all()
        )
    assert overlaps(things, poses, None, 1e-3) == {}


def test_a_pile_lies_still_inside_and_apart() -> None:
    """A poured pile is inside its tray, no two real meshes stick in each other by more than 0.2 mm, nor in the tray."""
    inside, things = interior("tray", TRAY), bodies(24)
    poses = pile(0, 0, "test", things, Drop(), inside).poses
    assert all(abs(p[0, 3]) < 0.07 and abs(p[1, 3]) < 0.06 for p in poses)
    assert max(overlaps(things, np.array(poses), build("tray", TRAY), OVERLAP_M).values(), default=0) <= OVERLAP_M


def test_a_pile_of_many_holds_when_let_go() -> None:
    """Of a pile of 60 parts, of which single ones were calmed among others held fixed, none gets 0.2 mm
    further in 50 ms of nothing but gravity, and no two stick in each other; the same twice.
    """
    params = {**TRAY, "x_m": 0.2, "y_m": 0.15}
    inside, things = interior("tray", params), bodies(60)
    one, two = (np.array(pile(0, 0, "test", things, Drop(), inside).poses) for _ in range(2))
    assert (one == two).all()
    assert max(overlaps(things, one, build("tray", params), OVERLAP_M).values(), default=0) <= OVERLAP_M
    model, _ = build_model(things, inside, one, Drop(friction=0.8), np.ones(60, dtype=bool))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    start = data.xpos[1:].copy()
    mujoco.mj_step(model, data, nstep=round(0.05 / STEP_S))
    assert np.linalg.norm(data.xpos[1:] - start, axis=1).max() / UNITS_PER_M <= 2e-4


def test_nothing_floats() -> None:
    """Every thing of a settled pile touches the floor, a wall or another thing when it is lowered by 0.5 mm."""
    inside, things = interior("tray", TRAY), bodies(16)
    poses = pile(0, 1, "test", things, Drop(), inside).poses
    solids = [trimesh.Trimesh(b.mesh.vertices * b.scale, b.mesh.faces, process=False).apply_transform(p)
              for b, p in zip(things, poses, strict=True)]  # fmt: skip
    tray = build("tray", TRAY)
    solids.append(trimesh.Trimesh(tray.vertices, tray.faces, process=False))
    for k, solid in enumerate(solids[:-1]):
        sunk = solid.copy()
        sunk.apply_translation([0, 0, -5e-4])
        below = trimesh.collision.CollisionManager()
        for j, other in enumerate(solids):
            if j != k:
                below.add_object(str(j), other)
        assert below.in_collision_single(sunk), f"object {k} hangs in the air"


def test_the_same_pile_in_another_process() -> None:
    """Settling is a function of its arguments: a fresh process gives the same bytes."""
    code = (
        "import numpy as np, hashlib, sys; sys.path.insert(0, %r)\n"
        "from test_physics import *\nfrom scenewright.scenes.physics import settle\n"
        "poses, _ = settle(np.random.default_rng(7), bodies(12), interior('tray', TRAY), Drop())\n"
        "print(hashlib.sha256(poses.tobytes()).hexdigest())"
    ).replace("%r", repr(str(Path(__file__).parent)))
    runs = {
        subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in "ab"
    }
    assert len(runs) == 1


def test_rolled_dice_lie_on_their_faces() -> None:
    """Dice thrown on an open table come to lie with a face down: one of their axes is vertical to 1°."""
    die = build("die", rand(np.random.default_rng(1), "die", {}))
    ground = table((1.0, 1.0), (0.2, 0.2))
    throw = Drop(drag_per_s=0.0, speed_m_s=0.3, spin_rad_s=20, tumble_s=0.8)
    for p in pile(0, 0, "dice", [Body(die, 1.0)] * 5, throw, ground).poses:
        assert np.abs(p[2, :3]).max() > np.cos(np.deg2rad(1))
        assert 0 <= p[2, 3] - die.extents[2] / 2 < 4e-4, "neither sunk nor floating"


def test_what_is_too_large_is_refused() -> None:
    """A thing that does not fit between the walls is an error with both sizes, not a loop."""
    with pytest.raises(PlacementError, match=r"does not fit between walls of 118.0 × 98.0 mm: take a larger container"):
        pile(
            0,
            0,
            "test",
            [Body(build("box", {"x_m": 0.3, "y_m": 0.02, "z_m": 0.02, "edge_m": 0.001}), 1.0)],
            Drop(),
            interior("tray", {**TRAY, "draft_deg": 0}),
        )


def test_a_heap_that_will_not_hold_is_redrawn_and_then_refused() -> None:
    """More than a tray can hold falls out again and again: the error counts the tries and says what happened last."""
    low = {**TRAY, "x_m": 0.035, "y_m": 0.035, "height_m": 0.01, "corner_m": 0.002}
    ball = build("sphere", {"radius_m": 0.01})
    with pytest.raises(PlacementError, match=r"dropped 12 objects \d+ times and no pile will do; the last: object"):
        pile(0, 0, "test", [Body(ball, 1.0)] * 12, Drop(tumble_s=0.1), interior("tray", low))


def test_overlap_is_measured() -> None:
    """Two cubes that cut by 0.08 mm are found 0.1 mm deep, by 1 mm deeper than the limit, and apart not at all."""
    cube = Body(build("box", {"x_m": 0.02, "y_m": 0.02, "z_m": 0.02, "edge_m": 0.0005}), 1.0)
    for gap, expected in ((1e-4, {}), (-8e-5, {(0, 1): 1e-4}), (-1e-3, {(0, 1): np.inf})):
        poses = np.tile(np.eye(4), (2, 1, 1))
        poses[1, 0, 3] = 0.02 + gap
        assert overlaps([cube, cube], poses, None, 2e-4) == expected


def test_no_pair_of_real_meshes_is_missed() -> None:
    """All pairs of which triangles cut are among those whose convex pieces touch, as trying every pair shows."""
    inside, things = interior("tray", TRAY), bodies(16)
    poses = np.array(pile(0, 1, "test", things, Drop(), inside).poses)
    poses[:, :3, 3] += np.random.default_rng(0).normal(size=(16, 3)) * 1e-3
    walls = build("tray", TRAY)
    trees = [tree(b.mesh.vertices * b.scale, b.mesh.faces) for b in things]
    solids = [fcl.CollisionObject(t, fcl.Transform(p[:3, :3], p[:3, 3])) for t, p in zip(trees, poses, strict=True)]
    solids.append(fcl.CollisionObject(tree(walls.vertices, walls.faces), fcl.Transform()))
    cut = {
        (i, j if j < 16 else -1)
        for i, j in combinations(range(17), 2)
        if fcl.collide(solids[i], solids[j], fcl.CollisionRequest(), fcl.CollisionResult())
    }
    assert len(cut) > 5 and set(overlaps(things, poses, walls, OVERLAP_M)) == cut


def test_what_is_inside_another_is_found() -> None:
    """A cube within a larger one cuts none of its triangles, and is infinitely deep in it, whichever comes first."""
    large, small = (Body(build("box", {"x_m": s, "y_m": s, "z_m": s, "edge_m": 0.0005}), 1.0) for s in (0.03, 0.01))
    poses = np.tile(np.eye(4), (2, 1, 1))
    assert (
        overlaps([large, small], poses, None, 2e-4) == overlaps([small, large], poses, None, 2e-4) == {(0, 1): np.inf}
    )


def test_only_what_is_at_fault_is_dropped_again() -> None:
    """Of a pile with one thing pushed into another, the higher one is at fault; dropped again, it mends the pile, and
    all that lies beyond its neighbours stays where it was to a tenth of a millimetre.
    """
    inside, things = interior("tray", TRAY), [Body(build("box", CUBE), 1.0)] * 12
    settled = np.array(pile(0, 0, "test", things, Drop(), inside).poses)
    poses, still = settled.copy(), np.zeros(12)
    assert faults(things, poses, still, inside, None) == {}
    poses[3, :3, 3] = poses[7, :3, 3] + [0, 0, 0.002]
    found = faults(things, poses, still, inside, None)
    assert list(found) == [3] and "object 4 and object 8 stick in each other" in found[3]
    again = np.arange(12) == 3
    mended, moved = drop_again(np.random.default_rng(0), things, inside, Drop(), poses, again)
    assert faults(things, mended, moved, inside, None) == {}
    shift = np.linalg.norm((mended - poses)[:, :3, 3], axis=1)
    assert shift[3] > 0.005 and np.sort(shift)[5] < 1e-4


def test_faults_name_what_moves_and_what_is_outside() -> None:
    """What moved too far, or not a number, and what lies beyond the walls is at fault, each with its own reason."""
    inside, things = interior("tray", TRAY), [Body(build("box", CUBE), 1.0)] * 4
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, :3, 3] = [[0, 0, 0.01], [0.03, 0, 0.01], [0.09, 0, 0.01], [-0.03, 0, 0.01]]
    found = faults(things, poses, np.array([3e-4, 1e-4, 0, np.nan]), inside, None)
    assert set(found) == {0, 2, 3}
    assert "still moves 0.30 mm in 0.05 s" in found[0] and "left its container" in found[2]


def test_a_recipe_makes_piles_and_counts_redraws() -> None:
    """`placement.mode: pile` in a container gives a scene whose redraws are recorded, the same each time."""
    raw = {
        "name": "p",
        "objects": {"count": 8, "assets": [{"category": "die", "shape": "die"}]},
        "container": {"kind": "tray", "params": {"x_m": 0.2, "y_m": 0.15, "height_m": 0.04}},
        "placement": {"mode": "pile"},
    }
    one, two = (sample(recipe_from_dict(raw, None), 3) for _ in range(2))
    assert one == two and one.fixtures[0].name == "tray"
    for name in ("placement.redraws", "placement.dropped_again"):
        count = one.parameters[name]
        assert isinstance(count.value, int) and count.value >= 0 and count.quantile is None
