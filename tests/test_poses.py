"""3D boxes and BOP's poses against closed forms and against the masks."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from scenewright.assets.mesh import Mesh
from scenewright.render.bop import bop_camera, bop_model, bop_pose, bop_visibility
from scenewright.render.boxes3d import EDGES, corners
from scenewright.render.labels import InstanceLabel, label
from scenewright.render.rle import decode
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import project
from scenewright.scenes.lenses import Fisheye
from scenewright.scenes.load import load
from scenewright.scenes.rays import RayView, cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

from .closed_forms import Body, layout, odd_camera, scene_of

Vec = npt.NDArray[np.float64]


def labelled(scene: Scene) -> tuple[InstanceLabel, ...]:
    meshes = meshes_of(scene)
    rays = cast(scene, meshes)
    return label(scene, meshes, rays.ids, rays)


def test_corners_of_a_box_at_rest() -> None:
    """Corner 1 lies on the +x side of corner 0, corner 2 on its +y side, corner 4 on its +z side; twelve edges."""
    found = corners(np.eye(4), (0.2, 0.4, 0.6))
    expected = np.array(list(itertools.product((-0.3, 0.3), (-0.2, 0.2), (-0.1, 0.1))))[:, ::-1]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    lengths = [np.linalg.norm(found[a] - found[b]) for a, b in EDGES]
    np.testing.assert_allclose(lengths, [0.2] * 4 + [0.4] * 4 + [0.6] * 4, atol=1e-12)


def test_box_gives_pose_and_size_back() -> None:
    """The documented inverse: centre, directions and distances of the corners are t, R and the size."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec([0.3, -0.7, 0.2]).as_matrix()
    pose[:3, 3] = 0.1, -0.2, 0.9
    box = corners(pose, (0.03, 0.02, 0.05))
    sides = box[[1, 2, 4]] - box[0]
    np.testing.assert_allclose(box.mean(axis=0), pose[:3, 3], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(sides, axis=1), (0.03, 0.02, 0.05), atol=1e-12)
    np.testing.assert_allclose((sides / np.linalg.norm(sides, axis=1, keepdims=True)).T, pose[:3, :3], atol=1e-12)


