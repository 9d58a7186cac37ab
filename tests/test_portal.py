"""Pictures and labels through a distorting lens: Cycles against the lens model, and against itself without a lens."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.hdris import mean_luminance
from scenewright.assets.material import Material
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of, shape_mesh
from scenewright.scenes.cameras import look_at, project
from scenewright.scenes.cameras import rays as directions
from scenewright.scenes.ids import join_ids
from scenewright.scenes.lenses import BrownConrady, Fisheye, Lens
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Camera, RenderSettings, Scene, SceneObject, World, matrix

from .test_engines import AGREE, Cycles, hardware, interior, process

pytestmark = pytest.mark.render

Vec = npt.NDArray[np.float64]
#: A board of 9 × 6 tiles, metres.
COLUMNS, ROWS, TILE_M = 9, 6, 0.0145
DARK, BRIGHT = (0.02, 0.02, 0.02), (0.7, 0.7, 0.7)


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("portal"), threads=1) as shoot:
        yield shoot


def camera(lens: Lens | None, f: float, eye: tuple[float, float, float], **more: float | None) -> Camera:
    """320 × 240 off-centre pixels that are not square, looking at the world's origin."""
    pose = look_at(np.array(eye), np.zeros(3), np.array([0.0, 0.0, 1.0]), roll=0.1)
    return Camera(
        width=320, height=240, fx=f, fy=0.98 * f, cx=155, cy=124, lens=lens, cam_T_world=matrix(pose), **more
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lens", "f"),
    [
        (BrownConrady(k1=-0.3), 320),
        (BrownConrady(k1=0.2, k2=0.05, p1=0.01, p2=-0.02), 320),
        (BrownConrady(k1=0.5, k2=-0.1, k3=0.02, k4=0.6, k5=0.01, k6=0.003), 300),
        (Fisheye(k1=-0.02, k2=0.003, k3=-0.001, k4=0.0001), 150),
        (Fisheye(), 320 / np.pi),
    ],
    ids=["barrel", "tangential", "rational", "fisheye", "fisheye of 180°"],
)
def test_both_engines_agree_through_a_lens(cycles: Cycles, lens: Lens, f: float) -> None:
    """Objects and stuff are the same in 99.99 % of the pixels, depth along the axis within 1e-4 of the distance."""
    view = camera(lens, f, (0.1, -0.12, 0.14))
    scene = hardware(2).replace(camera=view)
    frame, rays = cycles(scene), cast(scene, meshes_of(scene))
    verdict = compare(join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff))
    assert verdict.passed and verdict.agreement >= AGREE
    assert len(np.unique(frame.ids)) > 4
    assert (rays.depth_m < 0).any() == (lens == Fisheye())
    same = interior(join_ids(frame.ids, frame.stuff)) & (rays.stuff + rays.ids > 0)
    u, v = np.meshgrid(np.arange(view.width) + 0.5, np.arange(view.height) + 0.5)
    towards = directions(view, np.stack([u.ravel(), v.ravel()], axis=1)).reshape(*u.shape, 3)
    distance = rays.depth_m / towards[..., 2] * np.linalg.norm(towards, axis=2)
    error = np.abs(frame.depth_m[same] - rays.depth_m[same]) / distance[same]
    assert np.quantile(error, 0.99) < 1e-4


