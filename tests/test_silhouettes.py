"""The ray engine and the labels that follow from it, against closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from scipy import ndimage

from scenewright.assets.mesh import Mesh
from scenewright.render.labels import InstanceLabel, label
from scenewright.render.rle import decode
from scenewright.scenes import rays
from scenewright.scenes.build import shape_mesh
from scenewright.scenes.cameras import look_at
from scenewright.scenes.rays import AmodalMask, RayView, cast
from scenewright.scenes.scene import Camera, matrix

from .closed_forms import CLEAR_PX, Body, first, grid, layout, odd_camera, safe_ids, scene_of

LAYOUTS = range(4)
CAMERA = odd_camera()


@cache
def seen(seed: int) -> tuple[list[Body], dict[int, Mesh], RayView, tuple[InstanceLabel, ...]]:
    """A layout before `CAMERA`: its bodies, meshes, the ray engine's view and the labels."""
    bodies = layout(seed)
    scene, meshes = scene_of(bodies, CAMERA)
    view = cast(scene, meshes)
    return bodies, meshes, view, label(scene, meshes, view.ids, view)


def whole(amodal: AmodalMask, camera: Camera) -> npt.NDArray[Any]:
    full = np.zeros((camera.height, camera.width), bool)
    h, w = amodal.mask.shape
    full[amodal.y : amodal.y + h, amodal.x : amodal.x + w] = amodal.mask
    return full


def at(x: float, y: float, z: float) -> npt.NDArray[Any]:
    pose = np.eye(4)
    pose[:3, 3] = x, y, z
    return pose


@pytest.mark.parametrize("seed", LAYOUTS)
def test_silhouettes_of_turned_bodies(seed: int) -> None:
    """No pixel's id, seen first or alone, is wrong where the outline is farther than 0.02 px from its centre."""
    bodies, _, view, _ = seen(seed)
    ids, safe = safe_ids(bodies, CAMERA)
    assert safe.mean() > 0.995 and len(np.unique(ids)) >= 6  # the comparison is not empty
    np.testing.assert_array_equal(view.ids[safe], ids[safe])
    for i, body in enumerate(bodies, 1):
        alone, safe = safe_ids([body], CAMERA)
        np.testing.assert_array_equal(whole(view.amodal[i], CAMERA)[safe], alone[safe] > 0)


def test_the_layouts_hide_and_cut_off_bodies() -> None:
    """The layouts of these tests hold hidden, partly hidden and cut-off bodies, or the tests would prove little."""
    found = [item for seed in LAYOUTS for item in seen(seed)[3]]
    assert sum(0 < i.visibility < 0.9 for i in found) >= 4
    assert sum(0.05 < (i.truncation or 0) < 1 for i in found) >= 4


def label_of(bodies: Sequence[Body], camera: Camera) -> tuple[InstanceLabel, ...]:
    scene, meshes = scene_of(bodies, camera)
    view = cast(scene, meshes)
    return label(scene, meshes, view.ids, view)


@pytest.mark.parametrize("seed", LAYOUTS)
def test_depth_is_along_the_optical_axis(seed: int) -> None:
    """Depth agrees with the closed form within 1e-5 of itself, from three pixels inside each outline on."""
    bodies, _, view, _ = seen(seed)
    ids, depth = first(bodies, CAMERA, *grid(CAMERA))
    inside = np.zeros(ids.shape, bool)
    for i in range(1, len(bodies) + 1):
        inside |= ndimage.binary_erosion(ids == i, iterations=3, border_value=1)
    assert inside.sum() > 3000
    error = np.abs(view.depth_m[inside] / depth[inside] - 1)
    assert error.max() < 1e-5
    assert np.isinf(view.depth_m[view.ids == 0]).all() and np.isfinite(view.depth_m[view.ids > 0]).all()


def test_a_box_is_the_hull_of_its_corners() -> None:
    """A box covers exactly the pixel centres inside the convex hull of its eight projected corners."""
    for seed in LAYOUTS:
        bodies, _, view, _ = seen(seed)
        i = next(k for k, b in enumerate(bodies, 1) if b.kind == "box")
        body = bodies[i - 1]
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * body.size / 2 * body.scale
        hull = shapely.MultiPoint(pixels(CAMERA, body.pose, corners)).convex_hull
        u, v = grid(CAMERA)
        points = shapely.points(u, v)
        safe = shapely.distance(hull.exterior, points) > CLEAR_PX
        mask = whole(view.amodal[i], CAMERA)
        np.testing.assert_array_equal(mask[safe], shapely.contains(hull, points)[safe])


