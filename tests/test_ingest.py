"""Users' files that Blender reads: one geometry for both engines, the file's own materials, read once, kept by hash."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

import scenewright as sw
from scenewright.assets.files import add_folder, locate
from scenewright.assets.ingested import Source, lookup, read_ingested
from scenewright.datasets.records import read_record, record_path
from scenewright.errors import AssetError, RecipeError, RenderError
from scenewright.farm.one_scene import render_scene
from scenewright.pipeline import rerender
from scenewright.render import ingester
from scenewright.render.ingester import ingest
from scenewright.render.labels import compare
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load as load_only
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.rays import cast
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.scene import matrix

from .small_recipe import RECIPE

pytestmark = [pytest.mark.render, pytest.mark.usefixtures("fresh_cache")]

FORMATS = (".blend", ".glb", ".gltf", ".fbx", ".usda", ".usdc", ".usdz", ".obj")


def recipe_of(folder: Path, *assets: dict[str, Any], engine: str = "flat", count: int = 2) -> Recipe:
    """A small recipe with assets of a folder."""
    listed = [{"category": "part", **asset} for asset in assets]
    render = {"engine": engine, "size": [96, 72], "preset": "draft"}
    changes = {"objects": {"count": count, "assets": listed}, "render": render, "lights": []}
    return recipe_from_dict({**RECIPE, **changes}, folder, ingest=ingest)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_part(blends: Path, suffix: str) -> None:
    """A box of 20 × 40 × 60 mm with two materials is that in each format, whatever unit and up axis it stores."""
    found = read_ingested(ingest(Source(blends / f"part{suffix}")).mesh)
    np.testing.assert_allclose(found.mesh.extents, (0.02, 0.04, 0.06), rtol=1e-5)
    assert (found.mesh.vertices.shape, found.mesh.faces.shape) == ((8, 3), (12, 3))
    assert found.own == {"red", "metal"} == set(found.mesh.part_names)
    assert found.is_closed and found.is_consistent and found.mesh.uv is not None
    red = found.mesh.face_part == found.mesh.part_names.index("red")
    a, b, c = (found.mesh.vertices[found.mesh.faces[red]][:, k] for k in range(3))
    # Two of the six sides are red: that to −z and that to +x.
    sides = {tuple(np.rint(n / np.linalg.norm(n)).astype(int).tolist()) for n in np.cross(b - a, c - a)}
    assert sides == {(0, 0, -1), (1, 0, 0)}
    assert trimesh.Trimesh(found.mesh.vertices, found.mesh.faces, process=False).volume == pytest.approx(4.8e-5)


def test_modifiers_units_and_collections_of_a_blend(blends: Path) -> None:
    """An array of three boxes 10 mm wide, two widths apart, is 50 mm long; an instance of it lies 40 mm higher."""
    row = read_ingested(ingest(Source(blends / "kit.blend", collection="row")).mesh)
    np.testing.assert_allclose(row.mesh.extents, (0.05, 0.02, 0.03), rtol=1e-5)
    assert len(row.mesh.faces) == 3 * 12, "a bevel that renders do not show"
    pair = read_ingested(ingest(Source(blends / "kit.blend", collection="pair")).mesh)
    np.testing.assert_allclose(pair.mesh.extents, (0.05, 0.02, 0.07), rtol=1e-5)
    assert len(pair.mesh.faces) == 2 * 3 * 12
    inches = read_ingested(ingest(Source(blends / "kit.blend", unit="in", up="x", collection="row")).mesh)
    np.testing.assert_allclose(inches.mesh.extents, np.array([30, 20, 50]) * 0.0254, rtol=1e-5)


def test_a_collection_that_is_not_there(blends: Path) -> None:
    """The message names those that are."""
    with pytest.raises(AssetError, match=r"kit.blend has no collection 'rows'; it has pair, row"):
        ingest(Source(blends / "kit.blend", collection="rows"))


def test_up_is_about_the_axes_of_the_file(blends: Path) -> None:
    """glTF stores +y up; where a recipe says that its z is up, the part stands as the file's numbers say."""
    found = read_ingested(ingest(Source(blends / "part.glb", up="z")).mesh)
    np.testing.assert_allclose(found.mesh.extents, (0.02, 0.06, 0.04), rtol=1e-5)


