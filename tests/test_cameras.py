"""Cameras against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.scenes.build import meshes_of, shape_mesh
from scenewright.scenes.cameras import camera_center, orbit_camera, project
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import RenderSettings, Scene, SceneObject, World, matrix


def sphere_at(number: int, place: tuple[float, float]) -> SceneObject:
    ref, _ = shape_mesh("sphere", {"radius_m": 0.05, "subdivisions": 2})
    pose = np.eye(4)
    pose[:2, 3] = place
    return SceneObject(
        id=number, category="ball", category_id=1, mesh=ref, materials={}, world_T_object=matrix(pose)
    )  # fmt: skip


def looking_down(*objects: SceneObject) -> Scene:
    """A scene of these objects, seen from 1 m above; the image shows 0.72 m × 0.72 m."""
    return Scene(
        recipe="t", recipe_sha256="", seed=0, index=0, group=0, categories=("ball",), surface=None,
        world=World(hdri="studio"), objects=objects,
        camera=orbit_camera((64, 64), 50, 36, (0, 0, 0), (1.0, 0.0, np.pi / 2)),
        render=RenderSettings(engine="flat"),
    )  # fmt: skip


def test_the_target_is_in_the_middle_and_up_is_up() -> None:
    """The target projects onto the principal point; a point above it lies above in the image, right is right."""
    camera = orbit_camera((640, 480), 50, 36, (0.1, 0.2, 0.0), (0.8, -np.pi / 2, 0.6))
    uv, depth = project(camera, [[0.1, 0.2, 0.0], [0.1, 0.2, 0.05], [0.15, 0.2, 0.0]])
    assert np.allclose(uv[0], [320, 240]) and depth[0] == pytest.approx(0.8)
    assert uv[1, 1] < 240 and uv[1, 0] == pytest.approx(320)
    assert uv[2, 0] > 320 and uv[2, 1] == pytest.approx(240)


def test_focal_length_over_sensor_gives_the_field_of_view() -> None:
    """A point at half the field of view lies on the image's border."""
    camera = orbit_camera((800, 600), 35, 36, (0, 0, 0), (1.0, 0.3, np.pi / 2))
    half = np.arctan(36 / 2 / 35)
    e = np.linalg.inv(camera.extrinsics)
    point = e[:3, :3] @ np.array([np.tan(half), 0, 1]) + e[:3, 3]
    assert project(camera, point)[0][0, 0] == pytest.approx(800)


def test_roll_turns_the_image_clockwise() -> None:
    """With 90° of roll, what was above lies to the right."""
    camera = orbit_camera((640, 480), 50, 36, (0, 0, 0), (1.0, -np.pi / 2, 0.5), roll=np.pi / 2)
    uv, _ = project(camera, [[0, 0, 0.1]])
    assert uv[0, 0] > 320 and uv[0, 1] == pytest.approx(240)


def test_the_centre_lies_on_the_orbit() -> None:
    """Distance, azimuth and elevation are those asked for."""
    camera = orbit_camera((64, 64), 50, 36, (1, 2, 3), (2.0, 0.7, 0.4))
    away = camera_center(camera) - [1, 2, 3]
    assert np.linalg.norm(away) == pytest.approx(2)
    assert np.arctan2(away[1], away[0]) == pytest.approx(0.7) and np.arcsin(away[2] / 2) == pytest.approx(0.4)


def test_what_is_behind_has_no_pixel() -> None:
    """Points behind the camera or on its plane project to NaN, not to mirrored pixels, with their true depth."""
    camera = orbit_camera((64, 64), 50, 36, (0, 0, 0), (1.0, 0.0, 0.3))
    uv, depth = project(camera, 2 * camera_center(camera))
    assert np.isnan(uv).all() and depth[0] < 0
    level = camera.model_copy(update={"cam_T_world": matrix(np.eye(4))})
    uv, depth = project(level, [[0.0, 0.0, 1.0], [0.1, 0.0, 0.0], [0.1, 0.0, -1.0]])
    assert np.isnan(uv).tolist() == [[False, False], [True, True], [True, True]]
    assert uv[0].tolist() == [32, 32] and depth.tolist() == [1, 0, -1]


@pytest.mark.parametrize("place", [(9, 0), (-9, 0), (0, 9), (0, -9), (9, 9), (-9, -9), (2, -9)])
def test_an_object_far_outside_the_image_is_not_there(place: tuple[float, float]) -> None:
    """More than an image size beyond any border there is no mask and no total, and the rest is cast as without it."""
    near, far = sphere_at(1, (0.0, 0.0)), sphere_at(2, place)
    alone, both = (cast(scene, meshes_of(scene)) for scene in (looking_down(near), looking_down(near, far)))
    assert both.amodal[2].mask.size == both.amodal[2].total == 0
    assert (both.ids == alone.ids).all() and both.ids.any()
