"""Defects in real renders: the mask is what changes, both engines see it, and the twin comes from the same build."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import scenewright as sw
from scenewright.assets.backplates import crop_of
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.defects.patch import layers_of
from scenewright.assets.files import remember
from scenewright.render.defect_facts import compare_defects, defect_labels
from scenewright.render.frame import Frame
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of
from scenewright.scenes.ids import join_ids, split_ids
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Backplate, Scene

from .marred import on_top, panel
from .small_recipe import make

pytest.importorskip("bpy", reason="needs Blender as a Python module")
pytestmark = pytest.mark.render


def shots(scene: Scene, samples: int = 64) -> tuple[Frame, Frame]:
    """The pair of a scene, not denoised."""
    from scenewright.render.engine import Engine

    settings = {"samples": samples, "min_samples": 0, "noise_threshold": 0.0, "denoise": False}
    plain = scene.model_copy(update={"render": scene.render.model_copy(update=settings)})
    frame, twin = Engine("cpu", 1).pair(plain, meshes_of(plain))
    assert twin is not None
    return frame, twin


def wider(mask: npt.NDArray[np.bool_], pixels: int = 1) -> npt.NDArray[np.bool_]:
    k = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((k, k), np.uint8)) > 0)


def test_the_mask_is_what_changes() -> None:
    """A stain's mask covers, within a pixel, exactly the pixels in which the twins differ."""
    frame, twin = shots(on_top(panel("cycles", family="painted_metal"), "stain"))
    assert frame.defects is not None
    mask = frame.defects > 0
    changed = np.abs(frame.rgb.astype(int) - twin.rgb).max(axis=2) >= 3
    assert mask.sum() > 60
    assert wider(changed)[mask].mean() >= 0.97
    assert wider(mask)[changed].mean() >= 0.9


def test_both_engines_see_the_same_defects() -> None:
    """Two overlapping stains have the same bits in Cycles' label pass and by Embree, and the ids agree too."""
    scene = on_top(on_top(panel("cycles", (160, 120)), "stain"), "stain", seed=6, at=(9, 4))
    frame, _ = shots(scene, 1)
    meshes = meshes_of(scene)
    rays = cast(scene, meshes, triangles=True)
    ids = compare(join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff))
    found = compare_defects(ids, scene, meshes, frame, rays)
    assert frame.defects is not None and set(np.unique(frame.defects)) == {0, 1, 2, 3}
    assert found.passed and found.disagreeing <= 4


def test_areas_are_those_of_the_drawing() -> None:
    """The area in mm² that pixels add up to, seen at 65°, is that of the drawing on its patch."""
    scene = on_top(panel("cycles", (320, 240)), "stain")
    frame, _ = shots(scene, 1)
    meshes = meshes_of(scene)
    (label,) = defect_labels(scene, meshes, frame, cast(scene, meshes, triangles=True))
    (defect,) = scene.objects[0].defects
    layers = layers_of(defect)
    assert layers is not None
    h, w = layers.mask.shape
    drawn = np.count_nonzero(layers.mask >= 128) * defect.size_mm[0] * defect.size_mm[1] / (w * h)
    assert label.area_mm2 == pytest.approx(drawn, rel=0.02)
    assert label.annotated and label.visible_fraction > 0.8
    assert label.length_mm <= np.hypot(*defect.size_mm)


