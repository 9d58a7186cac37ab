"""The files that an OBJ or glTF names beside itself: found where it names them, or refused with a message."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from scenewright.assets.image_size import image_size
from scenewright.assets.mesh_sources import brings_materials, named_files
from scenewright.errors import AssetError


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def png(colour: int) -> bytes:
    return cv2.imencode(".png", np.full((4, 4, 3), colour, np.uint8))[1].tobytes()


def hollow_png(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to nothing."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"0"), b"IEND")
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def obj_with(folder: Path, statement: str) -> Path:
    text(folder / "m.mtl", f"newmtl a\nKd 1 1 1\n{statement}\n")
    return text(folder / "m.obj", "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nusemtl a\nf 1 3 2\n")


@pytest.mark.parametrize(
    "statement", ["map_Kd tex/a b.png", r"map_kd tex\a b.png", "  map_Kd -s 1 1 1 -o 0.5 -clamp on tex/a b.png  "]
)
def test_obj_texture(tmp_path: Path, statement: str) -> None:
    """An image is found through the material file: with blanks, backslashes and options as exporters write them."""
    (tmp_path / "tex").mkdir()
    (tmp_path / "tex" / "a b.png").write_bytes(png(90))
    assert named_files(obj_with(tmp_path, statement)) == (tmp_path / "m.mtl", tmp_path / "tex" / "a b.png")


FACE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\n"


@pytest.mark.parametrize(
    ("faces", "image"),
    [
        ("usemtl wood\nf 1 3 2\n", "1.png"),
        ("usemtl sheet metal\nf 1 3 2\n", "2.png"),
        ("usemtl wood\nusemtl sheet metal\nf 1 3 2\n", "2.png"),
        ("usemtl bare\nf 1 3 2\n", None),
        ("f 1 3 2\n", None),
    ],
)
def test_only_materials_that_a_face_has_count(tmp_path: Path, faces: str, image: str | None) -> None:
    """A library may hold more materials than an OBJ uses: the image is that of the material on its faces."""
    text(tmp_path / "m.mtl", "newmtl wood\nmap_Kd 1.png\nnewmtl sheet metal\nmap_Kd 2.png\nnewmtl bare\nKd 1 1 1\n")
    for name, colour in (("1.png", 10), ("2.png", 20)):
        (tmp_path / name).write_bytes(png(colour))
    path = text(tmp_path / "m.obj", f"mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\n{faces}")
    assert named_files(path) == (tmp_path / "m.mtl", *([tmp_path / image] if image else []))
    assert brings_materials(path) == ("usemtl" in faces)


def test_one_statement_may_name_several_libraries(tmp_path: Path) -> None:
    """`mtllib` names one file with blanks in its name where there is one, else several files."""
    (tmp_path / "1.png").write_bytes(png(10))
    text(tmp_path / "a.mtl", "newmtl other\nKd 1 1 1\n")
    text(tmp_path / "b.mtl", "newmtl wood\nmap_Kd 1.png\n")
    path = text(tmp_path / "m.obj", f"mtllib a.mtl b.mtl\nusemtl wood\n{FACE}")
    assert named_files(path) == (tmp_path / "a.mtl", tmp_path / "b.mtl", tmp_path / "1.png")
    text(tmp_path / "a.mtl b.mtl", "newmtl wood\nKd 1 1 1\n")
    assert named_files(path) == (tmp_path / "a.mtl b.mtl",)
    text(path, f"mtllib a.mtl c.mtl\nusemtl wood\n{FACE}")
    with pytest.raises(AssetError, match=r'm\.obj names "c\.mtl", which is not there'):
        named_files(path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "no such.mtl"])
def test_a_library_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A missing library is named whole, whatever its name is made of."""
    with pytest.raises(AssetError, match=r'm\.obj names "(x{300}|a\ufffdb|no such\.mtl)", which is not there'):
        named_files(text(tmp_path / "m.obj", f"mtllib {name}\n{FACE}"))


def test_files_that_name_no_other(tmp_path: Path) -> None:
    """STL and PLY name no files and bring no materials."""
    for name in ("b.stl", "b.ply"):
        trimesh.creation.box().export(tmp_path / name)
        assert named_files(tmp_path / name) == () and not brings_materials(tmp_path / name)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("map_Kd absent.png", r'm\.mtl names "absent\.png", which is not there: put it beside'),
        ("map_Kd ../../secret.png", r"outside its own folder"),
        ("map_Kd /etc/passwd", r"outside its own folder"),
        ("map_Kd C:\\textures\\a.png", r"outside its own folder"),
        ("map_Kd m.obj", r"m\.obj, a texture of m\.obj, is no picture"),
        ("map_Kd sky.exr", r"sky\.exr, a texture of m\.obj, is no picture"),
        (
            "map_Kd wide.png",
            r"wide\.png, a texture of m\.obj, says that it has 60,000 × 60,000 pixels; a texture may have 16,384",
        ),
        ("map_Kd http://a.b/c.png", r"outside its own folder"),
    ],
)
def test_bad_obj_textures(tmp_path: Path, statement: str, message: str) -> None:
    """A texture that is missing, outside the folder, no image, or one of several is an error that says so."""
    for name, colour in (("1.png", 10), ("2.png", 20)):
        (tmp_path / name).write_bytes(png(colour))
    (tmp_path / "sky.exr").write_bytes(b"\x76\x2f\x31\x01\x02\0\0\0" + bytes(100))
    (tmp_path / "wide.png").write_bytes(hollow_png(60_000, 60_000))
    with pytest.raises(AssetError, match=message):
        named_files(obj_with(tmp_path, statement))


