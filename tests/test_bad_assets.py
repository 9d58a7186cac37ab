"""Meshes and panoramas that a recipe names and that cannot be used: found when it is loaded, not at image 4711."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import trimesh

import scenewright as sw
from scenewright.errors import AssetError, RecipeError, ScenewrightError
from scenewright.scenes.load import load

BOX = trimesh.creation.box((10, 20, 30))
STL: bytes = BOX.export(file_type="stl")
OBJ: str = BOX.export(file_type="obj")
TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv {} 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"

#: File in the recipe's `path` → its content, what else stands in the asset, what the message says.
MESHES: dict[str, tuple[bytes | str, str, str]] = {
    "cut.stl": (STL[:200], "", "cut.stl is cut off, damaged or no STL file: 684 bytes would hold the 12 triangles"),
    "text.stl": ("This is no mesh.\n", "", "text.stl is cut off, damaged or no STL file"),
    "bare.stl": ("solid x\nendsolid x\n", "", "bare.stl has no faces: export it as triangles"),
    "empty.stl": ("", "", "empty.stl is empty (0 bytes): export or copy it again"),
    "points.obj": ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "", "points.obj has no faces"),
    "nan.obj": (TETRAHEDRON.format("nan"), "", "nan.obj: 1 vertices are NaN or infinite"),
    "point.obj": ("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "", "point.obj has no extent"),
    "flat.obj": ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "", "flat.obj is flat (1 × 1 × 0 m): give it a thickness"),
    "stray.obj": ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "", "stray.obj is no readable OBJ file"),
    "noise.glb": (b"glTF" + bytes(range(200)), "", "noise.glb is no readable GLB file"),
    "noise.ply": (bytes(range(200)), "", "noise.ply is no readable PLY file"),
    "bare.obj": (f"mtllib none.mtl\n{OBJ}", "", 'names "none.mtl", which is not there: put it beside bare.obj'),
    "climbs.obj": (f"mtllib ../../x.mtl\n{OBJ}", "", 'names "../../x.mtl" outside its own folder'),
    "notes.txt": ("notes", "", ".txt is no mesh format; export as .obj, .stl, .ply, .glb"),
    "metres.obj": (OBJ.replace("5.0", "500.0"), "", "Did you mean unit: mm?"),
    "micro.stl": (
        STL,
        "unit: um",
        "would be 3e-05 m across with unit: um, outside 0.0001 m to 100 m. Did you mean unit",
    ),
    "yards.stl": (STL, "unit: yd", "unit: must be 'm', 'cm', 'mm', 'um', 'in' or 'ft', got 'yd'"),
    "up.stl": (STL, "up: w", "up: must be 'x', 'y', 'z', '-x', '-y' or '-z', got 'w'"),
    "scale.stl": (STL, "scale: 0", "scale: must be above 0, got 0"),
    "params.stl": (STL, "params: {x_m: 1}", "`params` belong to a procedural `shape`; a file has none"),
    "part.stl": (STL, "materials: {all: zink}", "'zink' is no material"),
}

#: A pattern that fits no mesh → what the message says.
PATTERNS = {
    "none/*.stl": "no file matches 'none/*.stl' in {}",
    "none.stl": "no file matches 'none.stl' in {}",
    ".": "{} is a folder: name the files in it, for example ./*.stl",
    "": "is a folder",
    "/": "leads to /, out of the recipe's folder {}: put it there",
    "***": "** stands beside other letters",
    "a\\0b": "cannot name a file: take the NUL out of it",
    "loop.stl": "no file matches 'loop.stl'",
}


def refusal(path: Path, kind: type[ScenewrightError]) -> str:
    with pytest.raises(kind) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def recipe(folder: Path, asset: str = "shape: box", more: str = "") -> Path:
    path = folder / "r.yaml"
    path.write_text(
        f"name: t\nobjects: {{count: 1, assets: [{{category: a, {asset}}}]}}\nrender: {{engine: flat}}\n{more}\n"
    )
    return path


@pytest.mark.parametrize("name", MESHES)
def test_a_mesh_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    """The message names the recipe, the place in it, the mesh file, and what to try."""
    content, more, said = MESHES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(recipe(tmp_path, f"path: {name}, {more}"), ScenewrightError)
    assert said in message and f"{tmp_path}/r.yaml: objects.assets.0" in message


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_without_a_mesh(pattern: str, tmp_path: Path) -> None:
    """A pattern is answered with the folder where it was looked for."""
    (tmp_path / "loop.stl").symlink_to("loop.stl")
    said = PATTERNS[pattern].format(tmp_path)
    assert said in refusal(recipe(tmp_path, f'path: "{pattern}"'), RecipeError)


def test_one_bad_mesh_among_many_is_named(tmp_path: Path) -> None:
    """Of the files that a pattern matches, the message names the one that is broken."""
    for name, data in (("a.stl", STL), ("b.stl", STL[:99]), ("c.stl", STL)):
        (tmp_path / name).write_bytes(data)
    assert "objects.assets.0.path: b.stl is cut off" in refusal(recipe(tmp_path, "path: '*.stl'"), AssetError)


def test_the_same_mesh_in_another_unit_is_checked_again(tmp_path: Path) -> None:
    """Two assets may share a file; each one's unit must make sense."""
    (tmp_path / "a.stl").write_bytes(STL)
    path = recipe(tmp_path, "path: a.stl}, {category: b, path: a.stl, unit: um")
    assert "objects.assets.1.path: a.stl would be" in refusal(path, AssetError)


