"""The grain of a material goes with a surface that a defect bends or presses in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.kinds import KINDS
from scenewright.scenes.build import meshes_of, scene_mesh
from scenewright.scenes.scene import Scene, SceneObject, matrix

from .marred import on_top, panel


def changed(scene: Scene, **fields: object) -> Scene:
    """The scene with other fields of its only object."""
    return scene.model_copy(update={"objects": (scene.objects[0].model_copy(update=fields),)})


@pytest.mark.parametrize("kind", ["bent", "warped", "dent"])
def test_where_the_grain_was_is_on_the_sound_surface(kind: str) -> None:
    """Vertices less what they were moved by lie on the box that the part was."""
    (item,) = on_top(panel(), kind).objects
    sound = scene_mesh(item.mesh)
    marred = damaged(sound, item.defects)
    assert marred.moved is not None
    was, half = marred.vertices - marred.moved, sound.extents / 2
    assert np.abs(np.abs(marred.moved).max() - 1e-3 * depth(item)) < 2e-4 or kind == "bent"
    assert (np.abs(was) <= half + 1e-9).all()
    assert (np.abs(np.abs(was) - half).min(axis=1) < 0.0011).all()  # its edges are rounded by a millimetre at most


def depth(item: SceneObject) -> float:
    """How far the last defect of an object moves a point, mm."""
    values = item.defects[-1].values
    return values["depth_mm"] if "depth_mm" in values else values.get("lift_mm", 0.0)


def test_a_chip_in_a_warped_part_has_the_grain_of_its_surroundings() -> None:
    """What a later defect adds to a mesh was moved as what lies around it."""
    scene = on_top(on_top(panel(), "warped", 1.0), "dent", 0.3)
    (item,) = scene.objects
    sound = scene_mesh(item.mesh)
    first, both = damaged(sound, item.defects[:1]), damaged(sound, item.defects)
    assert first.moved is not None and both.moved is not None and len(both.vertices) > len(first.vertices)
    lift, dent = first.moved[:, 2], damaged(sound, item.defects[1:]).moved
    assert dent is not None
    assert both.moved[:, 2].max() == pytest.approx(lift.max(), rel=1e-6)
    was = both.vertices - both.moved
    assert (np.abs(was) <= sound.extents / 2 + 2e-5).all()


def test_what_is_cut_away_shows_the_grain_below() -> None:
    """A gouge moves no grain."""
    assert KINDS["gouge"].damage is not None
    (item,) = on_top(panel(), "gouge").objects
    assert damaged(scene_mesh(item.mesh), item.defects).moved is None


@pytest.mark.render
def test_a_picture_does_not_depend_on_what_was_moved_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mesh that was moved in its frame, its pose back by as much, gives the same picture, pattern and all."""
    pytest.importorskip("bpy", reason="needs Blender as a Python module")
    from scenewright.render import blender
    from scenewright.render.engine import Engine

    monkeypatch.setattr(blender, "_noise_seed", lambda scene: 7)  # else two scenes never have the same noise

    plain = panel("cycles", family="marbled")
    settings = {"samples": 32, "min_samples": 0, "noise_threshold": 0.0, "denoise": False}
    plain = plain.model_copy(update={"render": plain.render.model_copy(update=settings)})
    (item,), meshes = plain.objects, meshes_of(plain)
    by = np.array([0.013, -0.007, 0.004])
    pose = item.pose.copy()
    pose[:3, 3] -= pose[:3, :3] @ by * item.scale
    mesh = meshes[item.id]
    shifted = replace(mesh, vertices=mesh.vertices + by)
    engine, there = Engine("cpu", 1), changed(plain, world_T_object=matrix(pose))
    pictures = [
        engine.render(scene, {item.id: seen}).rgb.astype(float)
        for scene, seen in ((plain, mesh), (there, replace(shifted, moved=np.tile(by, (len(mesh.vertices), 1)))),
                            (there, shifted))
    ]  # fmt: skip
    assert np.abs(pictures[0] - pictures[1]).mean() < 0.1
    assert np.abs(pictures[0] - pictures[2]).mean() > 1.0