def board(view: Camera, render: RenderSettings) -> Scene:
    """Dark and bright tiles whose tops are the plane z = 0, with a bright border."""
    objects: list[SceneObject] = []

    def tile(place: tuple[float, float], size: tuple[float, float], colour: tuple[float, float, float]) -> None:
        ref, _ = shape_mesh("box", {"x_m": size[0], "y_m": size[1], "z_m": 0.001})
        pose = np.eye(4)
        pose[:3, 3] = *place, -0.0005
        even = {"roughness": 0.5, "texture": 0.0, "wear": 0.0, "dust": 0.0, "colour": colour}
        objects.append(
            SceneObject(
                id=len(objects) + 1, category="tile", category_id=1, mesh=ref, world_T_object=matrix(pose),
                materials={"body": Material(family="plastic", values=even)},
            )
        )  # fmt: skip

    for i in range(COLUMNS):
        for j in range(ROWS):
            place = ((i - (COLUMNS - 1) / 2) * TILE_M, (j - (ROWS - 1) / 2) * TILE_M)
            tile(place, (TILE_M, TILE_M), BRIGHT if (i + j) % 2 else DARK)
    w, h = COLUMNS * TILE_M, ROWS * TILE_M
    for side in (-1, 1):
        tile((side * (w + TILE_M) / 2, 0), (TILE_M, h), BRIGHT)
        tile((0, side * (h + TILE_M) / 2), (w + 2 * TILE_M, TILE_M), BRIGHT)
    return Scene(
        recipe="board", recipe_sha256="", seed=0, index=0, group=0, categories=("tile",), surface=None,
        world=World(hdri="studio", strength=0.8 / mean_luminance("studio")), objects=tuple(objects), camera=view,
        render=render,
    )  # fmt: skip


def corners() -> Vec:
    """(n, 3) where four tiles meet."""
    x = (np.arange(COLUMNS - 1) - (COLUMNS - 2) / 2) * TILE_M
    y = (np.arange(ROWS - 1) - (ROWS - 2) / 2) * TILE_M
    return np.array([(a, b, 0.0) for b in y for a in x])


@pytest.mark.parametrize(
    ("lens", "f", "eye"),
    [
        (BrownConrady(k1=-0.3), 320, (0.03, -0.06, 0.17)),
        (BrownConrady(k1=0.2, k2=0.05, p1=0.01, p2=-0.02), 330, (0.03, -0.06, 0.2)),
        (Fisheye(), 1.3 * 320 / np.pi, (0.01, -0.03, 0.07)),
    ],
    ids=["barrel", "tangential", "fisheye"],
)
def test_corners_of_a_chessboard_are_where_the_lens_puts_them(
    cycles: Cycles, lens: Lens, f: float, eye: tuple[float, float, float]
) -> None:
    """What OpenCV finds in the picture lies within 0.3 px of the projected corners, and on average within 0.03 px."""
    view = camera(lens, f, eye)
    rgb = cycles(board(view, RenderSettings(preset="test", samples=16, view_transform="standard"))).rgb
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    found, at = cv2.findChessboardCorners(grey, (COLUMNS - 1, ROWS - 1))
    assert found
    at = cv2.cornerSubPix(grey, at, (4, 4), (-1, -1), (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-4))
    at = at[:, 0] + 0.5  # OpenCV counts from the centre of the first pixel
    expected = project(view, corners())[0]
    pinhole = project(view.model_copy(update={"lens": None}), corners())[0]
    assert np.abs(expected - pinhole).max() > 2  # the lens matters here
    error = at[np.linalg.norm(at[None] - expected[:, None], axis=2).argmin(axis=1)] - expected
    assert np.linalg.norm(error, axis=1).max() < 0.3
    assert np.abs(error.mean(axis=0)).max() < 0.03


def test_depth_of_field_is_that_of_a_camera_without_portal(cycles: Cycles) -> None:
    """A lens without distortion blurs as Cycles' own thin lens does, and closed down it is as sharp."""
    settings = RenderSettings(preset="test", samples=64, denoise=False, view_transform="standard")

    def picture(lens: Lens | None, fstop: float | None) -> Vec:
        view = camera(lens, 350, (0.05, -0.15, 0.2), fstop=fstop, focal_m=0.02, focus_m=0.35)
        part = view.model_copy(update={"width": 104, "height": 78, "cx": 50.0, "cy": 41.0})
        rgb = cycles(board(part, settings)).rgb.astype(np.float64)
        return np.asarray(cv2.blur(rgb, (5, 5)))  # evens the noise out

    def apart(a: Vec, b: Vec) -> float:
        return float(np.sqrt(((a - b) ** 2).mean()))

    native, sharp = picture(None, 1.0), picture(None, None)
    blurred = apart(native, sharp)
    assert blurred > 10
    assert apart(native, picture(BrownConrady(), 1.0)) < 0.15 * blurred
    assert apart(sharp, picture(BrownConrady(), None)) < 0.15 * blurred