def exr(path: Path, width: int, height: int, value: float = 1.0) -> bytes:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"RGB": np.full((height, width, 3), value, np.float32)}) as file:
        file.write(str(path))
    return path.read_bytes()


PANORAMAS: dict[str, tuple[Callable[[Path], object], str]] = {
    "square.exr": (lambda p: exr(p, 32, 32), "square.exr is 32×32: a panorama of the whole sphere is twice as wide"),
    "black.exr": (lambda p: exr(p, 64, 32, 0.0), "black.exr is black (mean luminance 0): it would light nothing"),
    "nan.exr": (lambda p: exr(p, 64, 32, float("nan")), "nan.exr has 2048 NaN or infinite pixels"),
    "cut.exr": (lambda p: p.write_bytes(exr(p, 64, 32)[:300]), "cut.exr cannot be read as .exr"),
    "text.hdr": (lambda p: p.write_text("no image"), "text.hdr cannot be read as .hdr"),
    "empty.exr": (lambda p: p.touch(), "empty.exr is empty (0 bytes): export or copy it again"),
    "photo.jpg": (lambda p: p.write_bytes(b"\xff\xd8"), ".jpg is no HDRI format; use .exr or .hdr"),
    "folder": (lambda p: p.mkdir(), "folder has no .exr or .hdr file: put equirectangular panoramas into it"),
}


@pytest.mark.parametrize("name", PANORAMAS)
def test_a_panorama_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    """The message names the recipe, the place in it, the file, and what to try."""
    make, said = PANORAMAS[name]
    make(tmp_path / name)
    message = refusal(recipe(tmp_path, more=f"world: {{hdri: {name}}}"), AssetError)
    assert f"world.hdri: {tmp_path}" in message or f"world.hdri: {name}" in message
    assert said in message


def test_one_bad_panorama_in_a_folder_is_named(tmp_path: Path) -> None:
    """A folder of panoramas is read as a whole before the first image."""
    (tmp_path / "sky").mkdir()
    exr(tmp_path / "sky" / "a.exr", 64, 32)
    (tmp_path / "sky" / "b.exr").write_bytes(b"xx")
    message = refusal(recipe(tmp_path, more="world: {hdri: sky}"), AssetError)
    assert "world.hdri: b.exr cannot be read" in message


@pytest.mark.render
def test_a_texture_that_cannot_be_used(tmp_path: Path, fresh_cache: Path) -> None:
    """A texture that is missing or no image is an error, never a grey part."""
    (tmp_path / "t.obj").write_text(f"mtllib t.mtl\nusemtl m\n{OBJ}")
    (tmp_path / "t.mtl").write_text("newmtl m\nmap_Kd t.png\n")
    path = recipe(tmp_path, "path: t.obj")
    with pytest.raises(AssetError, match=r'objects.assets.0.path: t.mtl names "t.png", which is not there'):
        sw.load(path)
    (tmp_path / "t.png").write_text("no image")
    with pytest.raises(AssetError, match=r"t.png, a texture of t.obj, is no picture that can be read as a texture"):
        sw.load(path)
