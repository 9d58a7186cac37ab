"""Labels that look through glass: against closed forms, by both engines, and as recipes and records state it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

import scenewright as sw
from scenewright.assets.material import Material
from scenewright.assets.mesh import Mesh
from scenewright.assets.transparency import Through, transparent_parts
from scenewright.datasets.coco import coco_path
from scenewright.datasets.records import read_info, read_record, record_path
from scenewright.datasets.validate import validate
from scenewright.errors import RecipeError
from scenewright.render.labels import compare, label
from scenewright.render.nocs import nocs
from scenewright.scenes.build import meshes_of
from scenewright.scenes.cameras import pixel_directions
from scenewright.scenes.ids import join_ids
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.ray_normals import ray_normals
from scenewright.scenes.rays import cast
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene, matrix

from .closed_forms import Body, first, grid, layout, odd_camera, safe_ids, scene_of
from .test_engines import Cycles, interior, process


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    with process(tmp_path_factory.mktemp("frames"), threads=1) as shoot:
        yield shoot


def crowd(seed: int) -> list[Body]:
    """Six bodies close together, the first two on the way from `odd_camera` to the others."""
    toward = -odd_camera().extrinsics[2, :3]
    bodies = sorted(layout(seed), key=lambda b: -float(b.pose[:3, 3] @ toward))
    for i, body in enumerate(bodies):
        body.pose[:3, 3] = 0.3 * body.pose[:3, 3] + (0.1 * toward if i < 2 else 0)
    return bodies


def seen_through(scene: Scene, *ids: int) -> Scene:
    """The scene with labels that look through the named objects of one part."""
    return scene.replace(
        objects=tuple(o.model_copy(update={"see_through": ("body",) if o.id in ids else ()}) for o in scene.objects)
    )


def recipe(transparency: Any, **changes: Any) -> Recipe:
    """A glass bottle with label and cap before four dice, seen from nearly the side, and a dish of glass."""
    bottle = {
        "category": "bottle", "shape": "bottle", "pose": "upright", "params": {"kind": "beer"},
        "materials": {"body": "glass", "label": "paper", "cap": "plastic"},
    }  # fmt: skip
    die = {"category": "die", "shape": "die", "scale": 1.5}
    return recipe_from_dict({
        "name": "glass", "objects": {"count": 6, "assets": [bottle, die]}, "placement": {"area": [0.2, 0.2]},
        "camera": {"distance": 0.7, "elevation_deg": 12}, "render": {"engine": "flat", "size": [160, 120]},
        "labels": {"transparency": transparency}, **changes,
    }, Path())  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_rays_pass_a_body_of_glass(seed: int) -> None:
    """Ids, depth, amodal masks and normals of what stands behind are those of the scene without the body, exactly."""
    bodies, camera = crowd(seed), odd_camera()
    scene, meshes = scene_of(bodies, camera)
    clear = (1, 2)
    view = cast(seen_through(scene, *clear), meshes, triangles=True)
    rest = scene.replace(objects=tuple(o for o in scene.objects if o.id not in clear))
    alone = cast(rest, {o.id: meshes[o.id] for o in rest.objects}, triangles=True)
    np.testing.assert_array_equal(view.ids, alone.ids)
    np.testing.assert_array_equal(view.depth_m, alone.depth_m)
    np.testing.assert_array_equal(
        ray_normals(seen_through(scene, *clear), meshes, view), ray_normals(rest, meshes, alone)
    )
    left = [b for i, b in enumerate(bodies, 1) if i not in clear]
    ids, safe = safe_ids(left, camera)
    names = np.array([0, *(i for i in range(1, 7) if i not in clear)])
    np.testing.assert_array_equal(view.ids[safe], names[ids][safe])
    assert [view.amodal[i].total for i in clear] == [0, 0]
    solid = cast(scene, meshes)
    assert np.isin(solid.ids, clear).sum() > 600
    behind = np.isin(solid.ids, clear) & (view.ids > 0)
    assert behind.sum() > 50 and (view.depth_m[behind] > solid.depth_m[behind]).all()


def window(frame: Body, pane: Body) -> Mesh:
    """Two boxes as parts of one mesh, in the world's frame."""
    _, meshes = scene_of([frame, pane], odd_camera())
    points = [meshes[i].vertices @ b.pose[:3, :3].T + b.pose[:3, 3] for i, b in ((1, frame), (2, pane))]
    faces = [meshes[1].faces, meshes[2].faces + len(points[0])]
    part = np.repeat([0, 1], [len(f) for f in faces]).astype(np.uint8)
    return Mesh(np.concatenate(points), np.concatenate(faces), part, ("frame", "pane"))


