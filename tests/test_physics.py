"""Piles: still, inside, apart, supported, and the same every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from scenewright.assets.convex import MAX_PIECES, convex_pieces
from scenewright.assets.library import SHAPES, build, interior, rand
from scenewright.errors import PlacementError
from scenewright.scenes.arrange_pile import OVERLAP_M, pile, table
from scenewright.scenes.deposit import deposit
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.penetration import overlaps
from scenewright.scenes.physics import Body, Drop
from scenewright.scenes.sample import sample

TRAY = {"x_m": 0.12, "y_m": 0.1, "height_m": 0.06, "wall_m": 0.003, "floor_m": 0.003, "corner_m": 0.01, "draft_deg": 3}
MIXED = ("hex_bolt", "nut", "washer", "gear", "die", "bracket", "mug")


def bodies(count: int, kinds: tuple[str, ...] = ("hex_bolt", "nut", "washer", "die")) -> list[Body]:
    rng = np.random.default_rng(3)
    meshes = [build(kind, rand(rng, kind, {})) for kind in kinds]
    return [Body(meshes[k % len(meshes)], 0.6) for k in range(count)]


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_pieces_enclose_their_mesh(kind: str) -> None:
    """Every point of a mesh's surface lies in one of its convex pieces: what misses the pieces misses the mesh."""
    mesh = build(kind, rand(np.random.default_rng(1), kind, {}))
    pieces = convex_pieces(mesh)
    assert 1 <= len(pieces) <= MAX_PIECES
    samples = np.vstack([mesh.vertices, mesh.vertices[mesh.faces].mean(axis=1)])
    outside = np.full(len(samples), np.inf)
    for piece in pieces:
        planes = ConvexHull(piece).equations
        outside = np.minimum(outside, (samples @ planes[:, :3].T + planes[:, 3]).max(axis=1))
    assert outside.max() < 1e-8


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
    poses, _ = pile(0, 0, "test", things, Drop(), inside)
    assert all(abs(p[0, 3]) < 0.07 and abs(p[1, 3]) < 0.06 for p in poses)
    assert max(overlaps(things, np.array(poses), build("tray", TRAY), OVERLAP_M).values(), default=0) <= OVERLAP_M


def test_nothing_floats() -> None:
    """Every thing of a settled pile touches the floor, a wall or another thing when it is lowered by 0.5 mm."""
    inside, things = interior("tray", TRAY), bodies(16)
    poses, _ = pile(0, 1, "test", things, Drop(), inside)
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
        "poses = settle(np.random.default_rng(7), bodies(12), interior('tray', TRAY), Drop())\n"
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
    poses, _ = pile(
        0, 0, "dice", [Body(die, 1.0)] * 5, Drop(drag_per_s=0.0, speed_m_s=0.3, spin_rad_s=20, tumble_s=0.8), ground
    )
    for p in poses:
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
    low = {**TRAY, "x_m": 0.05, "y_m": 0.05, "height_m": 0.01, "corner_m": 0.002}
    ball = build("sphere", {"radius_m": 0.01})
    with pytest.raises(PlacementError, match=r"dropped 25 objects \d+ times and no pile will do; the last: object"):
        pile(0, 0, "test", [Body(ball, 1.0)] * 25, Drop(tumble_s=0.1), interior("tray", low))


def test_overlap_is_measured() -> None:
    """Two cubes that cut by 0.08 mm are found 0.1 mm deep, by 1 mm deeper than the limit, and apart not at all."""
    cube = Body(build("box", {"x_m": 0.02, "y_m": 0.02, "z_m": 0.02, "edge_m": 0.0005}), 1.0)
    for gap, expected in ((1e-4, {}), (-8e-5, {(0, 1): 1e-4}), (-1e-3, {(0, 1): np.inf})):
        poses = np.tile(np.eye(4), (2, 1, 1))
        poses[1, 0, 3] = 0.02 + gap
        assert overlaps([cube, cube], poses, None, 2e-4) == expected


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
    redraws = one.parameters["placement.redraws"]
    assert isinstance(redraws.value, int) and redraws.value >= 0 and redraws.quantile is None
