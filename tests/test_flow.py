"""Optical flow against closed forms, by warping, and against what the other frame shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.mesh import Mesh
from scenewright.render.flat import FlatEngine
from scenewright.render.flow import flow, from_steps, to_steps
from scenewright.scenes.bodies import bodies
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import image, pixel_directions
from scenewright.scenes.ids import join_ids
from scenewright.scenes.lenses import BrownConrady
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.motion import scene_after
from scenewright.scenes.rays import RayView, cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

from .closed_forms import Body, first, grid, layout, odd_camera, safe_ids, scene_of

Arrays = npt.NDArray[Any]
STEP_S = 0.1


def moving(index: int = 0, **more: Any) -> Scene:
    """Dice that move and turn on a table before a camera that moves and turns too; 160×120 pixels."""
    recipe = recipe_from_dict(
        {
            "name": "moving",
            "objects": {"count": 5, "assets": [{"category": "die", "shape": "die", "params": {"size_m": 0.04}}]},
            "placement": {"area": [0.25, 0.2]},
            "camera": {"distance": 0.4, "elevation_deg": 40},
            "motion": {
                "frames": 3,
                "step_s": STEP_S,
                "objects": {"velocity_m_s": [0.25, 0.1, 0], "spin_deg_s": [0, 0, 120]},
                "camera": {"velocity_m_s": [-0.05, 0, 0.05], "spin_deg_s": [3, -5, 10]},
            },
            "render": {"engine": "flat", "size": [160, 120]},
            **more,
        },
        None,
    )
    return sample(recipe, index)


def seen(scene: Scene) -> tuple[dict[int, Mesh], RayView, Arrays]:
    meshes = meshes_of(scene)
    view = cast(scene, meshes, triangles=True)
    return meshes, view, join_ids(view.ids, view.stuff)


def painted(scene: Scene, meshes: Mapping[int, Mesh], view: RayView, raw: Arrays) -> Arrays:
    """(h, w) waves that are fixed to the surfaces, where rays meet the planes of triangles: no depth image, no flow."""
    toward, out = pixel_directions(scene.camera), np.zeros(raw.shape)
    assert view.triangle is not None
    for body in bodies(scene, meshes):
        there, mesh, scale = np.nonzero(raw == body.raw_id), body.mesh, body.scale
        pose = scene.camera.extrinsics @ body.pose
        start, ahead = -pose[:3, :3].T @ pose[:3, 3], toward[there] @ pose[:3, :3]
        a, b, c = (mesh.vertices[mesh.faces[view.triangle[there]]] * scale).transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        t = np.einsum("nk,nk->n", a - start, normal) / np.einsum("nk,nk->n", ahead, normal)
        own = start + ahead * t[:, None]
        out[there] = 128 + 60 * np.sin(own @ [63, 45, 27] + body.raw_id) + 50 * np.sin(own @ [-39, 57, -48])
    return out


def warped(picture: Arrays, field: Arrays) -> Arrays:
    """The other frame's picture, looked up where the flow leads (bilinear)."""
    h, w = picture.shape
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    at = np.nan_to_num(field) + np.dstack([x, y])
    return np.asarray(
        cv2.remap(
            picture.astype(np.float32), at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR
        )
    )


