"""Defects drawn and placed: how many, where, and that nothing else of a scene moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, chisquare

from scenewright.assets.defect import FIRST_DEFECT, LAST_DEFECT, Defect
from scenewright.assets.defects.kind import Grows, Kind
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.library import build
from scenewright.assets.material import Material
from scenewright.assets.mesh import Feature, Mesh
from scenewright.errors import AssetError, PlacementError
from scenewright.scenes import defect_places, sample_defects
from scenewright.scenes.build import meshes_of, scene_mesh
from scenewright.scenes.cameras import camera_center, project
from scenewright.scenes.rays import cast
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene, SceneObject

from .small_recipe import COUNT, make

SIZE = (0.04, 0.03, 0.02)
SMALL = {"kind": "stain", "params": {"width_mm": 1.0}}


def boxes(objects: int = 1, **defects: Any) -> Recipe:
    """Sharp boxes of 40 × 30 × 20 mm that lie as modelled, seen from above at a slant."""
    box = {
        "category": "box",
        "shape": "box",
        "params": dict(zip(("x_m", "y_m", "z_m", "edge_m"), (*SIZE, 0), strict=True)),
    }
    view = {
        "distance": 0.25 if objects == 1 else 0.5,
        "elevation_deg": 45,
        "azimuth_deg": 30,
        "target": [0, 0, 0.01],
        "focal_mm": 50,
    }
    return make(
        objects={"count": objects, "assets": [box]}, defects={"rate": 1, "kinds": [SMALL]} | defects, camera=view,
        placement={"pose": "upright", "area": [0.001, 0.001] if objects == 1 else [0.2, 0.2]},
    )  # fmt: skip


def anchor(defect: Defect) -> npt.NDArray[np.float64]:
    """(3,) the middle of the patch, metres, unscaled mesh."""
    return np.asarray(np.linalg.inv(defect.to_patch)[:3, 3])


def axis(defect: Defect) -> npt.NDArray[np.float64]:
    """(3,) unit z of the patch in the mesh's frame."""
    z = defect.to_patch[2, :3]
    return np.asarray(z / np.linalg.norm(z))


def defects_of(recipe: Recipe, images: int) -> list[tuple[Scene, SceneObject, Defect]]:
    scenes = [sample(recipe, i) for i in range(images)]
    return [(s, o, d) for s in scenes for o in s.objects for d in o.defects]


def faces_of_the_box(defects: list[Defect]) -> Counter[tuple[int, int]]:
    """How many lie on each side: (axis, sign)."""
    sides: Counter[tuple[int, int]] = Counter()
    for d in defects:
        k = int(np.argmax(np.abs(axis(d))))
        assert abs(anchor(d)[k]) == pytest.approx(SIZE[k] / 2, abs=1e-8)
        sides[k, int(np.sign(axis(d)[k]))] += 1
    return sides


def bounds(n: int, p: float) -> tuple[float, float]:
    """What a binomial count stays between in 999 of 1000 cases."""
    return float(binom.ppf(0.0005, n, p)), float(binom.ppf(0.9995, n, p))


def test_rates_are_by_category() -> None:
    """Over many images the share of objects with defects is the recipe's, for each category (99.9 % bounds)."""
    rates = {"box": 0.5, "disc": 0.1}
    recipe = make(defects={"rate": rates, "kinds": "stain"})
    objects = [o for i in range(250) for o in sample(recipe, i).objects]
    for name, rate in rates.items():
        of = [o for o in objects if o.category == name]
        found = sum(bool(o.defects) for o in of)
        low, high = bounds(len(of), rate)
        assert low <= found <= high and len(of) > 150, (name, found, len(of))
        assert found == sum(o.parameters["defects.present"].value is True for o in of)


