"""Lens models against OpenCV, their inverses against themselves, and what the ray engine makes of them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.errors import RecipeError
from scenewright.scenes.cameras import check_lens, project, rays
from scenewright.scenes.lenses import BrownConrady, Fisheye
from scenewright.scenes.pixel_rays import pixel_rays
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Camera, matrix

from .closed_forms import Body, layout, odd_camera, scene_of

Vec = npt.NDArray[np.float64]
BROWN = [
    BrownConrady(k1=-0.3),
    BrownConrady(k1=-0.3, k2=0.1, p1=0.004, p2=-0.006, k3=0.02),
    BrownConrady(k1=0.3, k2=0.2),
    BrownConrady(k1=0.5, k2=-0.1, k3=0.02, k4=0.6, k5=0.01, k6=0.003),
]
FISHEYE = [Fisheye(), Fisheye(k1=-0.02, k2=0.003, k3=-0.001, k4=0.0001)]


def camera(lens: BrownConrady | Fisheye, f: float = 320.0, width: int = 320, height: int = 240) -> Camera:
    """At the world's origin, looking along z, off-centre, with pixels that are not square."""
    return Camera(
        width=width, height=height, fx=f, fy=0.95 * f, cx=0.52 * width, cy=0.47 * height, lens=lens,
        cam_T_world=matrix(np.eye(4)),
    )  # fmt: skip


def coefficients(lens: BrownConrady | Fisheye | None) -> Vec:
    """In OpenCV's order."""
    names = "k1 k2 p1 p2 k3 k4 k5 k6" if isinstance(lens, BrownConrady) else "k1 k2 k3 k4"
    return np.array([getattr(lens, name) for name in names.split()])


def opencv(view: Camera, points: Vec) -> Vec:
    """(n, 2) pixels by OpenCV, whose pixel centres are whole numbers."""
    matrix_, zero, model = view.K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]], np.zeros(3), coefficients(view.lens)
    if isinstance(view.lens, Fisheye):
        at, _ = cv2.fisheye.projectPoints(points[:, None], zero, zero, matrix_, model)
    else:
        at, _ = cv2.projectPoints(points, zero, zero, matrix_, model)
    return np.asarray(at.reshape(-1, 2) + 0.5)


@pytest.mark.parametrize("lens", [*BROWN, *FISHEYE], ids=str)
def test_projection_is_opencvs(lens: BrownConrady | Fisheye) -> None:
    """Points land where cv2.projectPoints and cv2.fisheye.projectPoints put them, to 1e-9 px."""
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-0.6, 0.6, (500, 2)), np.ones(500)]) * rng.uniform(0.3, 3, (500, 1))
    at, depth = project(camera(lens), points)
    np.testing.assert_allclose(at, opencv(camera(lens), points), atol=1e-9)
    np.testing.assert_array_equal(depth, points[:, 2])


@pytest.mark.parametrize("lens", [*BROWN, *FISHEYE], ids=str)
def test_rays_are_the_inverse(lens: BrownConrady | Fisheye) -> None:
    """The direction through any point of the image projects back onto it to 1e-9 px."""
    view = camera(lens, 640, 640, 480)
    at = np.stack(np.meshgrid(np.linspace(0, 640, 41), np.linspace(0, 480, 41)), axis=-1).reshape(-1, 2)
    directions = rays(view, at)
    np.testing.assert_allclose(project(view, 0.7 * directions)[0], at, atol=1e-9)
    np.testing.assert_allclose(directions[:, 2] if lens in BROWN else np.linalg.norm(directions, axis=1), 1, atol=1e-12)


def test_beyond_the_fold_nothing_has_an_image() -> None:
    """k1 = −0.3 folds at r = 1/√0.9, which images at 2/3 of it: farther directions and image points give NaN."""
    lens, limit = BrownConrady(k1=-0.3), 1 / np.sqrt(0.9)
    assert lens.limit == pytest.approx(limit) and lens.reach == pytest.approx(limit * 2 / 3)
    out = lens.distort(np.array([[0.999 * limit, 0, 1], [1.001 * limit, 0, 1], [0, -2.0, 1], [0.1, 0, -1]]))
    assert np.isnan(out).tolist() == [[False, False], [True, True], [True, True], [True, True]]
    back = lens.undistort(np.array([[0.7, 0.0], [0.703, 0.0]]))
    assert np.isfinite(back[0]).all() and np.isnan(back[1]).all()


def test_a_pole_of_the_rational_model_is_a_limit() -> None:
    """With a denominator 1 − r²/4, directions beyond r = 2 have no image."""
    lens = BrownConrady(k4=-0.25)
    assert lens.limit == pytest.approx(2)
    assert np.isnan(lens.distort(np.array([[2.01, 0.0, 1.0]]))).all()


