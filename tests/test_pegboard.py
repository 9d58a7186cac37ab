"""Pegboards and the tools that hang from them."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from scenewright.assets.library import build, interior, rand
from scenewright.assets.mesh import Mesh
from scenewright.errors import PlacementError, RecipeError
from scenewright.scenes.arrange_hang import SLIP_DEG, hang, upright
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.penetration import overlaps
from scenewright.scenes.physics_model import Body
from scenewright.scenes.placement import Item
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample

TOOLS = ("hammer", "hex_key", "pliers", "screwdriver", "spanner")
BOARD: dict[str, object] = {"columns": 20, "rows": 16, "hook_columns": 4, "hook_rows": 2, "wire_m": 0.005}


def as_trimesh(mesh: Mesh, part: int | None = None) -> trimesh.Trimesh:
    faces = mesh.faces if part is None else mesh.faces[mesh.face_part == part]
    return trimesh.Trimesh(mesh.vertices, faces, process=False, validate=False)


def recipe(**placement: object) -> Recipe:
    return recipe_from_dict(
        {
            "name": "p",
            "objects": {"count": 5, "assets": [{"category": tool, "shape": tool} for tool in TOOLS]},
            "placement": {"mode": "hang"} | placement,
            "container": {"kind": "pegboard", "params": {"hook_rows": 2}},
        },
        None,
    )


@pytest.mark.parametrize(("style", "pitch", "area", "thick"), [
    ("hardboard", 0.0254, 8 * np.sin(np.pi / 8) * 0.0032**2, 0.0064), ("steel", 0.038, 0.01**2, 0.0015),
])  # fmt: skip
def test_panel_is_perforated(style: str, pitch: float, area: float, thick: float) -> None:
    """The panel is closed, goes through at every hole, and holds a sheet's volume less that of its prisms."""
    mesh = build("pegboard", {**BOARD, "style": style})
    panel = as_trimesh(mesh, 0)
    panel = trimesh.Trimesh(panel.vertices, panel.faces)
    assert panel.is_watertight and panel.is_winding_consistent
    assert (2 - panel.euler_number) // 2 == 20 * 16
    assert panel.volume == pytest.approx(20 * 16 * (pitch**2 - area) * thick, rel=1e-8)
    assert as_trimesh(mesh).is_watertight
    assert min(piece.volume for piece in as_trimesh(mesh).split(only_watertight=False)) > 0


def test_hooks_lie_on_pegs() -> None:
    """A ray down onto each hook's point meets the wire there, to within the sides of its polygon."""
    params = {**BOARD, "style": "steel"}
    mesh, inside = as_trimesh(build("pegboard", params)), interior("pegboard", params)
    assert len(inside.hooks) == 8
    for hook in inside.hooks:
        middle = np.asarray(hook.point) + 0.5 * hook.reach_m * np.asarray(hook.out)
        hits, _, _ = mesh.ray.intersects_location(
            [middle + np.array([1e-5, 0, 0.01])], [[0, 0, -1]], multiple_hits=True
        )
        assert hits[:, 2].max() == pytest.approx(hook.point[2], abs=5e-5)
        assert np.linalg.norm(hook.out) == 1


def test_pegs_need_holes() -> None:
    """More pegs than half of the holes are refused with what to lower."""
    with pytest.raises(Exception, match="12 pegs need 24 columns of holes, got 20: lower hook_columns"):
        build("pegboard", {**BOARD, "hook_columns": 12})


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_hang_at_rest(tool: str) -> None:
    """A hung tool cuts nothing, would cut its peg 2 µm lower, and has its centre of mass below its contact."""
    params = {**BOARD, "style": "steel", "rows": 20}
    wall, inside = build("pegboard", params), interior("pegboard", params)
    for seed in range(3):
        mesh = build(tool, rand(np.random.default_rng(seed), tool, {}))
        item = Item(mesh, 1.0, tool, "stable", ())
        (pose,) = hang(np.random.default_rng(seed), [np.random.default_rng(seed)], [item], wall, inside)
        assert overlaps([Body(mesh, 1.0)], pose[None], wall, 1e-4) == {}
        lower = pose.copy()
        lower[2, 3] -= 2e-6
        assert overlaps([Body(mesh, 1.0)], lower[None], wall, 1e-4) != {}
        points = {name: pose[:3, :3] @ np.asarray(p) + pose[:3, 3] for name, p in mesh.keypoints.items()}
        assert points["balance"][2] < points["hang"][2] + upright(mesh, tool)[1]
        peg = min(
            (np.asarray(h.point) for h in inside.hooks), key=lambda p: np.linalg.norm((points["hang"] - p)[[0, 2]])
        )
        # Torque about the peg: nothing but what friction on the rim can hold.
        arm = abs(points["balance"][0] - peg[0])
        assert arm <= np.sin(np.deg2rad(SLIP_DEG)) * upright(mesh, tool)[1] + 1e-3
        assert (mesh.vertices @ pose[:3, :3].T + pose[:3, 3])[:, 1].max() < 0


def test_balance_of_a_hex_key() -> None:
    """The centre of mass of a bent bar is that of its middle line: two straight arms and a quarter circle (Pappus)."""
    mesh = build("hex_key", {"across_mm": 6, "series": "long"})
    s, short, long = 0.006, 0.032, 0.18
    bend = 1.5 * s
    arms = [short - s / 2 - bend, long - s / 2 - bend, np.pi / 2 * bend]
    corner = np.array([s / 2 + bend, s / 2 + bend])
    centres = [
        (s / 2, (short + corner[1]) / 2),
        ((long + corner[0]) / 2, s / 2),
        corner - 2 / np.pi * bend * np.ones(2),
    ]
    expected = np.average(np.array(centres), axis=0, weights=arms)
    found = np.asarray(mesh.keypoints["balance"]) - mesh.keypoints["hang"]
    assert found[:2] == pytest.approx(expected - corner, abs=2e-4)


def test_what_has_no_eye_cannot_hang() -> None:
    """A shape without the key points of an eye is refused by name."""
    with pytest.raises(PlacementError, match="nut cannot hang: its mesh has no key point 'hang'"):
        upright(build("nut", {}), "nut")


def test_more_tools_than_pegs() -> None:
    """Each tool has a peg of its own; too few pegs are an error that counts both."""
    params = {**BOARD, "hook_columns": 1, "hook_rows": 1}
    item = Item(build("spanner", {}), 1.0, "spanner", "stable", ())
    rngs = [np.random.default_rng(k) for k in range(2)]
    with pytest.raises(PlacementError, match="2 objects are to hang from 1 pegs"):
        hang(np.random.default_rng(0), rngs, [item] * 2, build("pegboard", params), interior("pegboard", params))


def test_scenes_of_hung_tools() -> None:
    """A recipe gives scenes in which no tool cuts another or the board, the same each time."""
    scene = sample(recipe(), 1)
    assert scene == sample(recipe(), 1)
    meshes = meshes_of(scene)
    bodies = [Body(meshes[o.id], o.scale) for o in scene.objects]
    board = build("pegboard", scene.fixtures[0].mesh.params)
    poses = np.array([np.linalg.inv(scene.fixtures[0].pose) @ o.pose for o in scene.objects])
    assert overlaps(bodies, poses, board, 1e-4) == {}


def test_pegs_and_hanging_go_together() -> None:
    """Nothing lies in a pegboard, and nothing hangs without one: either recipe is refused."""
    with pytest.raises(RecipeError, match="go together, got scatter and pegboard"):
        recipe(mode="scatter")