def test_counts_weights_and_severities_are_the_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many on an object, of which kind by category, and how bad follow what the recipe says."""
    monkeypatch.setitem(KINDS, "test_spot", replace(KINDS["stain"], category="spot"))
    kinds = [SMALL | {"weight": 3, "severity": 0.25}, SMALL | {"kind": "test_spot", "weight": {"box": 1}}]
    recipe = boxes(2, kinds=kinds, count=3)
    found = defects_of(recipe, 40)
    assert len(found) == 40 * 2 * 3
    spots = sum(d.kind == "test_spot" for _, _, d in found)
    low, high = bounds(len(found), 0.25)
    assert low <= spots <= high
    assert {d.severity for _, _, d in found if d.kind == "stain"} == {0.25}
    assert {d.values["width_mm"] for _, _, d in found if d.kind == "stain"} == {1.0}
    quantiles = [o.parameters[f"defects.{k}.severity"].quantile for _, o, d in found for k, e in enumerate(o.defects)
                 if e is d and d.kind == "test_spot"]  # fmt: skip
    assert all(q is not None for q in quantiles)


def test_adding_defects_moves_nothing_else() -> None:
    """The same scene as without `defects`, but for them, the samples of a pixel, and the identity of the recipe."""
    bare, marred = make(), make(defects={"rate": 0.5})
    assert any(o.defects for i in range(COUNT) for o in sample(marred, i).objects)
    for i in range(COUNT):
        a, b = sample(bare, i), sample(marred, i).twin
        objects = [
            o.model_copy(update={"parameters": {k: v for k, v in o.parameters.items() if not k.startswith("defects.")}})
            for o in b.objects
        ]
        same = {
            "objects": tuple(objects),
            "recipe_sha256": a.recipe_sha256,
            "render": a.render,
            "defect_categories": (),
        }
        assert b.model_copy(update=same) == a


def test_a_twin_says_nothing_of_defects() -> None:
    """What was drawn for defects stays with the marred scene: COCO of a sound twin must not say any are present."""
    scenes = [s for s in (sample(boxes(3, rate=0.5), i) for i in range(8)) if any(o.defects for o in s.objects)]
    assert {o.parameters["defects.present"].value for s in scenes for o in s.objects} == {False, True}
    assert not any(path.startswith("defects.") for s in scenes for o in s.twin.objects for path in o.parameters)


def test_the_same_twice_and_as_json() -> None:
    """A scene with defects is a function of recipe, seed and index, and survives JSON to the last digit."""
    recipe = make(defects={"rate": 1, "count": 2, "clustered": 0.5})
    for i in range(4):
        scene = sample(recipe, i)
        assert sample(recipe, i) == scene == Scene.from_json(scene.to_json())
    assert sample(recipe, 0, seed=1).objects[0].defects != sample(recipe, 0).objects[0].defects


def test_defects_of_one_object_are_drawn_anew() -> None:
    """`anew` gives one object other defects, and all else stays, the defects of others too."""
    recipe = boxes(3)
    a, b = sample(recipe, 1), sample(recipe, 1, anew={"objects.1.defects": 1})
    assert a.objects[0] == b.objects[0] and a.objects[2] == b.objects[2]
    assert a.objects[1].defects != b.objects[1].defects
    assert a.twin.objects[1].pose.tolist() == b.twin.objects[1].pose.tolist()


def test_all_images_of_a_group_share_the_defects() -> None:
    """Frames of a sequence and views of a pair show the same parts, with the same defects."""
    moving = {"frames": 2, "step_s": 0.1, "objects": {"velocity_m_s": [0.1, 0, 0]}}
    camera = {"stereo": {"baseline_m": 0.05}, "distance": 0.4}
    recipe = make(defects={"rate": 1, "count": 2}, motion=moving, camera=camera)
    first, *others = [sample(recipe, i) for i in range(4)]
    assert first.objects[0].world_T_object != others[1].objects[0].world_T_object
    for other in others:
        assert [o.defects for o in other.objects] == [o.defects for o in first.objects]
    assert len(sample(recipe, 4).objects) and sample(recipe, 4).objects[0].defects != first.objects[0].defects


def test_numbers_count_over_the_image_and_distractors_have_none() -> None:
    """Ids run from the first one through all objects without a gap; what is never labelled stays sound."""
    recipe = make(
        defects={"rate": 1, "count": {"dist": "integers", "low": 1, "high": 3}, "kinds": [SMALL]},
        distractors={"count": 2, "assets": [{"category": "clutter", "shape": "box"}]},
    )
    for i in range(6):
        scene = sample(recipe, i)
        ids = [d.id for o in scene.objects for d in o.defects]
        assert ids == list(range(FIRST_DEFECT, FIRST_DEFECT + len(ids)))
        assert not any(o.defects for o in scene.objects if not o.category_id)


def test_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More defects than there are numbers, on one object or over several, is an error that says what to lower."""
    monkeypatch.setattr(sample_defects, "FIRST_DEFECT", LAST_DEFECT - 1)
    assert [d.id for d in sample(boxes(count=2), 0).objects[0].defects] == [LAST_DEFECT - 1, LAST_DEFECT]
    for recipe in (boxes(count=3), boxes(3)):
        with pytest.raises(PlacementError, match=r"an image can number 2 defects, and object [13] .*: lower defects.r"):
            sample(recipe, 0)