def test_a_fisheye_sees_behind_the_camera() -> None:
    """The equidistant lens images 120° at r = 120° in radians, on both sides; straight behind there is no side."""
    lens, angle = Fisheye(), np.deg2rad(120)
    directions = np.array([[np.sin(angle), 0, np.cos(angle)], [0, -np.sin(angle), np.cos(angle)], [0, 0, -1.0]])
    np.testing.assert_allclose(lens.distort(directions)[:2], [[angle, 0], [0, -angle]], atol=1e-12)
    assert np.isnan(lens.distort(directions)[2]).all()
    np.testing.assert_allclose(lens.undistort(np.array([[angle, 0], [0, -angle]])), directions[:2], atol=1e-12)


@pytest.mark.parametrize(
    ("lens", "blame"),
    [(BrownConrady(k1=-0.5), "bring k1 near"), (Fisheye(k1=-0.3, k2=-0.1), "bring k1 and k2 near")],
)
def test_an_image_that_folds_is_refused(lens: BrownConrady | Fisheye, blame: str) -> None:
    """Where the radial function stops rising inside the image there is an error that says what to change."""
    view = camera(lens, 200)
    with pytest.raises(RecipeError, match=blame):
        check_lens(view)
    with pytest.raises(RecipeError, match="longer focal length"):
        pixel_rays(view)
    assert check_lens(camera(lens, 800))


def through(view: Camera, lens: BrownConrady | Fisheye | None, **changes: float) -> Camera:
    return view.model_copy(update={"lens": lens, **changes})


@pytest.mark.parametrize("lens", [*BROWN, *FISHEYE], ids=str)
def test_ids_and_depth_are_those_of_the_pinhole_along_the_same_rays(lens: BrownConrady | Fisheye) -> None:
    """A pinhole image of 16 times the pixels, looked up where the distorted rays cross it, has the same ids and depth.

    So all that was culled could not be seen.
    """
    bodies, view = layout(3), odd_camera()
    scene, meshes = scene_of(bodies, view)
    seen = cast(scene.replace(camera=through(view, lens)), meshes)
    fine = Camera(
        width=4800, height=3600, fx=3200, fy=3200, cx=2400, cy=1800, cam_T_world=view.cam_T_world, lens=None
    )  # fmt: skip
    wide = cast(scene.replace(camera=fine), meshes)
    u, v = np.meshgrid(np.arange(view.width) + 0.5, np.arange(view.height) + 0.5)
    directions = rays(through(view, lens), np.stack([u.ravel(), v.ravel()], axis=1))
    x, y = (3200 * directions[:, :2] / directions[:, 2:] + [2400, 1800]).astype(int).T
    ids, depth = (a[y, x].reshape(view.height, view.width) for a in (wide.ids, wide.depth_m))
    assert len(np.unique(seen.ids)) == 7
    assert (seen.ids == ids).mean() > 0.995  # an edge lies within a pixel of the fine image for so many
    inner = (seen.ids == ids) & (ids > 0)
    assert np.quantile(np.abs(seen.depth_m[inner] / depth[inner] - 1), 0.98) < 2e-3


@pytest.mark.parametrize("lens", [*BROWN, *FISHEYE], ids=str)
def test_culling_drops_nothing_that_is_seen(lens: BrownConrady | Fisheye, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, depth and amodal masks, beyond the border too, are the same without any culling."""
    bodies, view = layout(1), odd_camera(160, 120)
    scene, meshes = scene_of(bodies, through(view, lens, fx=270.0, fy=270.0, cx=40.0, cy=20.0))
    fast = cast(scene, meshes)
    kind = type(pixel_rays(scene.camera))
    monkeypatch.setattr(kind, "in_reach", lambda self, points, faces: np.ones(len(faces), bool))
    monkeypatch.setattr(kind, "box", lambda self, points: (-160, -120, 320, 240))
    slow = cast(scene, meshes)
    np.testing.assert_array_equal(fast.ids, slow.ids)
    np.testing.assert_array_equal(fast.depth_m, slow.depth_m)
    assert {i: m.total for i, m in fast.amodal.items()} == {i: m.total for i, m in slow.amodal.items()}
    assert any(m.total > m.mask.sum() for m in fast.amodal.values())


def test_depth_of_a_fisheye_is_along_the_axis() -> None:
    """Through a lens of 180° and more a wall of 40 m at z = 2 m has depth 2 everywhere, and nothing is beyond 90°."""
    pose = np.eye(4)
    pose[2, 3] = 2.25
    wall = Body("box", (0.8, 0.8, 0.01), pose, scale=50.0)
    view = Camera(width=320, height=240, fx=90, fy=90, cx=160, cy=120, lens=Fisheye(), cam_T_world=matrix(np.eye(4)))
    seen = cast(*scene_of([wall], view))
    u, v = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    angle = np.hypot(u - 160, v - 120) / 90
    np.testing.assert_array_equal(seen.ids[angle < np.arctan(9)], 1)
    np.testing.assert_array_equal(seen.ids[angle > np.pi / 2], 0)
    np.testing.assert_allclose(seen.depth_m[seen.ids == 1], 2, rtol=1e-4)
