"""Folders of texture maps: names that libraries use are recognised, and what makes no surface is refused by name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest

import scenewright as sw
from scenewright.assets.material import FileRef
from scenewright.assets.reach import Reach
from scenewright.assets.texture_names import role_of
from scenewright.assets.textures import texture, texture_files, textures_of
from scenewright.errors import AssetError, RecipeError
from scenewright.farm.one_scene import scene_files
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample

from .small_recipe import RECIPE

#: A file's name, as its library writes it → the role.
NAMES = {
    "red_brick_03_diff_1k.jpg": "colour",
    "red_brick_03_nor_gl_1k.exr": "normal_gl",
    "red_brick_03_nor_dx_4k.png": "normal_dx",
    "red_brick_03_rough_1k.jpg": "roughness",
    "red_brick_03_arm_1k.jpg": "packed",
    "red_brick_03_disp_1k.png": "height",
    "Bricks075A_1K-JPG_Color.jpg": "colour",
    "Bricks075A_1K-JPG_NormalGL.jpg": "normal_gl",
    "Bricks075A_1K-PNG_NormalDX.png": "normal_dx",
    "Bricks075A_1K-JPG_AmbientOcclusion.jpg": "occlusion",
    "Bricks075A_1K-JPG_Displacement.jpg": "height",
    "Metal049A_2K-PNG_Metalness.png": "metallic",
    "vlkhcbxia_2K_Albedo.jpg": "colour",
    "vlkhcbxia_2K_Gloss.jpg": "gloss",
    "vlkhcbxia_2K_Bump.jpg": "bump",
    "vlkhcbxia_2K_Opacity.jpg": "opacity",
    "worn-factory-siding_normal-ogl.png": "normal_gl",
    "worn-factory-siding_normal-dx.png": "normal_dx",
    "rustediron2_basecolor.png": "colour",
    "RedBrick01_2K_BaseColor.png": "colour",
    "RedBrick01_2K_AO.png": "occlusion",
    "RedBrick01_4096_Height.TIF": "height",
    "wood-1_basecolor-4K.jpg": "colour",
    "panel_Normal_DirectX.png": "normal_dx",
    "panel_Mixed_AO.png": "occlusion",
    "COL.png": "colour",
    "rock_diff-1024x1024.jpg": "colour",
    "Bricks075A.png": None,
    "rusty_metal_02.png": None,
    "Metal_Plate.png": None,
    "GlossyPaint.png": None,
    "readme.txt": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_usual_names_are_recognised(name: str) -> None:
    """The names of ambientCG, Poly Haven, Quixel, freepbr, cgbookcase and Substance; a material's own name is none."""
    assert role_of(name) == NAMES[name]


