"""Motion blur: how far an edge smears, and that labels are those of the middle of the exposure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.hdris import mean_luminance
from scenewright.assets.material import Material
from scenewright.scenes.build import meshes_of, shape_mesh
from scenewright.scenes.lenses import BrownConrady
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Camera, RenderSettings, Scene, SceneObject, Timing, World, matrix

from .test_engines import Cycles, process

pytestmark = pytest.mark.render

#: Metres to the card's face, pixels of the focal length, seconds that the shutter is open.
DEPTH_M, FOCAL_PX, SHUTTER_S = 0.5, 200.0, 0.02
#: Image motion of 20 px while the shutter is open.
SPEED_M_S = 20 * DEPTH_M / FOCAL_PX / SHUTTER_S


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("blur"), threads=1) as shoot:
        yield shoot


def card(moving: dict[str, Any], camera: dict[str, Any], shutter_s: float = SHUTTER_S) -> Scene:
    """A bright card in front of the dark, seen along z; its left edge is in the middle of the image."""
    ref, _ = shape_mesh("box", {"x_m": 0.2, "y_m": 0.2, "z_m": 0.01})
    pose = np.eye(4)
    pose[:3, 3] = 0.1, 0.0, DEPTH_M + 0.005
    even = {"roughness": 0.5, "texture": 0.0, "wear": 0.0, "dust": 0.0, "colour": (0.6, 0.6, 0.6)}
    item = SceneObject(
        id=1, category="card", category_id=1, mesh=ref, world_T_object=matrix(pose),
        materials={"body": Material(family="plastic", values=even)}, **moving,
    )  # fmt: skip
    dark = ref.model_copy()
    behind = np.eye(4)
    behind[2, 3] = 2.0
    wall = SceneObject(
        id=2, category="wall", category_id=0, mesh=dark, scale=20.0, world_T_object=matrix(behind),
        materials={"body": Material(family="plastic", values={**even, "colour": (0.002, 0.002, 0.002)})},
    )  # fmt: skip
    view = {"fx": FOCAL_PX, "fy": FOCAL_PX, "cx": 48.0, "cy": 8.0, "cam_T_world": matrix(np.eye(4)), **camera}
    return Scene(
        recipe="blur", recipe_sha256="", seed=0, index=0, group=0, categories=("card",), surface=None,
        world=World(hdri="studio", strength=1.0 / mean_luminance("studio")), objects=(item, wall),
        camera=Camera(width=96, height=16, **view), timing=Timing(shutter_s=shutter_s),
        render=RenderSettings(preset="test", samples=256, denoise=False, view_transform="standard"),
    )  # fmt: skip


def smear(rgb: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Width and middle, pixels, of an even ramp from dark to bright: a fifth and four fifths of it lie 0.6 apart."""
    value = (((rgb[2:14] / 255 + 0.055) / 1.055) ** 2.4).mean(axis=(0, 2))  # IEC 61966-2-1
    dark, bright = value[20:34].mean(), value[62:76].mean()
    at = [float(np.interp(dark + part * (bright - dark), value[30:67], np.arange(30, 67) + 0.5)) for part in (0.2, 0.8)]
    return (at[1] - at[0]) / 0.6, (at[0] + at[1]) / 2


MOVES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"velocity_m_s": (SPEED_M_S, 0.0, 0.0)}, {}),
    ({}, {"velocity_m_s": (SPEED_M_S, 0.0, 0.0)}),
    ({}, {"velocity_m_s": (SPEED_M_S, 0.0, 0.0), "lens": BrownConrady()}),
    ({}, {"spin_rad_s": (0.0, 20 / FOCAL_PX / SHUTTER_S, 0.0)}),
]


@pytest.mark.parametrize(("moving", "camera"), MOVES, ids=["object", "camera", "camera with a lens", "turning camera"])
def test_an_edge_smears_as_far_as_it_moves(cycles: Cycles, moving: dict[str, Any], camera: dict[str, Any]) -> None:
    """v·t·f/z = 20 px, or turn·f, within a pixel, about where the edge is in the middle of the exposure."""
    width, middle = smear(cycles(card(moving, camera)).rgb)
    assert width == pytest.approx(20, abs=1)
    assert middle == pytest.approx(48, abs=1)


def test_labels_are_of_the_middle_of_the_exposure(cycles: Cycles) -> None:
    """Ids and depth of a smeared scene are those of a closed shutter, and the ray engine's; so is a sharp picture."""
    moving = {"velocity_m_s": (SPEED_M_S, 0.1, 0.2), "spin_rad_s": (3.0, 2.0, 30.0)}
    both = card(moving, {"spin_rad_s": (0.0, 5.0, 0.0)})
    blurred, sharp = cycles(both), cycles(both.replace(timing=Timing()))
    np.testing.assert_array_equal(blurred.ids, sharp.ids)
    np.testing.assert_array_equal(blurred.depth_m, sharp.depth_m)
    assert (blurred.ids == cast(both, meshes_of(both)).ids).mean() > 0.999
    assert np.abs(blurred.rgb.astype(int) - sharp.rgb).max() > 30
