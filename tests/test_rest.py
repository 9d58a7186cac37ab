"""Resting poses against shapes whose statics are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh
from scenewright.scenes.rest import RestPoses, mass_center, rest_poses


def cuboid(x: float, y: float, z: float) -> Mesh:
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]) * [x, y, z]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(corners, np.array(faces, np.int32), np.zeros(12, np.uint8))


def test_a_cube_rests_on_each_face_alike() -> None:
    """Six poses of probability one sixth."""
    mesh = cuboid(0.02, 0.02, 0.02)
    poses = rest_poses(mesh)
    assert np.allclose(poses.probabilities, 1 / 6)


def test_a_cuboid_follows_its_solid_angles() -> None:
    """Pairs of faces come in the proportion of the solid angle of a rectangle seen from the centre (closed form)."""
    a, b, c = 0.020, 0.022, 0.025
    mesh = cuboid(a, b, c)

    def share(x: float, y: float, depth: float) -> float:
        """Solid angle of an x × y rectangle at `depth`, over 4π (Khadjavi 1968)."""
        x, y = x / 2, y / 2
        return 4 * float(np.arctan(x * y / (depth * np.sqrt(depth**2 + x**2 + y**2)))) / (4 * np.pi)

    expected = sorted([share(b, c, a / 2), share(a, c, b / 2), share(a, b, c / 2)] * 2, reverse=True)
    assert np.allclose(rest_poses(mesh).probabilities, expected, atol=1e-6)


def test_every_pose_stands_on_the_surface() -> None:
    """After rotation and lift the lowest point has height 0, and the rotation is proper."""
    mesh = build("hex_bolt", {"size": "M8", "length_m": 0.03})
    poses = rest_poses(mesh)
    for k in range(min(5, len(poses.normals))):
        rotation, height = poses.pose(k)
        assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9) and np.linalg.det(rotation) > 0
        assert abs((mesh.vertices @ rotation.T)[:, 2].min() + height) < 1e-9


def test_a_leaning_prism_never_stands_on_the_face_it_falls_from() -> None:
    """A prism whose mass centre overhangs its base has probability 0 on it: it rolls on."""
    mesh = cuboid(0.01, 0.01, 0.03)
    sheared = Mesh(mesh.vertices + [[1.2, 0, 0]] * mesh.vertices[:, 2:], mesh.faces, mesh.face_part)
    poses = rest_poses(sheared)
    assert not np.isclose(np.abs(poses.normals[:, 2]), 1).any()
    assert poses.probabilities.sum() == pytest.approx(1)


def test_a_tall_block_falls_from_the_end_it_could_stand_on() -> None:
    """A pose that a small lift overturns is given to the lower ones: 1 × 1 × 6 lies on its four long sides only."""
    mesh = cuboid(0.01, 0.01, 0.06)
    poses = rest_poses(mesh)
    assert np.allclose(poses.probabilities, 0.25, atol=1e-6)
    assert np.allclose(poses.normals[:, 2], 0)


@pytest.mark.parametrize("shape", ["washer", "nut", "bearing"])
def test_flat_rings_lie_flat(shape: str) -> None:
    """A washer on its edge is what gives a synthetic picture away."""
    mesh = build(shape, {})
    assert np.allclose(np.abs(rest_poses(mesh).normals[:, 2]), 1)


def test_mass_center_of_a_cone_is_a_quarter_up() -> None:
    """The centre of mass is not the centre of the box."""
    t = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(t), np.sin(t), np.zeros_like(t)])
    v = np.concatenate([ring, np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])])
    k = np.arange(400)
    sides = np.column_stack([k, (k + 1) % 400, np.full(400, 400)])
    base = np.column_stack([(k + 1) % 400, k, np.full(400, 401)])
    mesh = Mesh(v, np.vstack([sides, base]).astype(np.int32), np.zeros(800, np.uint8))
    assert np.allclose(mass_center(mesh, ConvexHull(v)), [0, 0, 1], atol=1e-9)


def test_an_open_mesh_falls_back_to_its_hull() -> None:
    """A shell with a missing face rests as the solid that it outlines."""
    closed = cuboid(0.02, 0.02, 0.02)
    mesh = Mesh(closed.vertices, closed.faces[:-3], closed.face_part[:-3])
    assert np.allclose(rest_poses(mesh).probabilities, 1 / 6, atol=1e-6)


@pytest.mark.parametrize("shape", ["gear", "nut", "bracket"])
def test_the_order_of_poses_does_not_depend_on_the_last_bits(shape: str) -> None:
    """A symmetric part has poses that are equally likely: rounding, which differs by processor, must not order them."""
    mesh, rng = build(shape, {}), np.random.default_rng(0)
    poses = rest_poses(mesh)
    for _ in range(3):
        noise = rng.integers(-1, 2, mesh.vertices.shape) * 2.0**-59
        again = rest_poses(Mesh(mesh.vertices + noise, mesh.faces, mesh.face_part))
        assert np.allclose(again.normals, poses.normals, atol=1e-9)
        assert np.allclose(again.probabilities, poses.probabilities, atol=1e-8)


def test_a_pose_is_a_rotation_however_near_upside_down() -> None:
    """A face that looks up by all but a millionth of a radian still gives an orthonormal matrix that turns it down."""
    rng = np.random.default_rng(5)
    tilt = 10.0 ** -rng.uniform(3, 9, 40)
    turn = rng.uniform(0, 2 * np.pi, 40)
    up = np.column_stack([tilt * np.cos(turn), tilt * np.sin(turn), np.ones(40)])
    normals = np.concatenate([up, -up, rng.standard_normal((40, 3)), np.eye(3), -np.eye(3)])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    poses = RestPoses(normals, np.full(len(normals), 1 / len(normals)), np.zeros((1, 3)))
    for k, normal in enumerate(normals):
        rotation, _ = poses.pose(k)
        assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-14 and np.linalg.det(rotation) > 0
        assert np.abs(rotation @ normal - [0, 0, -1]).max() < 1e-14


def test_meshes_that_share_a_hash_do_not_share_poses() -> None:
    """The hash rounds to 0.1 µm; what a scene is may not depend on which of two such meshes was seen first."""
    mesh = build("box", {"x_m": 0.01, "y_m": 0.01, "z_m": 0.004, "edge_m": 0})
    twin = Mesh(mesh.vertices * [1, 1, 1.000004], mesh.faces, mesh.face_part, keypoints=mesh.keypoints)
    flat, taller = rest_poses(mesh), rest_poses(twin)
    assert mesh.sha256 == twin.sha256
    assert taller.pose(0)[1] - flat.pose(0)[1] == pytest.approx(0.002 * 4e-6, rel=1e-3)
