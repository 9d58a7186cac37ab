"""Visibility of key points: rays past everything against closed forms and against the depth image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.mesh import Mesh
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import project
from scenewright.scenes.load import load
from scenewright.scenes.rays import ON_SURFACE, cast, solids
from scenewright.scenes.sample import sample
from scenewright.scenes.sight import Sight

from .closed_forms import Body, first, layout, odd_camera, scene_of


def tile(z: float, half: float, x: float = 0.0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """A square before a camera at the origin."""
    corners = [[x - half, -half, z], [x + half, -half, z], [x + half, half, z], [x - half, half, z]]
    return np.array(corners, np.float32), np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_the_nearest_surface_on_the_way_to_a_point() -> None:
    """The first of two tiles counts, in distances of the point; what misses both has nothing before it."""
    sight = Sight(np.array([[0, 0, 2], [0.3, 0, 2], [0, 0.9, 2], [0, 0, 0.5]], np.float32))
    sight.look(*tile(2.0, 0.5))
    sight.look(*tile(1.0, 0.1))
    np.testing.assert_allclose(sight.nearest, [0.5, 1.0, np.inf, 2.0], rtol=1e-6)
    assert sight.clear(1e-4).tolist() == [False, True, True, True]
    assert sight.clear(1.001).tolist() == [True, True, True, True]


def test_a_speck_between_pixel_centres_hides() -> None:
    """A triangle a hundred times smaller than a pixel hides the point behind it and none beside it."""
    sight = Sight(np.array([[0.00031, 0.00047, 1.0], [0.00041, 0.00047, 1.0]], np.float32))
    at = np.array([0.00031, 0.00047, 1.0]) * 0.5
    speck = at + 2e-6 * np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0]])
    sight.look(speck.astype(np.float32), np.array([[0, 1, 2]], np.int32))
    assert sight.clear(1e-3).tolist() == [False, True]


@pytest.mark.parametrize("behind", [False, True])
def test_culling_drops_nothing_that_hides(behind: bool) -> None:
    """Rays to 400 points give the same with and without culling, also past what reaches behind the camera."""
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(-1, 1, (400, 2)), rng.uniform(0.5, 3, 400)]).astype(np.float32)
    corners = rng.uniform(-1, 1, (300, 3)) * [1.5, 1.5, 1.0] + [0, 0, 0.7 if behind else 1.4]
    faces = rng.integers(0, 300, (500, 3)).astype(np.int32)
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])]
    culled, plain = Sight(points), Sight(points)
    culled.look(corners.astype(np.float32), faces)
    for face in faces:
        a, b, c = corners[face].astype(np.float32).astype(np.float64)
        normal = np.cross(b - a, c - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (a @ normal) / (points.astype(np.float64) @ normal)
            at = points * t[:, None]
            sides = [np.cross(q - p, at - p) @ normal for p, q in ((a, b), (b, c), (c, a))]
        inside = (np.min(sides, axis=0) >= 0) & (t > 0)
        plain.nearest[inside] = np.minimum(plain.nearest[inside], t[inside])
    close = np.isclose(culled.nearest, plain.nearest, rtol=1e-4)
    assert close.mean() > 0.99  # the rest are rays along an edge
    assert np.isfinite(plain.nearest).mean() > 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_key_points_of_bodies_against_closed_forms(seed: int) -> None:
    """A corner of a box is in sight exactly when no body is met before it on the ray in closed form."""
    bodies, camera = layout(seed), odd_camera()
    bodies = [replace(b, size=tuple(0.6 * s for s in b.size)) for b in bodies]  # type: ignore[arg-type]  # three floats
    scene, meshes = scene_of(bodies, camera)
    view = cast(scene, meshes)
    tried = 0
    for item, body in zip(scene.objects, bodies, strict=True):
        points = (
            np.array(list(meshes[item.id].keypoints.values())) * body.scale @ body.pose[:3, :3].T + body.pose[:3, 3]
        )
        at, depth = project(camera, points)
        _, nearest = first(bodies, camera, at[:, 0], at[:, 1])
        inside = ((at >= 0) & (at < [camera.width, camera.height])).all(axis=1)
        margin = nearest - depth
        tolerance = ON_SURFACE[0] * meshes[item.id].extents.min() * body.scale
        sure = inside & ((margin > -0.5 * tolerance) | (margin < -2 * tolerance))
        np.testing.assert_array_equal(view.in_sight[item.id][sure], margin[sure] > -tolerance)
        assert not view.in_sight[item.id][~inside].any()
        tried += int(sure.sum())
    assert tried > 20


def test_key_points_against_the_depth_image() -> None:
    """Of real parts, what lies well before the neighbouring pixels' depth is in sight, and well behind it is not."""
    scene = sample(load("hardware", ["render.size=[320,240]"]), 2)
    meshes = meshes_of(scene)
    view, checked = cast(scene, meshes), {True: 0, False: 0}
    for item in scene.objects:
        mesh: Mesh = meshes[item.id]
        own = np.array(list(mesh.keypoints.values())) * item.scale
        at, depth = project(scene.camera, own @ item.pose[:3, :3].T + item.pose[:3, 3])
        for (x, y), z, seen in zip(at, depth, view.in_sight[item.id], strict=True):
            if not (1 <= x < 319 and 1 <= y < 239):
                continue
            around = view.depth_m[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
            for expected, sure in ((True, z < around.min() - 2e-4), (False, z > around.max() + 5e-3)):
                if sure:
                    assert bool(seen) == expected, (item.category, x, y)
                    checked[expected] += 1
    assert min(checked.values()) > 3


def test_solids_are_what_the_image_shows() -> None:
    """Objects come first in their order, then the surface: the raw ids of the image."""
    scene = sample(load("hardware", ["render.size=[64,48]"]), 0)
    raw = [i for i, _ in solids(scene, meshes_of(scene))]
    assert raw == [*(o.id for o in scene.objects), 32001]


def test_a_point_inside_the_material_is_out_of_sight() -> None:
    """The centre of a sphere is hidden by the sphere; its top, seen from above, is not."""
    body = Body("sphere", (0.02, 0.0, 0.0), np.eye(4))
    scene, meshes = scene_of([body], odd_camera())
    names = list(meshes[1].keypoints)
    seen = dict(zip(names, cast(scene, meshes).in_sight[1], strict=True))
    assert (bool(seen["centre" if "centre" in seen else "center"]), bool(seen["top"])) == (False, True)
