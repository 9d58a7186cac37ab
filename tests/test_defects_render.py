"""Defects in real renders: the mask is what changes, both engines see it, and the twin comes from the same build."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.assets.defects.patch import layers_of
from scenewright.render.defect_facts import compare_defects, defect_labels
from scenewright.render.frame import Frame
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of
from scenewright.scenes.ids import join_ids
from scenewright.scenes.rays import cast
from scenewright.scenes.scene import Scene

from .marred import on_top, panel

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
