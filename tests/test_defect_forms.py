"""Which kinds a part can have, and what becomes of those that change its form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenewright.assets.defect import Defect
from scenewright.assets.defects.kind import Grows, Kind
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.material import Material
from scenewright.assets.mesh import Feature, Mesh
from scenewright.errors import AssetError
from scenewright.scenes.build import meshes_of
from scenewright.scenes.sample import sample

from .drawn_defects import SIZE, SMALL, anchor, axis, boxes, defects_of, faces_of_the_box, name_places
from .small_recipe import make


def notch(mesh: Mesh, defect: Defect) -> Mesh:
    raise AssetError("this mesh is open")


def lowered(mesh: Mesh, defect: Defect) -> Mesh:
    """The corner nearest to the patch, moved along the patch's x by a millimetre."""
    v = mesh.vertices.copy()
    v[np.argmin(np.linalg.norm(v - anchor(defect), axis=1))] += 0.001 * defect.to_patch[0, :3] / 1000
    return replace(mesh, vertices=v)


FORM = Kind("form", "for tests", {}, lambda v: (2.0, 2.0))


def test_what_a_mesh_cannot_take_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that fails on the mesh is noted as refused, and another one of the recipe takes its place."""
    monkeypatch.setitem(KINDS, "test_notch", replace(FORM, damage=notch))
    (item,) = sample(boxes(kinds=[{"kind": "test_notch", "weight": 1e6}, SMALL]), 0).objects
    assert [d.kind for d in item.defects] == ["stain"]
    assert item.parameters["defects.0.refused.0"].value == "test_notch: no place where it fits"
    assert item.parameters["defects.0.kind"].value == "stain"


def test_a_changed_form_does_not_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a defect does to a part, its lowest point stays on or above where it lay."""
    monkeypatch.setitem(KINDS, "test_lowered", replace(FORM, damage=lowered))
    found = defects_of(boxes(placement="area", kinds="test_lowered"), 30)
    assert len(found) > 20
    for scene, item, _ in found:
        for meshes in (meshes_of(scene), meshes_of(scene.twin)):
            world = meshes[item.id].vertices @ item.pose[:3, :3].T * item.scale + item.pose[:3, 3]
            assert world[:, 2].min() > -2.1e-5


def deep(depth_mm: float) -> Callable[[Defect], float]:
    return lambda defect: depth_mm


def test_what_is_taken_out_leaves_some_of_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that hollows a part out lies where the wall is a quarter thicker than it is deep, or nowhere."""
    hollow = replace(FORM, damage=lambda mesh, defect: mesh, inside=lambda rng, material, severity: material)
    for depth, sides in ((18.0, {0, 1}), (26.0, {0}), (36.0, set())):
        monkeypatch.setitem(KINDS, "test_hollow", replace(hollow, depth=deep(depth)))
        found = [d for _, _, d in defects_of(boxes(placement="area", kinds="test_hollow"), 25)]
        assert {axis_ for axis_, _ in faces_of_the_box(found)} <= sides
        assert len(found) > 15 or not sides


def test_a_deformed_part_has_no_other_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bends a part comes alone: it would carry other defects away from their patches."""
    monkeypatch.setitem(KINDS, "test_bent", replace(FORM, damage=lambda mesh, defect: mesh))
    recipe = boxes(kinds=[SMALL | {"weight": 2}, "test_bent"], count=3)
    kinds = [[d.kind for d in sample(recipe, i).objects[0].defects] for i in range(30)]
    assert ["test_bent"] in kinds and ["stain"] * 3 in kinds
    assert all(k in (["test_bent"], ["stain"] * 3) for k in kinds)


def test_families_decide_where_kinds_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that belongs to one family lies on the parts of that family alone, with a look made for its material."""
    seen: list[Material] = []
    look = KINDS["stain"].look
    assert look is not None

    def spy(rng: np.random.Generator, material: Material, severity: float) -> Any:
        seen.append(material)
        return look(rng, material, severity)

    values = {"width_mm": Grows(0.01, 0.02, "mm", of_size=True), "density": Grows(0.5, 0.6, "share")}
    kind = replace(KINDS["stain"], families=frozenset({"rubber"}), look=spy, values=values)
    monkeypatch.setitem(KINDS, "test_grip", kind)
    tool = {"category": "pliers", "shape": "pliers", "materials": {"steel": "zinc", "grip": "rubber"}}
    recipe = make(objects={"count": 1, "assets": [tool]}, defects={"rate": 1, "count": 2, "kinds": "test_grip"})
    found = defects_of(recipe, 5)
    assert len(found) == 10
    for _, item, d in found:
        assert d.part == "grip" and item.materials[d.part].family == "rubber"
    assert {m.family for m in seen} == {"rubber"}


def test_features_are_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing screw is where a screw was: the patch is the feature's, and none is missing twice."""
    monkeypatch.setitem(
        KINDS, "test_lost", replace(FORM, features="screw", layers=KINDS["stain"].layers, values=KINDS["stain"].values)
    )
    frames = [np.eye(4) for _ in range(2)]
    for frame, x in zip(frames, (-0.01, 0.01), strict=True):
        frame[:3, 3] = x, 0, SIZE[2] / 2
    named = {f"screw_{k}": Feature("screw", "remove", f, (0.006, 0.006), 0.002) for k, f in enumerate(frames)}
    named["tooth"] = replace(named["screw_0"], sort="tooth")
    name_places(monkeypatch, features=named)
    (item,) = sample(boxes(kinds="test_lost", count=3), 0).objects
    assert sorted(d.region for d in item.defects) == ["screw_0", "screw_1"]
    assert item.parameters["defects.2.refused.0"].value == "test_lost: no screw to be seen that is whole"
    for d in item.defects:
        assert anchor(d) == pytest.approx(named[d.region].frame[:3, 3])
        assert d.size_mm == pytest.approx((6, 6)) and d.reach_mm == pytest.approx(2)


def test_scaled_objects_have_patches_in_true_millimetres() -> None:
    """A patch counts real millimetres, whatever the object's scale, and its z points out of the material."""
    for _, item, d in defects_of(make(defects={"rate": 1, "kinds": [SMALL]}), 8):
        assert np.linalg.norm(d.to_patch[:3, :3], axis=1) == pytest.approx([1000 * item.scale] * 3)
        assert np.linalg.det(d.to_patch[:3, :3]) > 0
        assert axis(d) @ anchor(d) > 0, "boxes and discs are convex, and their origin lies inside"


def test_what_was_tried_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meshes that drawing has made serve the render: a defect's form is computed once."""
    calls: list[int] = []

    def count(mesh: Mesh, defect: Defect) -> Mesh:
        calls.append(defect.id)
        return replace(mesh, vertices=mesh.vertices * 0.99999)

    made = replace(FORM, damage=count, look=KINDS["stain"].look, inside=lambda rng, material, severity: material)
    monkeypatch.setitem(KINDS, "test_form", made)
    scene = sample(boxes(kinds="test_form", count=3), 0)
    meshes_of(scene)
    assert calls == [d.id for d in scene.objects[0].defects] and len(calls) == 3