@pytest.mark.parametrize("seconds", [STEP_S, -STEP_S], ids=["forward", "backward"])
@pytest.mark.parametrize("lens", [None, BrownConrady(k1=-0.15, p2=0.01)], ids=["pinhole", "lens"])
def test_the_other_frame_warped_by_the_flow_is_this_frame(seconds: float, lens: Any) -> None:
    """A pattern fixed to the surfaces comes back by the flow, where the point is seen in both, and not without it."""
    scene = moving(1)
    scene = scene.replace(camera=scene.camera.model_copy(update={"lens": lens}))
    meshes, view, raw = seen(scene)
    field, both = flow(scene, meshes, raw, view.depth_m, seconds)
    other = scene_after(scene, seconds)
    _, other_view, other_raw = seen(other)
    here, there = painted(scene, meshes, view, raw), painted(other, meshes, other_view, other_raw)
    # A pixel next to an edge mixes two surfaces when it is looked up between four others.
    edge = cv2.morphologyEx(other_raw, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(np.float64)
    inner = both & (warped(edge, field) == 0)
    error = np.abs(warped(there, field) - here)[inner]
    assert inner.mean() > 0.6 and (raw[inner] <= 5).sum() > 1000
    assert np.median(error) < 0.5 and np.quantile(error, 0.98) < 6.0
    assert np.median(np.abs(there - here)[inner]) > 20


def test_flow_leads_to_the_same_object_and_hidden_points_are_behind_others() -> None:
    """A point seen in both frames lands on its own object; one that is hidden there lies behind what is seen there."""
    scene = moving(1)
    meshes, view, raw = seen(scene)
    field, both = flow(scene, meshes, raw, view.depth_m, STEP_S)
    other = scene_after(scene, STEP_S)
    _, _, other_raw = seen(other)
    y, x = np.nonzero(both & (raw <= 5) & (raw > 0))
    at = np.floor(field[y, x] + np.column_stack([x, y]) + 0.5).astype(int)
    assert (other_raw[at[:, 1], at[:, 0]] == raw[y, x]).mean() > 0.97
    target = field + np.dstack(np.meshgrid(np.arange(160), np.arange(120)))
    inside = ((target >= 0) & (target < [159, 119])).all(axis=2)
    hidden = inside & ~both & (raw > 5)
    y, x = np.nonzero(hidden)
    at = np.rint(target[y, x]).astype(int)
    assert len(y) > 100 and (other_raw[at[:, 1], at[:, 0]] <= 5).mean() > 0.95
    assert not both[~inside].any() or both[~inside].sum() < 200  # within half a pixel of the border


@pytest.mark.parametrize("seed", [0, 1])
def test_flow_and_occlusion_against_closed_forms(seed: int) -> None:
    """Each body's pixels move as its rigid motion says, and are seen there when no body lies before them."""
    still, camera = layout(seed), odd_camera()
    scene, meshes = scene_of(still, camera)
    speeds = [(0.1 * (-1) ** i, 0.05 * i, 0.02) for i in range(len(still))]
    objects = tuple(
        o.model_copy(update={"velocity_m_s": v, "spin_rad_s": (0, 0, 1.0)})
        for o, v in zip(scene.objects, speeds, strict=True)
    )
    scene = scene.replace(objects=objects, camera=camera.model_copy(update={"velocity_m_s": (0.02, 0, 0)}))
    view = cast(scene, meshes)
    field, both = flow(scene, meshes, view.ids, view.depth_m, STEP_S)
    later = scene_after(scene, STEP_S)
    bodies_later = [replace(b, pose=o.pose) for b, o in zip(still, later.objects, strict=True)]
    u, v = grid(camera)
    ids, depth = first(still, camera, u, v)
    _, safe = safe_ids(still, camera)
    checked = 0
    for item, after in zip(scene.objects, later.objects, strict=True):
        there = safe & (ids == item.id)
        if there.sum() < 100:
            continue
        toward = np.column_stack(
            [(u[there] - camera.cx) / camera.fx, (v[there] - camera.cy) / camera.fy, np.ones(there.sum())]
        )
        own = (toward * depth[there][:, None] - camera.extrinsics[:3, 3]) @ camera.extrinsics[:3, :3]
        own = (own - item.pose[:3, 3]) @ item.pose[:3, :3]
        world = own @ after.pose[:3, :3].T + after.pose[:3, 3]
        cam = world @ later.camera.extrinsics[:3, :3].T + later.camera.extrinsics[:3, 3]
        uv = image(later.camera, cam)
        assert np.abs(field[there] + np.column_stack([u[there], v[there]]) - uv).max(initial=0) < 0.01
        _, nearest = first(bodies_later, later.camera, uv[:, 0], uv[:, 1])
        inside = ((uv >= 0) & (uv < [camera.width, camera.height])).all(axis=1)
        margin = (cam[:, 2] - nearest) / cam[:, 2]
        sure = inside & ((margin < 2e-4) | (margin > 1e-3))
        wrong = both[there][sure] != (margin[sure] < 2e-4)
        assert wrong.mean() < 0.002
        assert not both[there][~inside].any()
        checked += int(sure.sum())
    assert checked > 3000


def test_the_background_turns_with_the_camera_and_does_not_move() -> None:
    """Where nothing is, the flow is that of a point at infinity, K R K⁻¹ of the pixel, whatever the velocity."""
    scene, meshes = scene_of([Body("sphere", (0.02, 0, 0), np.eye(4))], odd_camera())
    turned = scene.camera.model_copy(update={"spin_rad_s": (0.1, 0.3, -0.2), "velocity_m_s": (0.5, 0.5, 0.5)})
    scene = scene.replace(camera=turned)
    view = cast(scene, meshes)
    field, both = flow(scene, meshes, view.ids, view.depth_m, STEP_S)
    later = scene_after(scene, STEP_S).camera
    turn = later.extrinsics[:3, :3] @ turned.extrinsics[:3, :3].T
    u, v = grid(turned)
    at = np.dstack([u, v, np.ones_like(u)]) @ (turned.K @ turn @ np.linalg.inv(turned.K)).T
    nothing = view.ids == 0
    expected: Arrays = at[..., :2] / at[..., 2:] - np.dstack([u, v])
    assert np.abs(field - expected)[nothing].max() < 1e-3
    assert both[nothing].mean() > 0.8


def test_flow_of_a_stereo_pair_follows_the_rig() -> None:
    """The right view's flow is what the right view of the next frame shows, also when the rig turns."""
    stereo = {"distance": 0.4, "elevation_deg": 40, "stereo": {"baseline_m": 0.1}}
    one, two = moving(1, camera=stereo), moving(3, camera=stereo)
    assert (one.view, two.view, two.timing.frame) == (1, 1, 1)
    meshes, view, raw = seen(one)
    field, _ = flow(one, meshes, raw, view.depth_m, STEP_S)
    y, x = np.nonzero(raw == 1)
    item = one.objects[0]
    points = pixel_directions(one.camera)[y, x] * view.depth_m[y, x][:, None]
    own = (points - one.camera.extrinsics[:3, 3]) @ one.camera.extrinsics[:3, :3]
    own = (own - item.pose[:3, 3]) @ item.pose[:3, :3]
    world = own @ two.objects[0].pose[:3, :3].T + two.objects[0].pose[:3, 3]
    uv = image(two.camera, world @ two.camera.extrinsics[:3, :3].T + two.camera.extrinsics[:3, 3])
    assert len(y) > 50
    assert np.abs(field[y, x] + np.column_stack([x, y]) + 0.5 - uv).max() < 1e-3


def test_still_things_have_no_flow() -> None:
    """Without motion every flow is 0, and everything is seen again."""
    scene = moving(0, motion={})
    meshes, view, raw = seen(scene)
    field, both = flow(scene, meshes, raw, view.depth_m, STEP_S)
    assert np.abs(field).max() < 1e-4 and both.all()


def test_flow_survives_its_encoding() -> None:
    """KITTI's sixteen bits keep a flow to 1/128 pixel; NaN and what is too far have none; three states come back."""
    rng = np.random.default_rng(1)
    field = rng.uniform(-500, 500, (20, 30, 2)).astype(np.float32)
    field[0, 0], field[0, 1] = np.nan, 600.0
    both = rng.random((20, 30)) < 0.5
    steps = to_steps(field, both)
    back, again = from_steps(steps)
    assert np.isnan(back[0, :2]).all() and not again[0, :2].any() and (steps[0, :2] == 0).all()
    assert np.nanmax(np.abs(back - field)[:, 2:]) <= 1 / 128 + 1e-4
    np.testing.assert_array_equal(again[1:], both[1:])
    assert to_steps(np.zeros((1, 1, 2), np.float32), np.ones((1, 1), bool)).tolist() == [[[32768, 32768, 2]]]


def test_flat_frames_warp_onto_each_other() -> None:
    """A flat frame warped back by the flow of the frame before shows the same ids where the points are seen."""
    scene = moving(0, outputs=["flow"])
    meshes = meshes_of(scene)
    engine, other = FlatEngine(), scene_after(scene, STEP_S)
    frame, after = engine.render(scene, meshes), engine.render(other, meshes)
    raw = join_ids(frame.ids, frame.stuff)
    field, both = flow(scene, meshes, raw, frame.depth_m, STEP_S)
    inner = both & (cv2.erode((raw == 32001).astype(np.uint8), np.ones((5, 5))) > 0)
    back = np.dstack([warped(after.rgb[..., k].astype(np.float64), field) for k in range(3)])
    error = np.abs(back - frame.rgb)[inner]
    assert inner.sum() > 5000 and np.quantile(error, 0.95) < 8