def test_a_file_is_read_once(blends: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time no process starts; another texture beside it is another asset, and the first one comes back."""
    for name in ("part.gltf", "part.bin", "skin.png"):
        shutil.copy(blends / name, tmp_path / name)
    source = Source(tmp_path / "part.gltf")
    first = ingest(source)
    (tmp_path / "skin.png").write_bytes((blends / "skin.png").read_bytes() + b"\0")
    assert lookup(source) is None
    second = ingest(source)
    assert second.mesh.sha256 != first.mesh.sha256 and second.library.sha256 != first.library.sha256
    with monkeypatch.context() as patch:
        patch.setattr(ingester, "ask", lambda *_: pytest.fail("asked again"))
        assert ingest(source) == second
        shutil.copy(blends / "skin.png", tmp_path / "skin.png")
        assert ingest(source) == first


def test_loading_alone_starts_no_process(blends: Path, tmp_path: Path) -> None:
    """`scenes.load` uses what was ingested and says who ingests."""
    text = f"name: t\nobjects: {{count: 1, assets: [{{category: a, path: {blends}/part.fbx}}]}}\n"
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(AssetError, match=r"part.fbx was not ingested yet: load the recipe by scenewright.load"):
        load_only(tmp_path / "r.yaml", allow=[blends])
    assert sw.load(tmp_path / "r.yaml", allow=[blends]) == load_only(tmp_path / "r.yaml", allow=[blends])


def test_materials_of_the_file_and_of_the_recipe(blends: Path) -> None:
    """Parts keep their own material unless the recipe gives one for them, or for all."""
    kinds: list[dict[str, Any]] = [
        {"path": "part.glb"},
        {"path": "part.glb", "materials": {"metal": "brass"}},
        {"path": "part.glb", "materials": {"all": "zinc", "red": "own"}},
        {"path": "part.glb", "materials": "rubber"},
    ]
    expected = [("own", "own"), ("own", "brass"), ("own", "zinc"), ("rubber",)]
    for asset, families in zip(kinds, expected, strict=True):
        recipe = recipe_of(blends, asset)
        item = sw.sample(recipe, 0).objects[0]
        assert tuple(m.family for m in item.materials.values()) == families
        assert (item.mesh.library is None) == (families == ("rubber",)), "nothing of the file is left to show"
        assert item.parameters["objects.assets.0.path"].value == "part.glb"


@pytest.mark.parametrize(
    ("asset", "said"),
    [
        ({"path": "part.glb", "materials": {"lid": "zinc"}}, "part.glb has no part 'lid'; it has all, red, metal"),
        ({"path": "kit.blend", "materials": "own"}, "'body' of kit.blend has no material of its own"),
        ({"path": "part.fbx", "unit": "mm"}, "a .fbx file says its own unit"),
        ({"path": "part.glb", "collection": "row"}, "`collection` is of a .blend file"),
        ({"shape": "nut", "materials": "own"}, "nut is procedural and has no material of its own"),
    ],
)
def test_what_a_recipe_cannot_say(blends: Path, asset: dict[str, Any], said: str) -> None:
    """The message names the file, and what there is."""
    with pytest.raises(RecipeError, match=said.replace("(", r"\(")):
        recipe_of(blends, asset)


def test_both_engines_see_the_file(blends: Path, tmp_path: Path) -> None:
    """A picture shows the file's red, both engines agree, and the record renders again without source and cache."""
    recipe = recipe_of(blends, {"path": "part.glb"}, {"path": "kit.blend", "collection": "pair"}, engine="cycles")
    result = sw.generate(recipe, 2, tmp_path / "out")
    assert result.complete
    for index in range(2):
        record = read_record(record_path(tmp_path / "out", index))
        assert record.verification.disagreeing <= 2
    names = sorted(p.suffix for p in (tmp_path / "out" / "assets").iterdir())
    assert names == [".blend", ".blend", ".npz", ".npz"]
    again = recipe_of(blends, {"path": "part.glb"}, {"path": "kit.blend", "collection": "pair"}, engine="cycles")
    assert sw.generate(again, 2, tmp_path / "out").rendered == 0
    shutil.rmtree(tmp_path / "user cache")
    add_folder(tmp_path / "out" / "assets")
    frame, same = rerender(tmp_path / "out", 0, render_scene)
    assert same
    assert (frame.ids > 0).sum() > 50


def test_own_colour_shows(blends: Path) -> None:
    """A box whose side to +x is red in its file shows red where that side looks up at the camera."""
    scene = sw.sample(recipe_of(blends, {"path": "part.glb"}, count=1), 0)
    turned = matrix(np.array([[0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0.01], [0, 0, 0, 1]]))
    item = scene.objects[0].model_copy(update={"world_T_object": turned, "scale": 2.0})
    settings = scene.render.model_copy(update={"engine": "cycles", "view_transform": "standard", "look": "none"})
    scene = scene.replace(objects=(item,), render=settings)
    frame, rays = render_scene(scene, "cpu"), cast(scene, meshes_of(scene))
    assert compare(frame.ids, rays.ids).passed
    red = frame.rgb[frame.ids == item.id].astype(int)
    assert (red[:, 0] > 2 * red[:, 1]).mean() > 0.4


def test_a_library_with_other_triangles_is_refused(blends: Path) -> None:
    """Blender's copy of a mesh must be the ray engine's, to the last bit."""
    recipe = recipe_of(blends, {"path": "part.glb"}, engine="cycles", count=1)
    other = ingest(Source(blends / "part.glb", up="z"))
    swapped = recipe.model_copy(update={"libraries": dict.fromkeys(recipe.libraries, other.library)})
    with pytest.raises(RenderError, match="has other triangles than the ray engine's mesh"):
        render_scene(sw.sample(swapped, 0), "cpu")


def test_a_real_part_keeps_its_picture(shared: Path) -> None:
    """The textured bottle is ingested with its photograph, and its triangles are those of the plain reader."""
    made = ingest(Source(shared / "real" / "parts" / "fuze.obj"))
    found = read_ingested(made.mesh)
    np.testing.assert_allclose(found.mesh.extents * 1000, (72.61, 73.51, 215.13), atol=0.01)
    assert found.mesh.vertices.shape == (502, 3) and found.mesh.faces.shape == (1000, 3)
    assert locate(made.library).stat().st_size > (shared / "real" / "parts" / "fuze uv.jpg").stat().st_size / 2
