"""Placement, checked with solid booleans that share no code with it."""

from __future__ import annotations

from itertools import combinations

import manifold3d
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.errors import PlacementError
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.placement import Area, Item, Placer, _Placed, _Solid
from scenewright.scenes.sample import sample

Pose = npt.NDArray[np.float64]
MIXED = ("hex_bolt", "nut", "washer", "gear", "bearing", "spring", "bracket", "pipe_fitting", "mug", "die")


def item(shape: str, scale: float = 1.0, pose: str = "upright", **params: float) -> Item:
    mesh = build(shape, params)
    return Item(mesh, scale, shape, pose)


def points(mesh: Mesh, pose: Pose, scale: float) -> Pose:
    return np.asarray(mesh.vertices * scale @ pose[:3, :3].T + pose[:3, 3])


def solid(mesh: Mesh, pose: Pose, scale: float) -> manifold3d.Manifold:
    """The mesh in the world as a closed solid."""
    data = manifold3d.Mesh64(np.ascontiguousarray(points(mesh, pose, scale)), mesh.faces.astype(np.uint64))
    found = manifold3d.Manifold(data)
    assert found.status() == manifold3d.Error.NoError and found.volume() > 0
    return found


def near(a: manifold3d.Manifold, b: manifold3d.Manifold, gap: float) -> bool:
    """Whether the boxes of two solids come closer than `gap`."""
    p, q = np.array(a.bounding_box()), np.array(b.bounding_box())
    return bool((p[:3] - gap < q[3:]).all() and (q[:3] - gap < p[3:]).all())


@pytest.mark.parametrize("index", [0, 1])
def test_parts_of_a_recipe_never_cut_each_other(index: int) -> None:
    """In a crowded scene of real threads, teeth and springs no two solids share volume, and all keep the gap."""
    recipe = load("hardware", ["objects.count=12", "placement.area=[0.13, 0.10]"])
    scene, gap = sample(recipe, index, seed=5), recipe.placement.gap
    meshes = meshes_of(scene)
    solids = [solid(meshes[o.id], o.pose, o.scale) for o in scene.objects]
    pairs = [(a, b) for a, b in combinations(solids, 2) if near(a, b, gap)]
    assert len(pairs) >= 2  # a scene in which nothing is close proves nothing
    for a, b in pairs:
        assert (a ^ b).volume() == 0.0
        assert a.min_gap(b, 2 * gap) >= gap * (1 - 1e-6)


@pytest.mark.parametrize("pose", ["stable", "upright"])
def test_everything_stands_on_the_surface_inside_the_area(pose: str) -> None:
    """The lowest point of every object is on z = 0, its origin over the area, its pose rigid, whatever its scale."""
    rng = np.random.default_rng(4)
    placer = Placer(Area((0.8, 0.5), attempts=400))
    for k, shape in enumerate(MIXED):
        what = item(shape, 0.7 + 0.1 * k, pose)
        found = placer.place(rng, what)
        assert points(what.mesh, found, what.scale)[:, 2].min() == pytest.approx(0.0, abs=1e-9)
        assert (np.abs(found[:2, 3]) <= [0.4, 0.25]).all()
        np.testing.assert_allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=4e-9)  # stored to 1e-9
        assert np.linalg.det(found[:3, :3]) == pytest.approx(1.0)


def test_a_gap_is_kept_between_surfaces_not_outlines() -> None:
    """A ball fits into the hole of a ring, where boxes and hulls would collide, if the gap allows it."""
    ring, ball = item("washer"), item("sphere", radius_m=0.003, subdivisions=3)
    spot = Area((1e-6, 1e-6), gap=0.0005, attempts=3)
    placer, rng = Placer(spot), np.random.default_rng(0)
    placer.place(rng, ring)
    placer.place(rng, ball)
    wide = Placer(Area((1e-6, 1e-6), gap=0.05, attempts=3))
    wide.place(rng, ring)
    with pytest.raises(PlacementError, match="50 mm from each other"):
        wide.place(rng, ball)


def test_what_does_not_fit_is_explained() -> None:
    """The error says how many were placed, what did not fit, in how many attempts, on what area, and what to try."""
    placer, rng = Placer(Area((0.02, 0.02), attempts=30)), np.random.default_rng(1)
    block = item("box", x_m=0.03, y_m=0.03, z_m=0.03)
    placer.place(rng, block)
    with pytest.raises(PlacementError) as caught:
        placer.place(rng, block)
    message = str(caught.value)
    for part in ("placed 1", "box", "30 attempts", "0.02 × 0.02 m", "0.5 mm", "placement.area", "placement.attempts"):
        assert part in message


def test_a_crowded_recipe_says_what_found_no_room() -> None:
    """Sampling a recipe that is too crowded is an error with the way out, never a silent repair."""
    recipe = load("hardware", ["objects.count=40", "placement.area=[0.03, 0.03]", "placement.attempts=5"])
    with pytest.raises(PlacementError, match=r"^objects must keep .* widen placement.area"):
        sample(recipe, 3)


