"""The texture that a mesh file brings: found where the file names it, or refused with a message."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from scenewright.assets.mesh_files import texture_of
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
    assert texture_of(obj_with(tmp_path, statement)) == tmp_path / "tex" / "a b.png"


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
    assert texture_of(path) == (tmp_path / image if image else None)


def test_one_statement_may_name_several_libraries(tmp_path: Path) -> None:
    """`mtllib` names one file with blanks in its name where there is one, else several files."""
    (tmp_path / "1.png").write_bytes(png(10))
    text(tmp_path / "a.mtl", "newmtl other\nKd 1 1 1\n")
    text(tmp_path / "b.mtl", "newmtl wood\nmap_Kd 1.png\n")
    path = text(tmp_path / "m.obj", f"mtllib a.mtl b.mtl\nusemtl wood\n{FACE}")
    assert texture_of(path) == tmp_path / "1.png"
    text(tmp_path / "a.mtl b.mtl", "newmtl wood\nKd 1 1 1\n")
    assert texture_of(path) is None
    text(path, f"mtllib a.mtl c.mtl\nusemtl wood\n{FACE}")
    with pytest.raises(AssetError, match=r'm\.obj names "c\.mtl", which is not there'):
        texture_of(path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "no such.mtl"])
def test_a_library_that_is_not_there(tmp_path: Path, name: str) -> None:
    """A missing library is named whole, whatever its name is made of."""
    with pytest.raises(AssetError, match=r'm\.obj names "(x{300}|a\ufffdb|no such\.mtl)", which is not there'):
        texture_of(text(tmp_path / "m.obj", f"mtllib {name}\n{FACE}"))


def test_no_texture_is_none(tmp_path: Path) -> None:
    """A file that names no image has none; STL and PLY never have."""
    assert texture_of(obj_with(tmp_path, "Ks 0 0 0")) is None
    trimesh.creation.box().export(tmp_path / "b.stl")
    assert texture_of(tmp_path / "b.stl") is None


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("map_Kd absent.png", r'm\.obj names "absent\.png", which is not there: put it beside'),
        ("map_Kd ../../secret.png", r"outside its own folder"),
        ("map_Kd /etc/passwd", r"outside its own folder"),
        ("map_Kd C:\\textures\\a.png", r"outside its own folder"),
        ("map_Kd m.obj", r"m\.obj, the texture of m\.obj, cannot be decoded"),
        ("map_Kd sky.exr", r"sky\.exr, the texture of m\.obj, cannot be decoded: save it as PNG or JPEG"),
        ("map_Kd wide.png", r"wide\.png, the texture of m\.obj, cannot be decoded: save it as PNG or JPEG"),
        ("map_Kd 1.png\nmap_Kd 2.png", r"uses 2 base-colour textures, one is possible: bake"),
    ],
)
def test_bad_obj_textures(tmp_path: Path, statement: str, message: str) -> None:
    """A texture that is missing, outside the folder, no image, or one of several is an error that says so."""
    for name, colour in (("1.png", 10), ("2.png", 20)):
        (tmp_path / name).write_bytes(png(colour))
    (tmp_path / "sky.exr").write_bytes(b"\x76\x2f\x31\x01\x02\0\0\0" + bytes(100))
    (tmp_path / "wide.png").write_bytes(hollow_png(40_000, 40_000))  # 1.6 billion pixels, OpenCV reads 2³⁰
    with pytest.raises(AssetError, match=message):
        texture_of(obj_with(tmp_path, statement))


def glb(image: dict[str, object], binary: bytes) -> bytes:
    document = {
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [image],
        "bufferViews": [{"buffer": 0, "byteLength": len(binary)}],
    }
    chunks = b""
    for kind, body in ((b"JSON", json.dumps(document).encode()), (b"BIN\0", binary)):
        body += b" " * (-len(body) % 4)
        chunks += struct.pack("<I4s", len(body), kind) + body
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


@pytest.mark.parametrize(
    "embed",
    [
        lambda data: ({"bufferView": 0, "mimeType": "image/png"}, data),
        lambda data: ({"uri": "data:image/png;base64," + base64.b64encode(data).decode()}, b""),
    ],
)
def test_glb_texture_is_extracted(tmp_path: Path, embed: Callable[[bytes], tuple[dict[str, object], bytes]]) -> None:
    """An image inside a GLB, as a buffer or as text, is written to the cache byte for byte."""
    path = tmp_path / "t.glb"
    path.write_bytes(glb(*embed(png(123))))
    image = texture_of(path, tmp_path / "cache")
    assert image is not None
    assert image.parent == tmp_path / "cache"
    assert image.suffix == ".png"
    assert image.read_bytes() == png(123)


@pytest.mark.parametrize(
    ("image", "binary", "message"),
    [
        ({"uri": "wood.png"}, b"", "names its texture 'wood.png' as a file: export it with embedded images"),
        ({"bufferView": 7, "mimeType": "image/png"}, b"", "no readable GLB file"),
        ({"bufferView": 0, "mimeType": "image/ktx2"}, b"x", "embeds a texture of type image/ktx2"),
        ({"bufferView": 0, "mimeType": "image/png"}, b"junk", "cannot be decoded"),
        ({}, b"", "no readable GLB file"),
    ],
)
def test_bad_glb_textures(tmp_path: Path, image: dict[str, object], binary: bytes, message: str) -> None:
    """A GLB whose image is elsewhere, absent, of a foreign kind or damaged is an asset error."""
    path = tmp_path / "t.glb"
    path.write_bytes(glb(image, binary))
    with pytest.raises(AssetError, match=message):
        texture_of(path, tmp_path / "cache")