def test_a_part_of_glass_leaves_the_object_its_other_parts() -> None:
    """A window owns the pixels of its frame, and a sphere behind its pane keeps its own, as in closed form."""
    camera = odd_camera()
    sight = -camera.extrinsics[2, :3]  # towards the camera
    at = [np.eye(4) for _ in range(3)]
    at[0][:3, 3], at[1][:3, 3] = [0.0, 0.0, -0.035], 0.12 * sight
    frame = Body("box", (0.16, 0.16, 0.02), at[0])
    pane = Body("box", (0.12, 0.12, 0.12), at[1])
    sphere = Body("sphere", (0.03, 0.0, 0.0), at[2])
    scene, meshes = scene_of([frame, sphere], camera)
    meshes[1] = window(frame, pane)
    scene = scene.replace(
        objects=tuple(
            o.model_copy(update={"see_through": ("pane",), "world_T_object": matrix(np.eye(4))}) if o.id == 1 else o
            for o in scene.objects
        )
    )
    view = cast(scene, meshes)
    ids, safe = safe_ids([frame, sphere], camera)
    np.testing.assert_array_equal(view.ids[safe], ids[safe])
    _, depth = first([frame, sphere], camera, *grid(camera))
    inner = interior(ids.astype(np.uint16)) & (ids == 1)
    np.testing.assert_allclose(view.depth_m[inner], depth[inner], rtol=1e-6)
    hidden, _ = first([frame, sphere, pane], camera, *grid(camera))
    assert ((hidden == 3) & (ids == 2)).sum() > 300
    # Object coordinates and labels are of the object's whole box, though only its frame is seen.
    points = pixel_directions(camera) * view.depth_m[..., None].astype(np.float64)
    coordinates = nocs(scene, meshes, view.ids, np.nan_to_num(points, posinf=0.0))
    size = meshes[1].extents
    own = (coordinates[inner] - 0.5) * size
    back = own @ camera.extrinsics[:3, :3].T + camera.extrinsics[:3, 3]
    assert np.isfinite(coordinates[inner]).all()
    found = label(scene, meshes, view.ids, view)
    assert found[0].see_through == ("pane",) and found[1].see_through is None
    assert found[0].size_m == pytest.approx(tuple(size)) and back.shape == own.shape


def test_key_points_behind_glass_are_in_sight() -> None:
    """A point that a box of glass hides is in sight where labels look through the box."""
    camera = odd_camera()
    pose = np.eye(4)
    pose[:3, 3] = -0.1 * camera.extrinsics[2, :3]
    bodies = [Body("sphere", (0.02, 0.0, 0.0), np.eye(4)), Body("box", (0.1, 0.1, 0.1), pose)]
    scene, meshes = scene_of(bodies, camera)
    assert not cast(scene, meshes).in_sight[1].any()
    top = list(meshes[1].keypoints).index("top")
    assert cast(seen_through(scene, 2), meshes).in_sight[1][top]


def test_policies_of_a_recipe() -> None:
    """One word is for all categories, a mapping for those that it names; only parts of glass are looked through."""
    for policy, expected in (
        ("solid", ()), ({"die": "see_through"}, ()), ("see_through", ("body",)), ({"bottle": "see_through"}, ("body",)),
    ):  # fmt: skip
        scene = sample(recipe(policy), 0)
        kinds = {o.category: o.see_through for o in scene.objects}
        assert kinds == {"bottle": expected, "die": ()}
        assert scene.labels.transparency == policy
    assert transparent_parts({"a": Material(family="glass"), "b": Material(family="acrylic")}) == Through(("a",))