def pack(folder: Path, *names: str, size: tuple[int, int] = (8, 8)) -> Path:
    """A folder of grey maps."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), 128, np.uint8))
    return folder


def chosen(*names: str) -> tuple[dict[str, str], str]:
    """Role → name of the maps that a surface takes from files, and the convention of its normals."""
    made = texture("t", [FileRef(name=f"t/{name}", sha256="0" * 64) for name in names])
    return {role: ref.name.removeprefix("t/") for role, ref in made.maps.items()}, made.normals


def test_the_better_of_two_maps_is_taken() -> None:
    """Roughness before gloss, normals before heights, OpenGL before DirectX, single maps before packed ones."""
    assert chosen("color.png", "rough.png", "gloss.png") == (
        {"colour": "color.png", "roughness": "rough.png"},
        "opengl",
    )
    assert chosen("color.png", "nor_dx.png", "nor_gl.png", "disp.png")[0]["normal"] == "nor_gl.png"
    assert chosen("color.png", "nor_dx.png", "disp.png") == ({"colour": "color.png", "normal": "nor_dx.png"}, "directx")
    assert chosen("color.png", "bump.png", "height.png")[0] == {"colour": "color.png", "height": "height.png"}
    assert chosen("color.png", "arm.png", "rough.png")[0].keys() == {"colour", "packed", "roughness"}
    assert chosen("color.png", "arm.png", "rough.png", "metal.png", "ao.png")[0].keys() == {
        "colour", "roughness", "metallic", "occlusion",
    }  # fmt: skip


def test_plain_normals_follow_the_recipe() -> None:
    """A map called "normal" is read as the recipe says; one that names its convention is read as that."""
    for name, expected in (("normal", "directx"), ("nor_gl", "opengl")):
        files = [FileRef(name=f"t/{n}.png", sha256="0" * 64) for n in ("color", name)]
        assert texture("t", files, normals="directx").normals == expected


def test_folders_are_found_below_a_folder(tmp_path: Path) -> None:
    """A folder of folders, as libraries unpack them, is a pool; other files in them are passed over."""
    pack(tmp_path / "lib" / "brick" / "textures", "brick_diff_1k.png", "brick_rough_1k.png")
    pack(tmp_path / "lib" / "bark", "bark_Color.png", "bark.png", "bark_preview.jpg")
    (tmp_path / "lib" / "licence.txt").write_text("CC0")
    found = textures_of(texture_files(tmp_path / "lib", Reach(tmp_path)), "opengl", "box")
    assert [(t.name, sorted(t.maps)) for t in found] == [
        ("bark", ["colour"]), ("brick/textures", ["colour", "roughness"]),
    ]  # fmt: skip
    assert [
        t.name for t in textures_of(texture_files(tmp_path / "lib" / "bark", Reach(tmp_path)), "opengl", "box")
    ] == ["bark"]


def hollow_png(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def test_a_pool_says_what_is_wrong_where(tmp_path: Path) -> None:
    """Every way in which a folder makes no surface is an error that names the file and what to try."""

    def refusal(folder: Path) -> str:
        with pytest.raises(AssetError) as caught:
            texture_files(folder, Reach(folder))
        return str(caught.value)

    assert "none is no folder" in refusal(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "empty has no images (.png" in refusal(tmp_path / "empty")
    folder = pack(tmp_path / "grey", "grey.png", "grey_rough.png")
    assert "grey has no colour map among grey.png, grey_rough.png: let the name of one end with color" in refusal(
        folder
    )
    folder = pack(tmp_path / "twice", "a_col_1k.png", "a_col_2k.png")
    assert "twice: a_col_1k.png and a_col_2k.png both claim to be the colour map: keep one" in refusal(folder)
    folder = pack(tmp_path / "holes", "leaf_color.png", "leaf_opacity.png")
    assert "holes/leaf_opacity.png cuts holes into the surface, and labels" in refusal(folder)
    pack(pack(tmp_path / "sizes", "a_color.png"), "a_rough.png", size=(16, 16))
    assert "maps of one surface have one size, got a_color.png 8 × 8, a_rough.png 16 × 16" in refusal(
        tmp_path / "sizes"
    )
    folder = pack(tmp_path / "huge", "a_color.png")
    (folder / "a_rough.png").write_bytes(hollow_png(60_000, 60_000))
    assert "huge/a_rough.png says that it has 60,000 × 60,000 pixels" in refusal(folder)
    folder = pack(tmp_path / "text", "a_color.png")
    (folder / "a_ao.png").write_text("no picture")
    assert "text/a_ao.png is no picture that can be read" in refusal(folder)
    folder = pack(tmp_path / "cut", "a_color.png")
    (folder / "a_color.png").write_bytes((folder / "a_color.png").read_bytes()[:60])
    assert "cut/a_color.png cannot be read: it is cut off or damaged" in refusal(folder)
    rgba = np.full((8, 8, 4), 255, np.uint8)
    rgba[:4, :, 3] = 0
    cv2.imwrite(str(tmp_path / "text" / "a_color.png"), rgba)
    (tmp_path / "text" / "a_ao.png").unlink()
    assert "text/a_color.png is transparent in places" in refusal(tmp_path / "text")


def test_exr_maps_are_read(tmp_path: Path) -> None:
    """Maps in EXR, as Poly Haven has them, may stand beside others; one with NaN is refused."""
    folder = pack(tmp_path / "t", "t_diff_1k.png")
    pixels = np.full((8, 8, 3), 0.5, np.float32)
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": pixels}).write(str(folder / "t_nor_gl_1k.exr"))
    assert [ref.name for ref in texture_files(folder, Reach(folder))] == ["t/t_diff_1k.png", "t/t_nor_gl_1k.exr"]
    pixels[0, 0] = np.nan
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": pixels}).write(str(folder / "t_nor_gl_1k.exr"))
    with pytest.raises(AssetError, match=r"t_nor_gl_1k\.exr has NaN or infinite pixels"):
        texture_files(folder, Reach(folder))


def library(folder: Path) -> Path:
    """Two surfaces of different content."""
    for name, grey in (("bark", 90), ("tiles", 160)):
        pack(folder / name, f"{name}_rough.png")
        cv2.imwrite(str(folder / name / f"{name}_color.png"), np.full((8, 8, 3), grey, np.uint8))
    return folder


def made(base: Path, materials: Any, **more: Any) -> Recipe:
    return recipe_from_dict({**RECIPE, "surface": {"materials": materials}, **more}, base)


def test_a_pool_is_drawn_for_each_image_and_recorded(tmp_path: Path) -> None:
    """Both folders come up, each draw is noted with its quantile, and offset and turn are drawn and noted too."""
    library(tmp_path / "lib")
    recipe = made(tmp_path, {"textures": "lib", "values": {"tile_m": 0.5}})
    scenes = [sample(recipe, index) for index in range(8)]
    names = set()
    for scene in scenes:
        assert scene.surface is not None and scene.surface.material.texture is not None
        name = scene.surface.material.texture.name
        names.add(name)
        folder = scene.parameters["surface.materials.0.textures.folder"]
        assert folder.value == name and folder.quantile is not None
        values = scene.surface.material.values
        assert values["tile_m"] == 0.5 and values["normal_strength"] == 1.0
        turn = scene.parameters["surface.materials.0.values.turn_deg"]
        assert turn.value == values["turn_deg"] and turn.quantile is not None
    assert names == {"bark", "tiles"}
    assert type(scenes[0]).from_json(scenes[0].to_json()) == scenes[0]


def test_folders_may_be_a_choice_and_lie_on_anything(tmp_path: Path) -> None:
    """Objects, distractors and containers take textures as the surface does, by part, by weight or from a choice."""
    library(tmp_path / "lib")
    choice = {"dist": "choice", "options": {"lib/bark": 1, "lib/tiles": 3}}
    spec = {"textures": choice, "values": {"tile_m": {"dist": "uniform", "low": 0.1, "high": 0.3}}}
    objects = {"count": 2, "assets": [{"category": "a", "shape": "box", "materials": {"body": [spec, "wood"]}}]}
    recipe = made(
        tmp_path, "wood", objects=objects, container={"kind": "tray", "materials": spec}, placement={"area": [0.1, 0.1]}
    )
    scenes = [sample(recipe, index) for index in range(12)]
    families = {o.materials["body"].family for s in scenes for o in s.objects}
    assert families == {"textured", "wood"}
    used = [m.texture.name for s in scenes for o in s.objects for m in o.materials.values() if m.texture]
    assert set(used) == {"bark", "tiles"}
    tray = [m.texture for m in scenes[0].fixtures[0].materials.values()]
    assert all(t is not None and set(t.maps.values()) <= set(scene_files(scenes[0])) for t in tray)


def test_a_dataset_carries_its_textures(tmp_path: Path) -> None:
    """Maps are copied under their hashes, so images can be made when the library is gone."""
    library(tmp_path / "lib")
    recipe = made(tmp_path, {"textures": "lib", "values": {"tile_m": 0.5}})
    result = sw.generate(recipe, 1, tmp_path / "d")
    stored = {p.name for p in (tmp_path / "d" / "assets").iterdir()}
    assert stored == {f"{ref.sha256}.png" for refs in recipe.files.values() for ref in refs} and len(stored) == 3
    for path in (tmp_path / "lib").rglob("*.png"):
        path.unlink()
    assert result.complete and sw.generate(recipe, 3, tmp_path / "d").complete


@pytest.mark.parametrize(
    ("materials", "message"),
    [
        ({"textures": "t"}, "`textures` needs values.tile_m, how many metres of surface the pictures' width shows"),
        ({"textures": "none", "values": {"tile_m": 1}}, "surface.materials.0.textures: .*none is no folder"),
        ({"textures": "t", "family": "wood", "values": {}}, "`textures` are of the family 'textured', not of 'wood'"),
        ({"textures": "t", "mapping": "uv", "values": {"tile_m": 1}}, "the mesh's texture coordinates say where"),
        ({"textures": "t", "values": {"tile_m": 0}}, "textured.tile_m must be a number from 0.001 to 100, got 0"),
        ({"textures": 3, "values": {"tile_m": 1}}, "must be a name, got 3"),
        ({"textures": "t", "values": {"wear": 1, "tile_m": 1}}, "textured has no value 'wear'; it has metallic"),
        ({"family": "wood", "mapping": "uv"}, "`mapping` and `normals` are about `textures`"),
        ([{"weight": 1}], "a material needs a `family` or `textures`"),
    ],
)
def test_bad_textures_in_a_recipe(tmp_path: Path, materials: dict[str, Any], message: str) -> None:
    """What a recipe cannot ask of textures is an error in one line that names the place and the rule."""
    pack(tmp_path / "t", "t_color.png")
    with pytest.raises((RecipeError, AssetError), match=message):
        made(tmp_path, materials)


def test_texture_coordinates_must_be_there(tmp_path: Path) -> None:
    """`mapping: uv` on a mesh without texture coordinates, or on the surface, says so."""
    pack(tmp_path / "t", "t_color.png")
    spec = {"textures": "t", "mapping": "uv"}
    with pytest.raises(AssetError, match="surface has no texture coordinates: use `mapping: box`"):
        sample(made(tmp_path, spec), 0)
    objects = {"count": 1, "assets": [{"category": "a", "shape": "nut", "materials": spec}]}
    with pytest.raises(AssetError, match="this mesh has no texture coordinates: unwrap it"):
        sample(made(tmp_path, "wood", objects=objects), 0)