def test_twins_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair costs one build of the Blender scene, and a scene without defects has no twin."""
    from scenewright.render import blender
    from scenewright.render.engine import Engine

    built, build = [], blender.build
    monkeypatch.setattr(blender, "build", lambda *args: built.append(1) or build(*args))  # type: ignore[func-returns-value]  # counts
    scene = on_top(panel("cycles", (64, 48)), "stain")
    engine = Engine("cpu", 1)
    _, twin = engine.pair(scene, meshes_of(scene))
    sound, none = engine.pair(scene.twin, meshes_of(scene.twin))
    assert len(built) == 2 and none is None and sound.defects is None
    assert twin is not None and np.array_equal(twin.rgb, sound.rgb)


def test_what_nobody_can_see_is_left_out() -> None:
    """A stain of a thousandth of its strength has a mask and no visible change: it is recorded, and not exported."""
    scene = on_top(panel("cycles", (160, 120)), "stain")
    item = scene.objects[0]
    faint = item.defects[0].model_copy(update={"values": item.defects[0].values | {"density": 0.001}})
    scene = scene.model_copy(update={"objects": (item.model_copy(update={"defects": (faint,)}),)})
    frame, _ = shots(scene, 1)
    meshes = meshes_of(scene)
    (label,) = defect_labels(scene, meshes, frame, cast(scene, meshes, triangles=True))
    assert frame.change is not None and not np.nanmax(frame.change[frame.defects == 0], initial=0) > 2
    if label.area:
        assert label.visible_fraction < 0.05
    assert not label.annotated and label.left_out


PARTS: dict[str, dict[str, Any]] = {
    "missing_tooth": {"shape": "gear", "params": {"module_m": 0.002, "teeth": 22}},
    "missing_pip": {"shape": "die", "scale": 2.5},
    "missing_screw": {"shape": "flange", "pose": "upright"},
    "misprint": {"shape": "carton", "params": {"x_m": 0.06, "y_m": 0.05, "z_m": 0.03}},
    "bubble": {"shape": "cylinder", "materials": "glass"},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_engines_agree_on_every_kind(kind: str, tmp_path: Path) -> None:
    """Cycles' label pass and the ray engine give the same ids and the same bits for a defect of every kind."""
    from scenewright.render import blender, label_scene, passes

    drum = {"shape": "cylinder", "params": {"radius_m": 0.02, "height_m": 0.04}, "materials": "painted_metal"}
    if KINDS[kind].families and "painted_metal" not in (KINDS[kind].families or ()) and kind not in PARTS:
        drum["materials"] = "brushed_steel"
    recipe = make(
        objects={"count": 1, "assets": [{"category": "part", **PARTS.get(kind, drum)}]},
        placement={"area": [0.001, 0.001]}, render={"engine": "cycles", "size": [240, 180], "preset": "draft"},
        camera={"distance": 0.2, "focal_mm": 70, "target": [0, 0, 0.01], "elevation_deg": 55},
        defects={"rate": 1, "count": 1, "kinds": [{"kind": kind, "severity": 0.7}]},
    )  # fmt: skip
    seen = 0
    for scene in (sw.sample(recipe, i) for i in range(3)):
        meshes = meshes_of(scene)
        target = blender.build(scene, meshes)
        raw, depth, _, bits = passes.labels(label_scene.build(target, scene, meshes), tmp_path)
        if bits is None:
            continue
        ids, stuff = split_ids(raw)
        rays = cast(scene, meshes, triangles=True)
        frame = Frame(
            rgb=np.zeros((*ids.shape, 3), np.uint8), ids=ids, stuff=stuff, depth_m=depth, defects=bits,
        )  # fmt: skip
        found = compare_defects(compare(raw, join_ids(rays.ids, rays.stuff)), scene, meshes, frame, rays)
        assert found.passed, found
        seen += int(np.count_nonzero(bits))
    assert seen > 20


def test_no_defect_comes_from_an_earlier_scene() -> None:
    """An engine that has rendered another defect under the same number gives the frame that a fresh one gives."""
    from scenewright.render.engine import Engine

    first, then = (on_top(panel("cycles", (64, 48)), kind) for kind in ("stain", "burn"))
    used = Engine("cpu", 1)
    used.render(first, meshes_of(first))
    after, fresh = used.render(then, meshes_of(then)), Engine("cpu", 1).render(then, meshes_of(then))
    assert np.array_equal(after.rgb, fresh.rgb)
    assert after.defects is not None and fresh.defects is not None and np.array_equal(after.defects, fresh.defects)


def test_change_before_a_photograph_is_that_of_the_picture(tmp_path: Path) -> None:
    """Where a form no longer covers its photograph, what is compared is the photograph, and not the dark."""
    cv2.imwrite(str(tmp_path / "p.png"), np.full((72, 96, 3), (150, 170, 190), np.uint8))
    image = remember(tmp_path / "p.png")
    scene = on_top(panel("cycles", family="paper", elevation_deg=25), "warped", 1.0).model_copy(
        update={"backplate": Backplate(image=image, crop_px=crop_of(image, (96, 72)))}
    )
    frame, twin = shots(scene, 64)
    assert frame.change is not None
    labs = [cv2.cvtColor(f.rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for f in (frame, twin)]
    due = np.linalg.norm(cv2.blur(labs[0] - labs[1], (7, 7)), axis=2)  # a large area is looked at in wider pixels
    edge = ((frame.ids > 0) != (twin.ids > 0)) & ~np.isnan(frame.change)
    assert np.count_nonzero(edge) > 10
    assert np.abs(frame.change - due)[edge].mean() < 4


def test_a_box_in_wider_pixels_shows_what_the_picture_shows_there() -> None:
    """A large area is looked at in wider pixels, and each of them lies where it says: nearest to its block's mean."""
    from scenewright.render import blender, probe
    from scenewright.render.engine import Engine
    from scenewright.render.probe_boxes import Box

    scene, around = panel("cycles", (97, 71), family="checker"), (11, 7, 80, 61)
    engine = Engine("cpu", 1)
    target = blender.build(scene, meshes_of(scene))
    engine.configure(target)
    with tempfile.TemporaryDirectory() as folder:
        fine, wide = probe.look(target, [Box(*around), Box(*around, step=3)], Path(folder), samples=48, both=False)
    assert (target.render.resolution_x, target.render.resolution_y) == (97, 71)
    assert wide.light[0].size < fine.light[0].size / 7
    shown = wide.light[0][np.ix_(wide.rows, wide.columns)][..., 1]
    mean = cv2.blur(fine.light[0], (3, 3))[..., 1]
    apart = {(y, x): float(np.abs(np.roll(shown, (y, x), (0, 1)) - mean)[6:-6, 6:-6].mean())
             for y in (-3, 0, 3) for x in (-3, 0, 3)}  # fmt: skip
    assert min(apart, key=lambda at: apart[at]) == (0, 0), apart
