"""From a recipe to scenes: what is drawn and recorded, and what stays still when a recipe grows."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh

from scenewright.assets.material import FileRef
from scenewright.assets.materials import FAMILIES, Palette, Range
from scenewright.assets.shapes.die import NORMALS
from scenewright.errors import AssetError, RecipeError
from scenewright.render.ingester import ingest
from scenewright.scenes.distributions import Expr, Uniform
from scenewright.scenes.load import load, recipe_from_dict
from scenewright.scenes.rules import drawable
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene
from scenewright.scenes.tree import get_in

from .small_recipe import COUNT, DISC, RECIPE, make


def test_a_scene_is_a_function_of_recipe_seed_and_index() -> None:
    """The same three give an equal scene, any other gives another."""
    assert sample(make(), 3, 7) == sample(make(), 3, 7)
    assert sample(make(), 3, 7) != sample(make(), 4, 7) != sample(make(), 3, 8)


def test_a_scene_survives_json() -> None:
    """A scene file alone is the whole scene, floats included."""
    scene = sample(make(), 5)
    assert Scene.from_json(scene.to_json()) == scene


def test_every_draw_is_recorded_with_its_quantile() -> None:
    """The value of each parameter is its distribution's at the recorded quantile, and a fixed one has none."""
    recipe = make()
    # Of worlds, lights and placement modes that this recipe has not.
    other = ("world.sky.", "world.colour", "lights.0.offset_m.", "placement.stack_height", "placement.carriers")
    for index in range(8):
        scene = sample(recipe, index)
        assert {path for path in drawable(recipe) if not path.startswith(other)} < set(scene.parameters)
        objects = [item.parameters for item in scene.objects]
        assert all(f"objects.assets.{('box', 'disc').index(o.category)}.scale" in o.parameters for o in scene.objects)
        for path, draw in [pair for found in (scene.parameters, *objects) for pair in found.items()]:
            if path in ("surface.material", "objects.assets") or "materials." in path:
                continue  # choices among parts of the recipe, and what materials draw, have tests of their own
            parts = path.split(".params.")
            dist = get_in(recipe, parts[0])
            if len(parts) > 1 and parts[1] not in dist.params:
                continue
            dist = dist.params[parts[1]] if len(parts) > 1 else dist
            assert not isinstance(dist, Expr)
            assert (draw.quantile is None) == (len(dist.values()) == 1)
            assert draw.value == dist.ppf(draw.quantile or 0.0)


def test_what_shapes_and_materials_draw_by_themselves_is_recorded() -> None:
    """A recipe that fixes nothing still finds every parameter and material value, each number with its quantile."""
    assets = [{"category": shape, "shape": shape} for shape in ("bottle", "hex_bolt", "mug", "gear", "die")]
    recipe = make(objects={"count": 6, "assets": assets}, placement={"area": [0.8, 0.8]})
    for item in (item for index in range(3) for item in sample(recipe, index).objects):
        place = f"objects.assets.{item.parameters['objects.assets'].value}"
        assert all(item.parameters[f"{place}.params.{n}"].value == v for n, v in item.mesh.params.items())
        for part, made in item.materials.items():
            values = {
                p.split(".values.")[-1]: d for p, d in item.parameters.items() if f"{place}.materials.{part}." in p
            }
            assert {name: draw.value for name, draw in values.items()} == made.values
            for name, limit in FAMILIES[made.family].values.items():
                u = values[name].quantile
                assert (
                    (u is None)
                    if isinstance(limit, Palette)
                    else values[name].value == Uniform(dist="uniform", low=limit.low, high=limit.high).ppf(u or 0)
                )


