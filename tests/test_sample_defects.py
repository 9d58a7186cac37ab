"""Defects drawn and placed: how many, where, and that nothing else of a scene moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, chisquare

from scenewright.assets.defect import FIRST_DEFECT, LAST_DEFECT
from scenewright.assets.defects.kinds import KINDS
from scenewright.errors import PlacementError
from scenewright.scenes import sample_defects
from scenewright.scenes.build import meshes_of, scene_mesh
from scenewright.scenes.cameras import camera_center, project
from scenewright.scenes.rays import cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

from .drawn_defects import SIZE, SMALL, anchor, axis, boxes, defects_of, faces_of_the_box, name_places
from .small_recipe import COUNT, make


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
