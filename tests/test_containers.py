"""Containers: what is drawn is what things touch, and both stay out of the inside."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from scipy.spatial import ConvexHull

from scenewright.assets.fixtures import FIXTURES
from scenewright.assets.library import build, interior, rand
from scenewright.errors import PlacementError
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.penetration import overlaps
from scenewright.scenes.physics_model import Body
from scenewright.scenes.sample import sample

Vec = npt.NDArray[np.float64]
VESSELS = ("bin", "dish", "tray")


def drawn(kind: str, seed: int = 0) -> dict[str, float | int | str]:
    return rand(np.random.default_rng(seed), kind, {})


@pytest.mark.parametrize("kind", sorted(FIXTURES))
def test_containers_are_closed_and_face_outwards(kind: str) -> None:
    """Every solid of a container is watertight, its volume positive, its lowest point at −foot."""
    for seed in range(4):
        mesh, inside = build(kind, drawn(kind, seed)), interior(kind, drawn(kind, seed))
        solids = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).split(only_watertight=False)
        assert all(s.is_watertight and s.volume > 0 for s in solids)
        assert mesh.vertices[:, 2].min() == pytest.approx(-inside.foot_m, abs=1e-6)


@pytest.mark.parametrize("kind", VESSELS)
def test_pieces_lie_on_the_visible_walls(kind: str) -> None:
    """A ray from the middle of the inside meets the pieces and the mesh at the same place, to 0.1 mm of its way."""
    for seed in range(3):
        params = drawn(kind, seed)
        mesh, inside = build(kind, params), interior(kind, params)
        solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        rng = np.random.default_rng(seed)
        ways = rng.normal(size=(200, 3))
        ways[:, 2] *= 0.3
        start = np.array([0.0, 0.0, 0.45 * inside.high[2]])
        ends = start + ways / np.linalg.norm(ways, axis=1)[:, None] * 2
        keep = []
        for end in ends:
            hit = solid.ray.intersects_location([start], [end - start], multiple_hits=False)[0]
            if len(hit) and hit[0][2] < 0.9 * inside.high[2]:
                keep.append((end, float(np.linalg.norm(hit[0] - start))))
        assert len(keep) > 80
        for end, distance in keep:
            found = min(_enter(piece, start, end - start) for piece in inside.pieces)
            assert found == pytest.approx(distance, abs=1e-4)


def _enter(piece: Vec, start: Vec, way: Vec) -> float:
    """Distance at which a ray enters a convex hull, infinity where it misses it."""
    planes = ConvexHull(piece).equations
    unit = way / np.linalg.norm(way)
    speed, gap = planes[:, :3] @ unit, -(planes[:, :3] @ start + planes[:, 3])
    enter = max((gap[speed < 0] / speed[speed < 0]).max(), 0.0)
    leave = (gap[speed > 1e-12] / speed[speed > 1e-12]).min()
    return float(enter) if enter <= leave and not (gap[np.abs(speed) <= 1e-12] < 0).any() else np.inf


def recipe(mode: str, container: dict[str, object] | None, count: int = 12, **placement: object) -> dict[str, object]:
    return {
        "name": "c",
        "objects": {
            "count": count,
            "assets": [{"category": "can", "shape": "can"}, {"category": "die", "shape": "die"}],
        },
        "placement": {"mode": mode, "pose": "upright", **placement},
        **({"container": container} if container else {}),
    }


@pytest.mark.parametrize(
    ("mode", "container"),
    [("shelve", {"kind": "shelf"}), ("grid", None), ("grid", {"kind": "conveyor"}), ("scatter", {"kind": "bin"})],
)
def test_things_keep_clear_of_each_other_and_of_the_container(mode: str, container: dict[str, object] | None) -> None:
    """In every mode the meshes of objects and container do not cut, and every object stands on a level to 1 mm."""
    scene = sample(recipe_from_dict(recipe(mode, container, area=[0.6, 0.5]), None), 1)
    meshes = meshes_of(scene)
    bodies = [Body(meshes[o.id], o.scale) for o in scene.objects]
    poses = np.array([o.pose for o in scene.objects])
    fixed = None
    levels = [0.0]
    if scene.fixtures:
        fixture = scene.fixtures[0]
        assert fixture.mesh.shape is not None
        fixed = build(fixture.mesh.shape, fixture.mesh.params)
        levels = [level.z for level in interior(fixture.mesh.shape, fixture.mesh.params).levels]
        poses = np.linalg.inv(fixture.pose) @ poses
    lifted = poses.copy()
    lifted[:, 2, 3] += 1e-5
    assert overlaps(bodies, lifted, fixed, 2e-4) == {}
    for body, pose in zip(bodies, poses, strict=True):
        bottom = (body.mesh.vertices @ pose[2, :3]).min() * body.scale + pose[2, 3]
        assert min(abs(bottom - z) for z in levels) < 1e-3


def test_a_full_shelf_says_so() -> None:
    """When the boards are full the error tells how many stand and what to change; without a shelf it asks for one."""
    with pytest.raises(PlacementError, match=r"the boards hold \d+ of 400 objects, then there is no room for"):
        sample(recipe_from_dict(recipe("shelve", {"kind": "shelf", "params": {"x_m": 0.6}}, 400), None), 0)
    with pytest.raises(PlacementError, match=r"add `container: \{kind: shelf\}`"):
        sample(recipe_from_dict(recipe("shelve", None), None), 0)


def test_a_grid_has_one_thing_in_a_cell() -> None:
    """Twelve things over 0.4 m × 0.3 m lie in twelve different cells of 4 × 3, and a too small cell is refused."""
    raw = recipe("grid", None, 12, area=[0.4, 0.3])
    raw["objects"] = {"count": 12, "assets": [{"category": "die", "shape": "die"}]}
    scene = sample(recipe_from_dict(raw, None), 0)
    cells = {(int((o.pose[0, 3] + 0.2) // 0.1), int((o.pose[1, 3] + 0.15) // 0.1)) for o in scene.objects}
    assert len(cells) == 12
    raw["placement"] = {"mode": "grid", "area": [0.04, 0.03]}
    with pytest.raises(PlacementError, match=r"a cell of the 4 × 3 grid has 10.0 × 10.0 mm: widen placement.area"):
        sample(recipe_from_dict(raw, None), 0)