def gltf(path: Path, image: dict[str, object], buffer: dict[str, object] | None = None, count: int = 3) -> Path:
    """A .gltf or .glb with one image and one buffer, and an accessor of `count` elements."""
    document = {
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [image],
        "accessors": [{"componentType": 5126, "type": "VEC3", "count": count}],
        "bufferViews": [{"buffer": 0, "byteLength": 200}],
        "buffers": [buffer or {"byteLength": 200}],
    }
    body = json.dumps(document).encode()
    if path.suffix == ".gltf":
        path.write_bytes(body)
        return path
    body += b" " * (-len(body) % 4)
    chunks = struct.pack("<I4s", len(body), b"JSON") + body
    binary = hollow_png(60_000, 60_000)
    binary += b"\0" * (-len(binary) % 4)
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
    return path


@pytest.mark.parametrize("suffix", [".gltf", ".glb"])
def test_gltf_files(tmp_path: Path, suffix: str) -> None:
    """Buffers and images beside a glTF are found, names with percent signs too."""
    (tmp_path / "a b.png").write_bytes(png(1))
    (tmp_path / "x.bin").write_bytes(bytes(200))
    path = gltf(tmp_path / f"t{suffix}", {"uri": "a%20b.png"}, {"uri": "x.bin", "byteLength": 200})
    assert named_files(path) == (tmp_path / "x.bin", tmp_path / "a b.png")
    assert brings_materials(path)


PNG_60K = "data:image/png;base64," + b64encode(hollow_png(60_000, 60_000)).decode()
HERE: dict[str, object] = {"uri": "a.png"}


@pytest.mark.parametrize(
    ("image", "buffer", "count", "message"),
    [
        ({"uri": "../../etc/passwd"}, None, 3, "outside its own folder"),
        ({"uri": "%2e%2e/%2e%2e/etc/passwd"}, None, 3, "outside its own folder"),
        ({"uri": "/etc/passwd"}, None, 3, "outside its own folder"),
        ({"uri": "file:///etc/passwd"}, None, 3, "outside its own folder"),
        ({"uri": "https://a.b/c.png"}, None, 3, "outside its own folder"),
        ({"uri": "absent.png"}, None, 3, "which is not there"),
        (HERE, {"uri": "../x.bin", "byteLength": 200}, 3, "outside its own folder"),
        (HERE, {"uri": "http://a.b/x.bin", "byteLength": 200}, 3, "outside its own folder"),
        (HERE, None, 2**31, "accessor 0 counts 2,147,483,648 elements"),
        (HERE, None, -1, "accessor 0 counts -1 elements"),
        ({"uri": PNG_60K}, None, 3, "image 0 says that it has 60,000 × 60,000 pixels"),
        ({"bufferView": 0, "mimeType": "image/png"}, None, 3, "image 0 says that it has 60,000 × 60,000 pixels"),
        ({"bufferView": 7, "mimeType": "image/png"}, None, 3, "no readable GLB file"),
        ({}, None, 3, "no readable GLB file"),
        ({"uri": "data:image/png,raw"}, None, 3, "no readable GLB file"),
    ],
)
def test_gltf_that_reaches_out_or_unfolds(
    tmp_path: Path, image: dict[str, object], buffer: dict[str, object] | None, count: int, message: str
) -> None:
    """A glTF that names what lies elsewhere, or holds what would fill the memory, is refused unopened."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(png(1))
    with pytest.raises(AssetError, match=message):
        named_files(gltf(tmp_path / "sub" / "t.glb", image, buffer, count))


def test_sizes_of_pictures() -> None:
    """The header's size is that of the picture, in every format that OpenCV writes here."""
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".hdr"):
        kind = np.float32 if suffix == ".hdr" else np.uint8
        data = cv2.imencode(suffix, np.zeros((5, 7, 3), kind))[1].tobytes()
        assert image_size(data) == (7, 5), suffix
    assert image_size(b"no picture") is None and image_size(b"\x89PNG\r\n\x1a\n") is None