def test_what_the_surface_draws_is_balanced() -> None:
    """There is one surface in an image, so its wear and roughness cover their ranges as evenly as the camera does."""
    recipe = make(surface={"materials": "wood"})
    for name in ("roughness", "wear", "dust"):
        draws = [sample(recipe, i).parameters[f"surface.materials.0.values.{name}"] for i in range(16)]
        assert sorted(int((d.quantile or 0) * 16) for d in draws) == list(range(16))
        limit = FAMILIES["wood"].values[name]
        assert isinstance(limit, Range)
        assert all(d.value == limit.low + (d.quantile or 0) * (limit.high - limit.low) for d in draws)


def test_part_of_a_scene_is_drawn_anew() -> None:
    """Another light, camera or object, and nothing else; the same number gives the same draw again."""
    recipe = make()
    scene = sample(recipe, 3)
    lit = sample(recipe, 3, anew={"world": 1, "lights": 1})
    assert lit == sample(recipe, 3, anew={"world": 1, "lights": 1}) != sample(recipe, 3, anew={"world": 2})
    assert lit.lights != scene.lights and lit.world != scene.world
    assert (lit.objects, lit.camera, lit.surface) == (scene.objects, scene.camera, scene.surface)
    moved = sample(recipe, 3, anew={"objects.1.pose": 1})
    others = [o for o in scene.objects if o.id != 2]
    assert all(
        a.mesh == b.mesh and a.materials == b.materials for a, b in zip(moved.objects, scene.objects, strict=True)
    )
    assert moved.objects[1].world_T_object != scene.objects[1].world_T_object and len(others) == len(scene.objects) - 1
    assert sample(recipe, 3, anew={"camera.distance": 0}) == scene, "0 is the draw that the dataset has"
    with pytest.raises(RecipeError, match="`anew` names 'lamp', which is not drawn"):
        sample(recipe, 3, anew={"lamp": 1})


def test_choices_among_parts_of_the_recipe_are_recorded(tmp_path: Path) -> None:
    """Which asset, which of a pattern's files, which material and which panorama of a folder: all with quantiles."""
    for name, size in (("a.stl", 20), ("b.stl", 30), ("c.stl", 25)):
        trimesh.creation.box((size, 10, 10)).export(tmp_path / name)
    (tmp_path / "sky").mkdir()
    for name in ("dawn.hdr", "noon.hdr"):
        cv2.imwrite(str(tmp_path / "sky" / name), np.ones((8, 16, 3), np.float32))
    assets: list[dict[str, Any]] = [
        {"category": "part", "path": "*.stl", "weight": 3, "materials": {"zinc": 3, "brass": 1}},
        {"category": "box", "shape": "box", "materials": "wood"},
    ]
    raw = {**RECIPE, "objects": {"count": 2, "assets": assets}, "world": {"hdri": "sky"}}
    scenes = [sample(recipe_from_dict(raw, tmp_path), i) for i in range(COUNT)]
    for scene in scenes:
        sky = scene.parameters["world.hdri.file"]
        assert isinstance(scene.world.hdri, FileRef)
        assert scene.world.hdri.name == sky.value == ("dawn.hdr", "noon.hdr")[(sky.quantile or 0) >= 0.5]
    assert sum(s.parameters["world.hdri.file"].value == "noon.hdr" for s in scenes) == COUNT / 2, "balanced"
    seen = set()
    for item in (item for scene in scenes for item in scene.objects):
        kind, drawn = item.parameters["objects.assets"], item.parameters
        assert assets[int(kind.value)]["category"] == item.category  # type: ignore[arg-type]
        assert kind.value == ((kind.quantile or 0) >= 0.75)
        family = drawn[f"objects.assets.{kind.value}.materials.body"]
        assert family.value == item.materials["body"].family
        if kind.value == 1:
            assert (family.value, family.quantile) == ("wood", None)
            continue
        file = drawn["objects.assets.0.path"]
        assert family.value == ("brass" if (family.quantile or 0) >= 0.75 else "zinc")
        assert item.mesh.file and item.mesh.file.name == file.value == "abc"[int((file.quantile or 0) * 3)] + ".stl"
        seen |= {family.value, file.value}
    assert seen == {"zinc", "brass", "a.stl", "b.stl", "c.stl"}