def test_a_container_of_glass() -> None:
    """A dish of glass is stuff; looked through, no pixel shows it, and things in it are seen through its wall."""
    dish = {"container": {"kind": "dish", "materials": "glass"}, "placement": {"area": [0.08, 0.08]}}
    things = {"objects": {"count": 4, "assets": [{"category": "nut", "shape": "nut"}]}}
    solid, clear = (sample(recipe(p, **dish, **things), 0) for p in ("solid", {"dish": "see_through"}))
    assert clear.fixtures[0].see_through == ("body",) and solid.fixtures[0].see_through == ()
    before, after = (cast(s, meshes_of(s)) for s in (solid, clear))
    assert (before.stuff == 2).sum() > 500 and not (after.stuff == 2).any()
    assert (after.ids > 0).sum() > (before.ids > 0).sum()


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"botle": "see_through"}, "no category 'botle'; choose from bottle, die"),
        ({"surface": "solid"}, "always solid"),
    ],
)
def test_policies_for_what_there_is_not(policy: Any, words: str) -> None:
    """The message says which categories there are."""
    with pytest.raises(RecipeError, match=words):
        recipe(policy)


def test_records_and_coco_state_the_policy(tmp_path: Path) -> None:
    """dataset.json, the scene, each label and COCO say what was looked through, and the dataset is valid."""
    folder = tmp_path / "d"
    assert sw.generate(recipe({"bottle": "see_through"}), 1, folder).complete
    assert read_info(folder).transparency == {"bottle": "see_through"}
    record = read_record(record_path(folder, 0))
    assert record.scene.labels.sees_through("bottle") and not record.scene.labels.sees_through("die")
    split = record.split
    coco = orjson.loads(coco_path(folder, split).read_bytes())
    assert coco["info"]["transparency"] == {"bottle": "see_through"}
    names = {kind["id"]: kind["name"] for kind in coco["categories"]}
    stated = {names[a["category_id"]]: a["attributes"].get("see_through") for a in coco["annotations"]}
    assert stated == {"bottle": ["body"], "die": None}
    assert list(validate(folder)) == []


@pytest.mark.render
@pytest.mark.parametrize("seed", [0, 1])
def test_cycles_passes_bodies_of_glass(cycles: Cycles, seed: int) -> None:
    """Cycles' ids and depth are those of the bodies behind, also where a solid twin of the same mesh stands by."""
    bodies, camera = crowd(seed), odd_camera()
    moved = bodies[1].pose.copy()
    moved[:3, 3] *= -0.5
    bodies.append(replace(bodies[1], pose=moved, scale=0.8))
    scene, _ = scene_of(bodies, camera)
    frame = cycles(seen_through(scene, 1, 2).replace(outputs=("normals",)))
    left = [b for i, b in enumerate(bodies, 1) if i not in (1, 2)]
    ids, safe = safe_ids(left, camera)
    names = np.array([0, 3, 4, 5, 6, 7])
    np.testing.assert_array_equal(frame.ids[safe], names[ids][safe])
    assert (frame.ids == 7).sum() > 300
    _, depth = first(left, camera, *grid(camera))
    inner = interior(ids.astype(np.uint16)) & (ids > 0)
    error = np.abs(frame.depth_m[inner] / depth[inner] - 1)
    assert np.quantile(error, 0.9) < 1e-5 and error.max() < 1e-4


@pytest.mark.render
def test_both_engines_agree_under_both_policies(cycles: Cycles) -> None:
    """Bottles before dice: equal ids and normals; looked through, they own label and cap only."""
    size = {"render": {"preset": "draft", "size": [320, 240]}, "outputs": ["normals"]}
    solid, clear = (sample(recipe(p, **size), 3) for p in ("solid", "see_through"))
    seen = []
    for scene in (solid, clear):
        meshes = meshes_of(scene)
        frame, rays = cycles(scene), cast(scene, meshes, triangles=True)
        raw = join_ids(frame.ids, frame.stuff)
        assert compare(raw, join_ids(rays.ids, rays.stuff)).passed
        same = interior(raw) & np.isfinite(rays.depth_m)
        assert frame.normals is not None
        close = np.abs(frame.normals - ray_normals(scene, meshes, rays)).max(axis=2) < 1e-3
        assert close[same].mean() > 0.995
        np.testing.assert_allclose(frame.depth_m[same & close], rays.depth_m[same & close], rtol=1e-4)
        seen.append(raw)
    bottles = [o.id for o in solid.objects if o.category == "bottle"]
    before, after = (np.isin(raw, bottles) for raw in seen)
    assert after.sum() > 200 and after.sum() < 0.7 * before.sum()
    assert (seen[0][~before] == seen[1][~before]).mean() > 0.9999
    assert (np.isin(seen[1], [o.id for o in solid.objects if o.category == "die"]) & before).sum() > 100