def test_boxes_hold_their_objects_and_touch_them() -> None:
    """All vertices lie in the box of the label, and each of its six sides has one; pixels are the corners' images."""
    scene = sample(load("hardware", ["render.size=[160,120]", "outputs=[boxes3d]"]), 1)
    meshes = meshes_of(scene)
    for item, found in zip(scene.objects, labelled(scene), strict=True):
        pose = np.array(found.cam_T_object)
        points = meshes[item.id].vertices * item.scale @ pose[:3, :3].T + pose[:3, 3]
        assert found.box3d_m is not None and found.box3d_px is not None
        box = np.array(found.box3d_m)
        axes = box[[1, 2, 4]] - box[0]
        where = (points - box[0]) @ axes.T / (axes**2).sum(axis=1)
        np.testing.assert_allclose(where.min(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(where.max(axis=0), 1, atol=1e-5)
        world = (box - scene.camera.extrinsics[:3, 3]) @ scene.camera.extrinsics[:3, :3]
        np.testing.assert_allclose(np.array(found.box3d_px), project(scene.camera, world)[0], atol=1e-4)


def test_a_label_has_a_box_only_when_asked() -> None:
    """Without the output the label and its JSON have no box; with it they do, and corners behind have no pixel."""
    scene, _ = scene_of([Body("box", (0.1, 0.1, 1.0), np.eye(4))], odd_camera())
    (plain,) = labelled(scene)
    assert plain.box3d_m is None and "box3d_m" not in plain.model_dump_json()
    (asked,) = labelled(scene.replace(outputs=("boxes3d",)))
    assert InstanceLabel.model_validate_json(asked.model_dump_json()) == asked
    assert asked.box3d_px is not None and asked.box3d_m is not None
    assert [p is None for p in asked.box3d_px] == [m[2] <= 0 for m in asked.box3d_m]
    lens = scene.camera.model_copy(update={"lens": Fisheye(), "fx": 150.0, "fy": 150.0})
    (wide,) = labelled(scene.replace(outputs=("boxes3d",), camera=lens))
    assert wide.box3d_px is not None and None not in wide.box3d_px


def reprojected(found: InstanceLabel, points: Vec, k: Vec) -> Vec:
    """(n, 2) image points, the centre of the top-left pixel at (0, 0), of a model's points in millimetres."""
    entry = bop_pose(found)
    cam = points @ np.array(entry["cam_R_m2c"]).reshape(3, 3).T + entry["cam_t_m2c"]
    at = cam @ k.T
    return np.asarray(at[:, :2] / at[:, 2:])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bop_poses_give_the_masks_of_convex_models(seed: int) -> None:
    """A convex model's mask is the hull of its points under K (R_m2c x + t_m2c), to 0.02 px all around."""
    scene, meshes = scene_of(layout(seed), odd_camera())
    k = np.array(bop_camera(scene.camera)["cam_K"]).reshape(3, 3)
    checked = 0
    for item, found in zip(scene.objects, labelled(scene), strict=True):
        if found.amodal_rle is None:
            continue
        points, info = bop_model(meshes[item.id], item.scale)
        hull = cv2.convexHull(reprojected(found, points, k).astype(np.float32))
        mask = decode(found.amodal_rle, (scene.camera.height, scene.camera.width))
        x, y, w, h = bop_visibility(found)["bbox_obj"]
        columns, rows = (np.arange(max(n - 3, 0), min(n + m + 3, top)) for n, m, top in ((x, w, 320), (y, h, 240)))
        a = hull[:, 0].astype(np.float64)
        side = np.roll(a, -1, axis=0) - a
        normal = np.column_stack([side[:, 1], -side[:, 0]]) / np.hypot(*side.T)[:, None]
        normal *= np.sign(((a - a.mean(axis=0)) * normal).sum(axis=1))[:, None]
        at = np.dstack(np.meshgrid(columns, rows)).reshape(-1, 2)
        out = (at @ normal.T - (a * normal).sum(axis=1)).max(axis=1)
        there = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].ravel() > 0
        assert (there == (out < 0))[np.abs(out) > 0.02].all()
        assert info["size_x"] == pytest.approx(1000 * found.size_m[0])
        checked += 1
    assert checked >= 4


def test_bop_poses_put_real_parts_onto_their_visible_masks() -> None:
    """Points of real parts that nothing hides lie within 0.5 px of the visible mask, taken at quarter pixels.

    At whole pixels the mask itself leaves out what is thinner than a pixel.
    """
    scene = sample(load("hardware", ["render.size=[320,240]"]), 1)
    camera, meshes = scene.camera, meshes_of(scene)
    zoom = {name: 4 * getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    rays = cast(scene.replace(camera=camera.model_copy(update=zoom)), meshes)
    k, checked = np.array(bop_camera(camera)["cam_K"]).reshape(3, 3), 0
    for item, found in zip(scene.objects, label(scene, meshes, *_view(scene, meshes)), strict=True):
        points, _ = bop_model(meshes[item.id], item.scale)
        uv = 4 * (reprojected(found, points, k) + 0.5) - 0.5
        pose = np.array(found.cam_T_object)
        depth = (points / 1000 @ pose[:3, :3].T + pose[:3, 3])[:, 2]
        column, row = np.rint(uv).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < 1280) & (row < 960)
        depth, column, row = depth[inside], column[inside], row[inside]
        seen = depth < rays.depth_m[row, column] + 1e-4
        far = ndimage.distance_transform_edt(rays.ids != item.id)[row, column][seen]
        assert far.max(initial=0) <= 4 * 0.5, (item.category, far.max())
        checked += int(seen.sum())
    assert checked > 2000


def _view(scene: Scene, meshes: dict[int, Mesh]) -> tuple[npt.NDArray[np.uint16], RayView]:
    rays = cast(scene, meshes)
    return rays.ids, rays


def test_bop_units_and_frames() -> None:
    """Millimetres, rotations row by row, pixel centres at whole numbers, and world poses that chain to the object's."""
    scene, meshes = scene_of(layout(0), odd_camera())
    view, first = bop_camera(scene.camera, 0.0001), labelled(scene)[0]
    assert view["depth_scale"] == pytest.approx(0.1)
    assert view["cam_K"][2] == scene.camera.cx - 0.5 and view["cam_K"][5] == scene.camera.cy - 0.5
    entry, item = bop_pose(first, obj_id=7), scene.objects[0]
    turn = np.array(view["cam_R_w2c"]).reshape(3, 3)
    np.testing.assert_allclose(turn @ item.pose[:3, 3] * 1000 + view["cam_t_w2c"], entry["cam_t_m2c"], atol=1e-5)
    np.testing.assert_allclose(np.reshape(entry["cam_R_m2c"], (3, 3)), turn @ item.pose[:3, :3], atol=1e-8)
    assert entry["obj_id"] == 7
    points, info = bop_model(meshes[2], 2.0)
    assert info["diameter"] == pytest.approx(np.linalg.norm([info[f"size_{a}"] for a in "xyz"]), rel=1e-6)
    assert points.min(axis=0) == pytest.approx([info[f"min_{a}"] for a in "xyz"])


def test_the_diameter_of_a_flat_model() -> None:
    """A model without volume has a diameter too: the diagonal of a square."""
    from .synthetic import square

    assert bop_model(square(0.1))[1]["diameter"] == pytest.approx(100 * np.sqrt(2))