def textured(folder: Path, grey: int, corners: bool = True) -> None:
    """A cube as OBJ, with a material file and a picture of one grey beside it."""
    folder.mkdir()
    cv2.imwrite(str(folder / "skin.png"), np.full((4, 4, 3), grey, np.uint8))
    (folder / "cube.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    cube = trimesh.creation.box((0.03, 0.03, 0.03))
    lines = ["mtllib cube.mtl", *(f"v {x} {y} {z}" for x, y, z in cube.vertices), "vt 0 0", "vt 1 0", "vt 0 1"]
    faces = (("{}/1 {}/2 {}/3" if corners else "{} {} {}").format(*(face + 1)) for face in cube.faces)
    (folder / "cube.obj").write_text("\n".join([*lines, "usemtl skin", *(f"f {face}" for face in faces)]) + "\n")


@pytest.mark.render
def test_equal_meshes_keep_their_own_pictures(tmp_path: Path, fresh_cache: Path) -> None:
    """The same OBJ beside another picture is another object, whether two assets name them or one pattern does."""
    textured(tmp_path / "red", 80)
    textured(tmp_path / "blue", 200)
    assets = [{"category": name, "path": f"{name}/cube.obj"} for name in ("red", "blue")]
    recipe = recipe_from_dict({**RECIPE, "objects": {"count": 3, "assets": assets}}, tmp_path, ingest=ingest)
    libraries: dict[str, set[FileRef | None]] = {"red": set(), "blue": set()}
    for item in (item for i in range(4) for item in sample(recipe, i).objects):
        assert item.materials["skin"].family == "own"
        libraries[item.category].add(item.mesh.library)
    assert [len(found) for found in libraries.values()] == [1, 1]
    both = recipe_from_dict(
        {**RECIPE, "objects": {"count": 3, "assets": [{"category": "a", "path": "*/*.obj"}]}}, tmp_path, ingest=ingest
    )
    seen = {o.mesh.library for i in range(4) for o in sample(both, i).objects}
    assert seen == libraries["red"] | libraries["blue"] and len(seen) == 2


@pytest.mark.render
def test_a_picture_without_texture_coordinates_is_refused(tmp_path: Path, fresh_cache: Path) -> None:
    """It would show as one colour; with a material of the recipe's own the picture is not needed."""
    textured(tmp_path / "red", 80, corners=False)
    asset = {"category": "a", "path": "red/cube.obj"}
    with pytest.raises(
        AssetError, match=r"objects.assets.0.path: cube.obj has a texture, but not all of it has texture"
    ):
        recipe_from_dict({**RECIPE, "objects": {"count": 1, "assets": [asset]}}, tmp_path, ingest=ingest)
    own = recipe_from_dict({**RECIPE, "objects": {"count": 1, "assets": [{**asset, "materials": "zinc"}]}}, tmp_path)
    assert sample(own, 0).objects[0].materials["body"].family == "zinc"
    printed = [{**asset, "materials": "printed"}]
    with pytest.raises(AssetError, match=r"materials.all.0: 'printed' needs texture coordinates"):
        sample(recipe_from_dict({**RECIPE, "objects": {"count": 1, "assets": printed}}, tmp_path), 0)


@pytest.mark.parametrize(
    "grown",
    [
        {"camera": {**RECIPE["camera"], "fstop": {"dist": "uniform", "low": 2, "high": 8}}},
        {"lights": [*RECIPE["lights"], {"azimuth_deg": {"dist": "uniform", "low": 0, "high": 360}}]},
        {"rules": [{"when": "world.strength > 0.1", "set": {"camera.roll_deg": 4}}]},
        {"distractors": {"count": 1, "assets": [{"category": "clutter", "shape": "cylinder", "params": DISC}]}},
    ],
    ids=["lens", "light", "rule", "distractor"],
)
def test_a_recipe_grows_without_moving_what_was_there(grown: dict[str, Any]) -> None:
    """A new parameter, light or rule leaves every other draw and object as it was, a distractor all but poses."""
    old, new = make(), make(**grown)
    for index in range(6):
        before, after = sample(old, index), sample(new, index)
        kept = after.objects[: len(before.objects)]
        if "distractors" in grown:  # they take room, so they may push others aside
            poses = [{"world_T_object": o.world_T_object} for o in before.objects]
            kept = tuple(o.model_copy(update=pose) for o, pose in zip(kept, poses, strict=True))
        assert kept == before.objects
        changed = {p for p, draw in before.parameters.items() if after.parameters[p] != draw}
        assert changed <= {"camera.roll_deg"}
        assert (after.surface, after.world) == (before.surface, before.world)


def test_a_fixed_parameter_moves_no_other() -> None:
    """Fixing one value of an object leaves its other values, and all other objects, as they were."""
    fixed = copy.deepcopy(RECIPE)
    fixed["objects"]["assets"][0]["params"]["x_m"] = 0.015
    for index in range(6):
        for a, b in zip(
            sample(make(), index).objects, sample(recipe_from_dict(fixed, Path()), index).objects, strict=True
        ):
            assert a.category == b.category and a.materials == b.materials
            assert {**a.mesh.params, "x_m": 0} == {**b.mesh.params, "x_m": 0} or a.mesh.shape == "cylinder"


def test_a_kind_of_object_lies_in_its_own_way() -> None:
    """An asset's pose is drawn for each of its objects, recorded, and moves nothing that stays as it was."""
    wide = {**copy.deepcopy(RECIPE), "placement": {"area": [1, 1], "pose": "upright"}}
    own = copy.deepcopy(wide)
    own["objects"]["assets"][1]["pose"] = {"dist": "choice", "options": {"stable": 3, "upright": 1}}
    fallen = 0
    for index in range(COUNT):
        for a, b in zip(*(sample(recipe_from_dict(raw, Path()), index).objects for raw in (wide, own)), strict=True):
            drawn = b.parameters.get("objects.assets.1.pose")
            assert (drawn is None) == (b.category == "box")
            assert a.model_copy(update={"parameters": b.parameters, "world_T_object": b.world_T_object}) == b
            if drawn is None or drawn.value == "upright":
                assert b.world_T_object == a.world_T_object and b.pose[2, 2] == 1
            assert drawn is None or drawn.value == ("stable" if (drawn.quantile or 0) < 0.75 else "upright")
            fallen += b.pose[2, 2] < 0.5
    assert fallen > 4


def test_dice_of_tabletop_lie_on_any_face() -> None:
    """Where bottles must stand, dice show all six numbers."""
    recipe = load("tabletop")
    assert recipe.placement.pose == "upright" and [a.category for a in recipe.objects.assets if a.pose] == ["die"]
    others = [f"objects.assets.{i}.weight=0" for i, a in enumerate(recipe.objects.assets) if a.category != "die"]
    dice = load("tabletop", [*others, "objects.count=10"])
    faces = [tuple(np.round(o.pose[2, :3])) for i in range(2) for o in sample(dice, i).objects]  # what points upwards
    assert set(faces) == set(NORMALS.values())


def test_every_prefix_is_balanced() -> None:
    """Of the first 2^k images, each 2^k-th of a range has exactly one, so a short dataset covers it as a long one."""
    quantiles = [sample(make(), i).parameters["world.strength"].quantile for i in range(16)]
    for k in (2, 4, 8, 16):
        assert sorted(int(q * k) for q in quantiles[:k] if q is not None) == list(range(k))


def test_a_choice_comes_up_by_its_weights() -> None:
    """35 mm in a quarter of the images: exactly 4 of 16."""
    focal = [sample(make(), i).parameters["camera.focal_mm"].value for i in range(16)]
    assert focal.count(35) == 4 and focal.count(50) == 12