def test_a_body_inside_another_is_refused() -> None:
    """A small body wholly inside the material of a large one is a collision, though no two triangles touch."""
    big, small = item("box", x_m=0.1, y_m=0.1, z_m=0.1), item("box", x_m=0.01, y_m=0.012, z_m=0.014)
    placer, rng = Placer(Area((1e-6, 1e-6), attempts=5)), np.random.default_rng(2)
    placer.place(rng, big)
    with pytest.raises(PlacementError):
        placer.place(rng, small)


def test_the_bottom_of_a_mug_is_solid_and_its_inside_is_not() -> None:
    """Inside the wall of a mug's bottom is a collision at distance 0; the room for the coffee is free."""
    mug = build("mug", {})
    low, high = mug.vertices[:, 2].min(), mug.vertices[:, 2].max()
    outer = solid(mug, np.eye(4), 1.0)
    heights = np.linspace(low, high, 200)
    column = np.array([(outer ^ cube(0.0008, z)).volume() / 0.0008**3 for z in heights])
    bottom, free = heights[column > 0.999], heights[(column < 1e-6) & (heights > 0)]
    assert len(bottom) and len(free)
    large = _Placed(_Solid(mug, 1.0), np.eye(4))
    assert large.distance(box_at(0.0008, float(np.median(bottom))), 0.001) == 0.0
    assert box_at(0.0008, float(np.median(bottom))).distance(large, 0.001) == 0.0
    assert large.distance(box_at(0.0008, float(np.median(free))), 0.001) > 0.001


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_part_of_a_mesh_is_looked_for_inside_the_other(order: tuple[int, int]) -> None:
    """A mesh in two loose pieces, one inside a block and one beside it, is not clear of it, whichever comes first."""
    block, dot = box_at(0.1, 0.0), build("box", {"x_m": 0.01, "y_m": 0.012, "z_m": 0.014})
    pieces = [dot.vertices, dot.vertices + np.array([0.2, 0.0, 0.0])]
    both = Mesh(
        np.concatenate([pieces[k] for k in order]), np.concatenate([dot.faces, dot.faces + 8]), np.zeros(24, np.uint8)
    )
    loose = _Placed(_Solid(both, 1.0), np.eye(4))
    assert loose.solid.anchors.shape == (2, 3)
    assert loose.distance(block, 0.001) == block.distance(loose, 0.001) == 0.0
    lifted = np.eye(4)
    lifted[2, 3] = 0.08
    assert _Placed(_Solid(both, 1.0), lifted).distance(block, 0.1) == pytest.approx(0.08 - 0.05 - 0.007)


def cube(edge: float, z: float) -> manifold3d.Manifold:
    return manifold3d.Manifold.cube((edge, edge, edge), True).translate((0.0, 0.0, z))


def box_at(edge: float, z: float) -> _Placed:
    mesh = build("box", {"x_m": edge, "y_m": edge, "z_m": edge})
    pose = np.eye(4)
    pose[2, 3] = z
    return _Placed(_Solid(mesh, 1.0), pose)


def test_density_center_crowds_the_middle() -> None:
    """A mean distance of ¼ of the side from the axis is uniform, ⅙ is the triangular density; both stay inside."""
    dot = item("box", x_m=1e-4, y_m=1e-4, z_m=1e-4)
    for density, mean in (("uniform", 1 / 4), ("center", 1 / 6)):
        placer, rng = Placer(Area((2.0, 1.0), density, gap=1e-5)), np.random.default_rng(6)
        spots = np.array([placer.place(rng, dot)[:2, 3] for _ in range(150)]) / [2.0, 1.0]
        assert np.abs(spots).max() <= 0.5
        assert np.abs(spots).mean() == pytest.approx(mean, abs=0.03)


def test_the_same_stream_places_the_same() -> None:
    """Placement is a function of the stream: twin generators give identical poses, another seed gives others."""

    def poses(seed: int) -> list[Pose]:
        placer, rng = Placer(Area((0.3, 0.3))), np.random.default_rng(seed)
        return [placer.place(rng, item("nut", pose="stable")) for _ in range(4)]

    np.testing.assert_array_equal(poses(8), poses(8))
    assert not np.array_equal(poses(8), poses(9))


@pytest.mark.parametrize("seed", range(5))
def test_where_the_middle_is_full_there_is_room_at_the_border(seed: int) -> None:
    """With density "center", the last attempts look everywhere: a square's corners, where the middle is taken."""
    placer = Placer(Area((1e-6, 1e-6)))
    placer.place(np.random.default_rng(0), item("cylinder", radius_m=0.6, height_m=0.1))
    placer.area = Area((1.0, 1.0), density="center", attempts=200)  # the corners get 1 in 700 of the usual spots
    pose = placer.place(np.random.default_rng(seed), item("box", x_m=0.01, y_m=0.01, z_m=0.01))
    assert np.hypot(*pose[:2, 3]) > 0.6