def test_exposed_defects_are_seen() -> None:
    """The middle of each lies in the picture, on its object, and looks at the camera."""
    found = defects_of(make(defects={"rate": 1, "count": 2, "kinds": [SMALL]}), 10)
    assert len(found) > 20
    for scene, item, defect in found:
        view = cast(scene, meshes_of(scene.twin))
        middle = item.pose[:3, :3] @ anchor(defect) * item.scale + item.pose[:3, 3]
        (pixel,), _ = project(scene.camera, middle)
        x, y = np.floor(pixel).astype(int)
        assert (view.ids[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] == item.id).any()
        away = camera_center(scene.camera) - middle
        assert item.pose[:3, :3] @ axis(defect) @ away / np.linalg.norm(away) > 0.3


def test_exposed_defects_follow_the_picture() -> None:
    """Of the three sides of a box in the picture each has defects in proportion to its pixels, the others none."""
    recipe = boxes()
    scenes = [sample(recipe, i) for i in range(300)]
    sides = faces_of_the_box([d for s in scenes for o in s.objects for d in o.defects])
    pixels: Counter[tuple[int, int]] = Counter()
    for scene in scenes:
        mesh = scene_mesh(scene.objects[0].mesh)
        view = cast(scene, meshes_of(scene.twin), triangles=True)
        assert view.triangle is not None
        corners = mesh.vertices[mesh.faces[view.triangle[view.ids == 1]]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        k = np.abs(normal).argmax(axis=1)
        sign = np.sign(np.take_along_axis(normal, k[:, None], axis=1)[:, 0])
        pixels.update(zip(k.tolist(), sign.astype(int).tolist(), strict=True))
    assert set(sides) <= set(pixels)
    which = sorted(pixels)
    expected = np.array([pixels[s] for s in which]) / sum(pixels.values()) * sum(sides.values())
    assert chisquare([sides[s] for s in which], expected).pvalue > 1e-3


def test_by_area_the_hidden_sides_have_their_share() -> None:
    """Placed by area, all six sides of a box have defects in proportion to their areas, the one below too."""
    sides = faces_of_the_box([d for _, _, d in defects_of(boxes(placement="area"), 300)])
    which = [(k, s) for k in range(3) for s in (-1, 1)]
    area = np.array([np.prod(SIZE) / SIZE[k] for k, _ in which])
    assert chisquare([sides[s] for s in which], area / area.sum() * sum(sides.values())).pvalue > 1e-3


@pytest.mark.parametrize("placement", ["exposure", "area"])
def test_edges_and_faces(placement: str) -> None:
    """At an edge the patch lies on it, across both sides; on a face it keeps away from all edges."""
    half = np.array(SIZE) / 2
    kinds = [SMALL | {"region": "edge"}]
    for _, _, d in defects_of(boxes(placement=placement, kinds=kinds, count=3), 20):
        inside = np.sort(half - np.abs(anchor(d)))
        assert np.abs(inside[:2]).max() < 1e-6, "on two sides at once"
        assert np.sort(np.abs(axis(d))) == pytest.approx([0, np.sqrt(0.5), np.sqrt(0.5)], abs=1e-6)
        assert d.region == "edge"
    for _, _, d in defects_of(boxes(placement=placement, kinds=[SMALL | {"region": "face"}], count=3), 20):
        assert np.sort(half - np.abs(anchor(d)))[1] > 0.06 * SIZE[1] * 0.99 - 0.025 * SIZE[1]
        assert np.abs(axis(d)).max() == pytest.approx(1)


def name_places(monkeypatch: pytest.MonkeyPatch, **names: Any) -> None:
    """Give all meshes regions or features, for the check of the recipe and for drawing."""
    monkeypatch.setattr(sample_defects, "scene_mesh", lambda ref: replace(scene_mesh(ref), **names))
    monkeypatch.setattr(defect_places, "build", lambda *of: replace(build(*of), **names))


def test_regions_of_the_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region that the asset names confines the middle of a defect to its box; one that it lacks gives none."""
    low, high = (-0.02, -0.015, -0.01), (-0.01, 0.015, 0.01)
    named: dict[str, Any] = {"regions": {"handle": (low, high)}}
    name_places(monkeypatch, **named)
    for _, o, d in defects_of(boxes(placement="area", kinds=[SMALL | {"region": "handle"}]), 12):
        assert anchor(d)[0] < -0.01 + 1e-9 and d.region == "handle"
        assert o.parameters["defects.0.region"].value == "handle"
    monkeypatch.setattr(sample_defects, "scene_mesh", scene_mesh)  # a form of the asset that lacks the region
    (lacking,) = sample(boxes(kinds=[SMALL | {"region": "handle"}]), 0).objects
    assert lacking.defects == ()
    assert lacking.parameters["defects.0.refused.0"].value == "no kind of the recipe can be on this object"


def test_clusters() -> None:
    """Clustered defects lie within the radius of the one before, nearer to it than single ones."""

    def steps(**spec: Any) -> npt.NDArray[np.float64]:
        at = [[anchor(d) for d in o.defects] for i in range(30) for o in sample(boxes(count=4, **spec), i).objects]
        return np.array([np.linalg.norm(np.diff(points, axis=0), axis=1) for points in at])

    apart, together = steps(), steps(clustered=1.0, cluster_radius=0.2)
    assert together.max() <= 0.2 * SIZE[1] + 1e-9
    assert np.median(together) < np.median(apart) / 2


def test_single_defects_do_not_lie_on_each_other() -> None:
    """Of a defect that is no part of a cluster at most a tenth lies on those before it."""
    recipe = boxes(kinds=[{"kind": "stain", "params": {"width_mm": 8.0}}], count=4)
    found = 0
    for i in range(12):
        (item,) = sample(recipe, i).objects
        at = np.array([anchor(d) for d in item.defects])
        found += len(at)
        apart = np.linalg.norm(at[:, None] - at[None], axis=2)[np.triu_indices(len(at), 1)]
        assert (apart > 0.004).all(), "two discs of 8 mm whose middles are nearer share more than a third"
    assert found > 24


def test_hidden_objects_have_defects_too() -> None:
    """Of what is out of the picture the camera sees nothing: it keeps the recipe's rate, with defects anywhere."""
    recipe = boxes()
    away = recipe.model_copy(update={"camera": make(camera={"target": [5, 0, 0], "distance": 0.3}).camera})
    assert all(len(o.defects) == 1 for i in range(5) for o in sample(away, i).objects)


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