def pixels(camera: Camera, pose: npt.NDArray[Any], points: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(n, 2) by homogeneous coordinates: K [R | t] X, written out once more than in the package."""
    p = camera.K @ (camera.extrinsics @ pose)[:3]
    x = np.column_stack([points, np.ones(len(points))]) @ p.T
    return np.asarray(x[:, :2] / x[:, 2:])


def test_truncation_counts_pixels_beyond_the_border() -> None:
    """Half of a centred body outside gives truncation ½; in general, total and truncation count pixel centres."""
    camera = Camera(width=200, height=150, fx=400, fy=400, cx=0.0, cy=75.0, cam_T_world=matrix(np.eye(4)))
    (half,) = label_of([Body("sphere", (0.05, 0, 0), at(0, 0, 0.6))], camera)
    assert half.truncation == 0.5 and half.amodal_bbox is not None and half.amodal_bbox[0] == 0
    body = Body("box", (0.08, 0.06, 0.05), at(0.29, 0.13, 0.7))
    (corner,) = label_of([body], camera)
    inside, safe = safe_ids([body], camera)
    beyond, safe_beyond = safe_ids([body], camera, border=1)
    unsure = int((~safe_beyond).sum())
    assert abs(corner.amodal_area - inside.sum()) <= (~safe).sum() <= 4
    total = corner.amodal_area / (1 - (corner.truncation or 0))
    assert abs(total - beyond.sum()) <= unsure <= 8
    assert 0.1 < (corner.truncation or 0) < 0.9


def test_a_body_outside_the_image_or_behind_the_camera() -> None:
    """Outside the image truncation is 1 and there is no mask; behind the camera there is nothing to truncate."""
    camera = Camera(width=200, height=150, fx=400, fy=400, cx=100.0, cy=75.0, cam_T_world=matrix(np.eye(4)))
    beside, behind = label_of(
        [Body("sphere", (0.02, 0, 0), at(0.3, 0, 0.6)), Body("box", (0.1, 0.1, 0.1), at(0, 0, -0.5))], camera
    )
    assert (beside.truncation, beside.amodal_area, beside.amodal_bbox, beside.area) == (1.0, 0, None, 0)
    assert (behind.truncation, behind.amodal_area, behind.area) == (None, 0, 0)


@pytest.mark.parametrize("size", [1, 777, 10_000])
def test_the_size_of_a_band_changes_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row, in odd bands, or at once: ids, depths, amodal masks and their totals are the same to the last bit."""
    pose = np.linalg.inv(CAMERA.extrinsics) @ at(-0.3, 0.0, 0.0)
    beside_the_camera = Body("box", (0.5, 0.5, 0.5), pose)  # it reaches behind the camera: its box is nine images
    scene, meshes = scene_of([*layout(0), beside_the_camera], CAMERA)
    whole_image = cast(scene, meshes)
    assert whole_image.amodal[7].total > CAMERA.width * CAMERA.height
    assert 9 * CAMERA.width * CAMERA.height <= rays.BAND_RAYS  # one band
    monkeypatch.setattr(rays, "BAND_RAYS", size)
    banded = cast(scene, meshes)
    np.testing.assert_array_equal(banded.ids, whole_image.ids)
    np.testing.assert_array_equal(banded.depth_m, whole_image.depth_m)
    for i, one in whole_image.amodal.items():
        two = banded.amodal[i]
        assert (one.x, one.y, one.total) == (two.x, two.y, two.total)
        np.testing.assert_array_equal(one.mask, two.mask)


def test_a_body_around_the_camera_plane() -> None:
    """A body that reaches behind the camera is cast, not projected: its mask still follows the closed form."""
    camera = Camera(width=160, height=120, fx=120, fy=120, cx=80.0, cy=60.0, cam_T_world=matrix(np.eye(4)))
    body = Body("box", (0.1, 0.1, 1.0), at(0.12, 0.02, 0.1))
    scene, meshes = scene_of([body], camera)
    view = cast(scene, meshes)
    ids, safe = safe_ids([body], camera)
    assert 1000 < ids.sum() < ids.size
    np.testing.assert_array_equal(view.ids[safe], ids[safe])
    np.testing.assert_array_equal(whole(view.amodal[1], camera)[safe], ids[safe] > 0)


@pytest.mark.parametrize("seed", LAYOUTS)
def test_keypoints_pose_size_and_distance(seed: int) -> None:
    """Key points and reprojected poses lie within 0.001 px of K [R | t] X; distance and size follow from the body."""
    bodies, meshes, _, labels = seen(seed)
    eye = np.linalg.inv(CAMERA.extrinsics)[:3, 3]
    for body, mesh, item in zip(bodies, meshes.values(), labels, strict=True):
        points = np.array(list(mesh.keypoints.values())) * body.scale
        expected = pixels(CAMERA, body.pose, points)
        stored = np.array([item.keypoints_px[name] for name in mesh.keypoints], dtype=np.float64)[:, :2]
        assert np.abs(stored - expected).max() < 1e-5
        through_pose = np.column_stack([points, np.ones(len(points))]) @ np.array(item.cam_T_object).T
        uv = through_pose[:, :2] / through_pose[:, 2:3] * [CAMERA.fx, CAMERA.fy] + [CAMERA.cx, CAMERA.cy]
        assert np.abs(uv - expected).max() < 1e-3
        assert item.distance_m == pytest.approx(np.linalg.norm(body.pose[:3, 3] - eye), abs=1e-9)
        x, y, z = body.size
        edges = {"sphere": (2 * x,) * 3, "box": (x, y, z), "cylinder": (2 * x, 2 * x, y)}[body.kind]
        assert item.size_m == pytest.approx(np.array(edges) * body.scale, rel=1e-4)


def test_keypoints_name_the_corners_of_a_box() -> None:
    """corner_5 of a box is its (+x, −y, +z) corner, also where it is hidden."""
    pose = layout(0)[1].pose
    (item,) = label_of([Body("box", (0.04, 0.03, 0.02), pose, 1.5)], CAMERA)
    expected = pixels(CAMERA, pose, np.array([[0.03, -0.0225, 0.015]]))[0]
    found = item.keypoints_px["corner_5"]
    assert found is not None and found[:2] == pytest.approx(expected, abs=1e-5)


def test_amodal_labels_are_the_masks_of_the_bodies_alone() -> None:
    """The amodal RLE of a half-hidden body decodes to its own silhouette, and visibility is the ratio of the areas."""
    bodies, _, _, labels = seen(1)
    for body, item in zip(bodies, labels, strict=True):
        alone, safe = safe_ids([body], CAMERA)
        if item.amodal_rle is not None:
            mask = decode(item.amodal_rle, (CAMERA.height, CAMERA.width))
            np.testing.assert_array_equal(mask[safe], alone[safe] > 0)
            assert item.visibility == item.area / mask.sum()


def test_no_ray_slips_between_two_triangles() -> None:
    """A finely tessellated sphere has no hole, from 200 directions that include those along its edges."""
    ref, mesh = shape_mesh("sphere", {"radius_m": 0.05, "subdivisions": 4})
    base, _ = scene_of([Body("sphere", (0.05, 0, 0), np.eye(4))], CAMERA)
    scene = base.replace(objects=(base.objects[0].model_copy(update={"mesh": ref}),))
    rng = np.random.default_rng(2)
    axes = np.vstack([np.eye(3), -np.eye(3), mesh.vertices[:12]])
    for toward in np.vstack([axes, rng.normal(size=(200 - len(axes), 3))]):
        eye = 0.4 * toward / np.linalg.norm(toward)
        pose = look_at(eye, np.zeros(3), np.array([0.0, 0.0, 1.0]) if abs(toward[2]) < 0.9 else np.eye(3)[0])
        # An odd size and the principal point in the middle send rays exactly along the planes of symmetry.
        camera = Camera(width=101, height=101, fx=380, fy=380, cx=50.5, cy=50.5, cam_T_world=matrix(pose))
        view = cast(scene.replace(camera=camera), {1: mesh})
        u, v = grid(camera)
        radius = 380 * np.tan(np.arcsin(0.05 / 0.4))
        inside = np.hypot(u - 50.5, v - 50.5) < radius - 0.5
        assert (view.ids[inside] == 1).all()
        assert whole(view.amodal[1], camera)[inside].all()
