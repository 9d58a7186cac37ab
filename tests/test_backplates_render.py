"""Photographs behind Cycles' pictures: untouched where nothing is, darker under an object, through any camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.backplates import crop_of, srgb_to_linear
from scenewright.assets.files import remember
from scenewright.assets.material import FileRef, Material
from scenewright.assets.materials import material
from scenewright.render.frame import Frame
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of, shape_mesh
from scenewright.scenes.cameras import orbit_camera
from scenewright.scenes.ids import join_ids
from scenewright.scenes.lenses import BrownConrady
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Backplate, RenderSettings, Scene, SceneObject, Surface, World, matrix
from scenewright.scenes.sensor import Exposure, Sensor

from .test_engines import Cycles, process

pytestmark = pytest.mark.render

SIZE = (96, 72)


@dataclass(frozen=True)
class Photographed:
    cycles: Cycles
    image: FileRef
    pixels: npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Photographed]:
    """A photograph of chance colours from black to white, and a process that has it."""
    folder = tmp_path_factory.mktemp("backplates")
    pixels = np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    pixels[20:60, 20:76] = 180  # an even table where the object stands
    cv2.imwrite(str(folder / "p.png"), pixels[..., ::-1])
    with process(folder, threads=1, files=[folder / "p.png"]) as shoot:
        yield Photographed(shoot, remember(folder / "p.png"), pixels)


def scene_before(image: FileRef, edge_m: float = 0.03, **changes: Any) -> Scene:
    """A dark cube on a table of 30 cm, whose ends lie inside the picture, under an even sky."""
    ref, _ = shape_mesh("box", {"x_m": edge_m, "y_m": edge_m, "z_m": edge_m, "edge_m": 0})
    pose = np.eye(4)
    pose[2, 3] = edge_m / 2
    look = material("plastic", {"colour": (0.05, 0.05, 0.05), "dust": 0.0}, 0)
    item = SceneObject(
        id=1, category="a", category_id=1, mesh=ref, materials={"body": look}, world_T_object=matrix(pose)
    )
    settings = RenderSettings(preset="test", samples=64, denoise=True, view_transform="standard")
    plain = Scene(
        recipe="t", recipe_sha256="", seed=0, index=0, group=0, categories=("a",), objects=(item,),
        surface=Surface(size=(0.3, 0.3), material=Material(family="backplate")),
        backplate=Backplate(image=image, crop_px=crop_of(image, SIZE)),
        world=World(color=(0.8, 0.8, 0.8)), render=settings,
        camera=orbit_camera(SIZE, 40.0, 36.0, (0, 0, 0.01), (0.4, -1.57, 0.9)),
    )  # fmt: skip
    return plain.replace(**changes)


def far(scene: Scene, frame: Frame, pixels: int = 24) -> npt.NDArray[np.bool_]:
    """Pixels that far from the object, or beside the table."""
    near = cv2.dilate((frame.ids > 0).astype(np.uint8), np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)) > 0
    return np.asarray(~near | ((frame.stuff == 0) & (frame.ids == 0)))


LENS = BrownConrady(k1=-0.2, k2=0.0, p1=0.0, p2=0.0, k3=0.0, k4=0.0, k5=0.0, k6=0.0)


#: What differs in render settings, camera and sensor.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Sensor]] = {
    "plain": ({}, {}, ()),
    "exposed": ({"exposure_ev": 1.5}, {}, ()),
    "not denoised": ({"denoise": False}, {}, ()),
    "through a lens": ({}, {"lens": LENS}, ()),
    "blurred": ({}, {"fstop": 1.4}, ()),
    "a sensor that works on light": ({"exposure_ev": -1.0}, {}, (Exposure(effect="exposure", ev=0.0),)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_photograph_comes_out_as_it_went_in(shop: Photographed, case: str) -> None:
    """Far from a small object every pixel is the photograph's within 1/255, whatever exposure or lens there is."""
    scene = scene_before(shop.image, edge_m=0.015)
    render, camera, sensor = CASES[case]
    scene = scene.replace(
        # One sample of 64 that meets the object would be worth two levels.
        render=scene.render.model_copy(update={"samples": 256, **render}),
        camera=scene.camera.model_copy(update=camera), sensor=sensor,
    )  # fmt: skip
    frame = shop.cycles(scene)
    away = far(scene, frame)
    assert away.sum() > 1500 and (frame.stuff[away] == 1).any() and (frame.ids == 1).sum() > 15
    off = np.abs(frame.rgb.astype(int) - shop.pixels)[away].max(axis=1)
    assert off.max() <= 1, np.bincount(off)


def test_the_object_stands_in_its_shadow(shop: Photographed) -> None:
    """The table beside the foot of a cube is darker, most of all next to it, and brighter nowhere."""
    scene = scene_before(shop.image)
    frame = shop.cycles(scene)
    body = (frame.ids == 1).astype(np.uint8)
    ring = (cv2.dilate(body, np.ones((5, 5), np.uint8)) > 0) & (body == 0) & (frame.stuff == 1)
    ring[: np.nonzero(body)[0].mean().astype(int)] = False  # the front, where the foot is seen
    foot = srgb_to_linear(frame.rgb[ring] / 255).mean() / srgb_to_linear(shop.pixels[ring] / 255).mean()
    # An even sky over a vertical wall: the wall hides half of it at the foot, and a third or more at half its height.
    assert 0.45 < foot < 0.8
    table = (frame.stuff == 1) & (shop.pixels == 180).all(axis=2)
    assert frame.rgb[table].max() <= 182


def test_both_engines_agree_before_a_photograph(shop: Photographed) -> None:
    """The table is surface in the ids of both, although nobody sees it."""
    scene = scene_before(shop.image)
    frame, rays = shop.cycles(scene), cast(scene, meshes_of(scene))
    assert compare(join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff)).passed
    assert (frame.stuff == 1).sum() > 2000 and np.isfinite(frame.depth_m[frame.stuff == 1]).all()


def test_objects_reflect_the_photographed_table(shop: Photographed) -> None:
    """Light from the table reaches the object: a white table brightens a white cube's side, a black one does not."""
    bright, dark = (
        scene_before(
            shop.image, backplate=Backplate(image=shop.image, crop_px=crop_of(shop.image, SIZE), reflectance=r)
        )
        for r in (2.0, 0.0)
    )
    seen = [shop.cycles(scene) for scene in (bright, dark)]
    side = (seen[0].ids == 1) & (np.arange(SIZE[1])[:, None] > np.nonzero(seen[0].ids == 1)[0].mean())
    light = [srgb_to_linear(frame.rgb[side] / 255).mean() for frame in seen]
    assert light[0] > 1.3 * light[1]
