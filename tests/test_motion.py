"""Sequences and stereo pairs: which image shows which moment, and where things are then."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenewright.farm.generate import generate
from scenewright.scenes.cameras import camera_center, project
from scenewright.scenes.ids import SURFACE, fixture_id, join_ids, split_ids
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.motion import moved, scene_after
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample


def moving(**more: object) -> Recipe:
    """Three dice that move along x and turn, before a camera that sinks: four frames of two views."""
    return recipe_from_dict(
        {
            "name": "moving",
            "objects": {"count": 3, "assets": [{"category": "die", "shape": "die"}]},
            "camera": {"stereo": {"baseline_m": 0.1}, "distance": {"dist": "uniform", "low": 0.5, "high": 0.9}},
            "motion": {
                "frames": 4,
                "step_s": 0.1,
                "objects": {"velocity_m_s": [0.5, 0, 0], "spin_deg_s": [0, 0, 90]},
                "camera": {"velocity_m_s": [0, 0, -0.2]},
            },
            "render": {"engine": "flat", "size": [64, 48]},
            **more,
        },
        None,
    )


def test_a_group_is_one_scene() -> None:
    """Frames and views of a group show the same things in the same light; the next group shows others."""
    scenes = [sample(moving(), index) for index in range(9)]
    assert [(s.group, s.timing.frame, s.view) for s in scenes[:8]] == [(0, f, v) for f in range(4) for v in (0, 1)]
    assert len({s.objects[0].mesh.sha256 for s in scenes[:8]}) == 1
    assert scenes[8].group == 1 and scenes[8].objects[0].mesh != scenes[0].objects[0].mesh


def test_objects_are_where_their_velocity_takes_them() -> None:
    """After 0.3 s at 0.5 m/s an object is 0.15 m farther on, and at 90°/s it has turned by 27° about the vertical."""
    first, last = sample(moving(), 0).objects[1], sample(moving(), 6).objects[1]
    np.testing.assert_allclose(last.pose[:3, 3] - first.pose[:3, 3], [0.15, 0, 0], atol=1e-8)
    c, s = np.cos(np.deg2rad(27)), np.sin(np.deg2rad(27))
    np.testing.assert_allclose(last.pose[:3, :3] @ first.pose[:3, :3].T, [[c, -s, 0], [s, c, 0], [0, 0, 1]], atol=1e-8)


def test_the_camera_moves_too() -> None:
    """A camera that sinks at 0.2 m/s is 6 cm lower after three frames of 0.1 s, and looks the same way."""
    first, last = sample(moving(), 0).camera, sample(moving(), 6).camera
    np.testing.assert_allclose(camera_center(last) - camera_center(first), [0, 0, -0.06], atol=1e-8)
    np.testing.assert_allclose(last.extrinsics[:3, :3], first.extrinsics[:3, :3], atol=1e-8)


def test_a_stereo_pair_is_rectified() -> None:
    """In the right view a point lies in the same row, fx · baseline / depth to the left."""
    left, right = sample(moving(), 0).camera, sample(moving(), 1).camera
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (20, 3))
    (uv, depth), (other, same_depth) = project(left, points), project(right, points)
    np.testing.assert_allclose(depth, same_depth, atol=1e-7)
    np.testing.assert_allclose(uv[:, 1], other[:, 1], atol=1e-5)
    np.testing.assert_allclose(uv[:, 0] - other[:, 0], left.fx * 0.1 / depth, atol=1e-5)


@pytest.mark.parametrize("view", [0, 1])
def test_a_stereo_rig_turns_as_one(view: int) -> None:
    """What `scene_after` says of a turning camera is what the next frame holds, for the right view too."""
    recipe = moving(motion={"frames": 2, "step_s": 0.1, "camera": {"spin_deg_s": [10, -20, 30]}})
    one, two = sample(recipe, view), sample(recipe, 2 + view)
    later = scene_after(one, 0.1).camera
    np.testing.assert_allclose(later.extrinsics, two.camera.extrinsics, atol=1e-8)
    left = scene_after(sample(recipe, 0), 0.1).camera
    expected = 0.1 if view else 0.0
    assert np.linalg.norm(camera_center(later) - camera_center(left)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("seconds", [0.05, -0.2])
def test_there_and_back(seconds: float) -> None:
    """Motion over t and then over −t leads back: the twist is constant."""
    pose = sample(moving(), 0).objects[0].pose
    there = moved(pose, (0.1, -0.2, 0.3), (1.0, 2.0, -0.5), seconds)
    np.testing.assert_allclose(moved(there, (0.1, -0.2, 0.3), (1.0, 2.0, -0.5), -seconds), pose, atol=1e-12)


def test_neighbouring_frames_follow_from_each_other() -> None:
    """What `scene_after` says of one frame is what the next frame's scene holds."""
    one, two = sample(moving(), 2), sample(moving(), 4)
    later = scene_after(one, one.timing.step_s)
    np.testing.assert_allclose(later.objects[2].pose, two.objects[2].pose, atol=1e-8)
    np.testing.assert_allclose(later.camera.extrinsics, two.camera.extrinsics, atol=1e-8)


def test_an_object_keeps_its_track(tmp_path: Path) -> None:
    """In COCO an object has one track in all frames and views of its group, and another than those of the next."""
    recipe = moving(dataset={"val_fraction": 0})
    assert generate(recipe, 16, tmp_path / "d").complete
    coco = json.loads((tmp_path / "d" / "annotations" / "instances_train.json").read_text())
    group = {image["id"]: image["generation"]["group"] for image in coco["images"]}
    tracks: dict[int, set[int]] = {}
    for a in coco["annotations"]:
        assert a["track_id"] == group[a["image_id"]] * 32768 + a["id"] % 32768
        tracks.setdefault(group[a["image_id"]], set()).add(a["track_id"])
    assert len(tracks[0]) <= 3 and tracks[0].isdisjoint(tracks[1])


def test_raw_ids_come_back() -> None:
    """Objects and stuff share one image and part again without loss."""
    raw = np.array([[0, 1, 32000], [SURFACE, fixture_id(0), fixture_id(253)]], np.uint16)
    ids, stuff = split_ids(raw)
    assert ids.tolist() == [[0, 1, 32000], [0, 0, 0]] and stuff.tolist() == [[0, 0, 0], [1, 2, 255]]
    assert (join_ids(ids, stuff) == raw).all()
