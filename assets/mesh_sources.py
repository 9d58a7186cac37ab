"""The files that an OBJ or glTF names beside itself, found without Blender; what climbs out of its folder is refused.

Blender's importers follow whatever path a file holds. So all of them are looked at first: they must lie in the file's
own folder or below it, be there, and, where they are pictures, be small enough to be decoded.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Collection, Iterator, Set
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

from ..errors import AssetError
from .files import remember
from .image_size import check_image
from .reach import is_below

__all__ = ["beside", "brings_materials", "check_picture", "named_files"]

#: Options of a texture statement in an MTL file and their numbers or switches, for example `-s 1 1 1 -clamp on`.
MTL_OPTIONS = re.compile(r"^(?:-[a-z]+(?:\s+(?:on|off|sphere|[rgbmlz]|-?[\d.]+(?:e-?\d+)?))*\s+)*", re.IGNORECASE)
MTL_MAPS = (
    "map_kd", "map_ka", "map_ks", "map_ke", "map_ns", "map_d", "map_refl", "map_pr", "map_pm", "map_ps", "map_bump",
    "bump", "norm", "disp", "refl", "decal",
)  # fmt: skip
GLB_MAGIC, JSON_CHUNK, BIN_CHUNK = b"glTF", b"JSON", b"BIN\0"
#: Elements of one accessor: more than the vertices of the largest mesh that is read can need.
MAX_ELEMENTS = 20_000_000
HEADER_BYTES = 1 << 20


def named_files(path: Path) -> tuple[Path, ...]:
    """All files beside an OBJ or glTF that it is read with; none for other formats.

    Raises:
        AssetError: one is missing, lies outside the folder, or is a picture that is too large; or the file is damaged.
    """
    suffix = path.suffix.lower()
    if suffix == ".obj":
        return tuple(dict.fromkeys(_of_obj(path)))
    return tuple(dict.fromkeys(_of_gltf(path))) if suffix in (".glb", ".gltf") else ()


def brings_materials(path: Path) -> bool:
    """Whether the faces of an OBJ, GLB or glTF have materials that the file describes; STL and PLY have none.

    Raises:
        AssetError: as `named_files`, as far as material libraries go.
    """
    remember(path)  # refuses what is missing, empty or a folder, with a message
    suffix = path.suffix.lower()
    if suffix == ".obj":
        libraries, used = _obj_materials(path)
        defined = {value for library in libraries for _, value in _statements(library, ("newmtl",))}
        return bool(defined & used)
    if suffix not in (".glb", ".gltf"):
        return False
    return any("material" in part for mesh in _gltf(path)[0].get("meshes", ()) for part in mesh.get("primitives", ()))


def check_picture(path: Path, name: str) -> None:
    """`image_size.check_image` of a file's beginning."""
    with path.open("rb") as file:
        check_image(file.read(HEADER_BYTES), name)


def beside(path: Path, name: str) -> Path:
    """The file that `path` names, which must exist in the folder of `path` or below it.

    Raises:
        AssetError: it is a URL, lies elsewhere or is not there.
    """
    target = _place(path, name)
    outside = not is_below(target, path.parent)
    if outside or PureWindowsPath(name).drive or re.match(r"[a-z][a-z0-9+.-]+:", name, re.IGNORECASE):
        raise AssetError(f'{path.name} names "{name}" outside its own folder: put the file beside {path.name}')
    if not _is_file(target):
        raise AssetError(f'{path.name} names "{name}", which is not there: put it beside {path.name}')
    return target


def _of_obj(path: Path) -> Iterator[Path]:
    """The material libraries, and the pictures of the materials that a face of the file has."""
    libraries, used = _obj_materials(path)
    for library in libraries:
        yield library
        material = ""
        for keyword, value in _statements(library, ("newmtl", *MTL_MAPS)):
            if keyword == "newmtl":
                material = value
            elif material in used:
                picture = beside(library, MTL_OPTIONS.sub("", value))
                check_picture(picture, f"{picture.name}, a texture of {path.name},")
                yield picture


def _obj_materials(path: Path) -> tuple[tuple[Path, ...], Set[str]]:
    """The material libraries of an OBJ, and the names of the materials that its faces have."""
    libraries: dict[Path, None] = {}
    used, material = set(), ""
    for keyword, value in _statements(path, ("mtllib", "usemtl", "f")):
        if keyword == "mtllib":
            libraries |= dict.fromkeys(_libraries(path, value))
        elif keyword == "usemtl":
            material = value
        else:
            used.add(material)
    return tuple(libraries), used


def _libraries(path: Path, names: str) -> list[Path]:
    """The material libraries of one statement: one whose name may hold blanks, or several."""
    if not _is_file(_place(path, names)) and any(_is_file(_place(path, name)) for name in names.split()):
        return [beside(path, name) for name in names.split()]
    return [beside(path, names)]


def _statements(path: Path, keywords: Collection[str]) -> Iterator[tuple[str, str]]:
    """(keyword in small letters, what follows it) of every line of a Wavefront file that begins with a keyword."""
    text = path.read_text("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")  # no path may hold NUL
    for line in text.splitlines():
        words = line.strip().split(None, 1)
        if len(words) == 2 and words[0].lower() in keywords:
            yield words[0].lower(), words[1]


def _place(path: Path, name: str) -> Path:
    return path.parent / PureWindowsPath(name).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is longer than the file system allows, or holds NUL
        return False


def _of_gltf(path: Path) -> Iterator[Path]:
    """Buffers and images that lie beside a glTF; embedded images are looked at too."""
    document, binary = _gltf(path)
    try:
        for number, accessor in enumerate(document.get("accessors", ())):
            if not 0 <= accessor["count"] <= MAX_ELEMENTS:
                raise AssetError(
                    f"{path.name}: accessor {number} counts {accessor['count']:,} elements, more than {MAX_ELEMENTS:,}:"
                    " decimate the mesh"
                )
        for buffer in document.get("buffers", ()):
            if not buffer.get("uri", "data:").startswith("data:"):
                yield beside(path, unquote(buffer["uri"]))
        for number, image in enumerate(document.get("images", ())):
            if "uri" in image and not image["uri"].startswith("data:"):
                picture = beside(path, unquote(image["uri"]))
                check_picture(picture, f"{picture.name}, a texture of {path.name},")
                yield picture
            else:
                check_image(_embedded(image, document, binary, path), f"{path.name}: image {number}")
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _embedded(image: dict[str, Any], document: dict[str, Any], binary: bytes, path: Path) -> bytes:
    """The beginning of an image that stands in the glTF's own buffers, or in its text."""
    if "uri" in image:
        return _decoded(image["uri"])
    view = document["bufferViews"][image["bufferView"]]
    buffer = document["buffers"][view["buffer"]]
    start = view.get("byteOffset", 0)
    end = start + min(view["byteLength"], HEADER_BYTES)
    if "uri" not in buffer:
        return binary[start:end]
    if buffer["uri"].startswith("data:"):
        return _decoded(buffer["uri"])[start:end]
    with beside(path, unquote(buffer["uri"])).open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _decoded(uri: str) -> bytes:
    head, comma, body = uri.partition(";base64,")
    if not comma:
        raise ValueError(f"a data URI without base64: {head:.40}")
    return base64.b64decode(body, validate=True)


def _gltf(path: Path) -> tuple[dict[str, Any], bytes]:
    """The document of a .gltf, or of a .glb with its binary chunk."""
    try:
        data = path.read_bytes()
        document, binary = _chunks(data) if data.startswith(GLB_MAGIC) else (json.loads(data), b"")
        if not isinstance(document, dict):
            raise ValueError("its JSON is no object")
    except (LookupError, ValueError, struct.error, RecursionError) as error:
        raise _damaged(path, error) from error
    return document, binary


def _chunks(data: bytes) -> tuple[Any, bytes]:
    """The JSON document and the binary chunk of a GLB (glTF 2.0, section 4.4)."""
    _magic, _version, length = struct.unpack_from("<4sII", data)
    if length != len(data):
        raise ValueError(f"header says {length} bytes, the file has {len(data)}")
    chunks, at = {}, 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", data, at)
        chunks[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size
    return json.loads(chunks[JSON_CHUNK]), chunks.get(BIN_CHUNK, b"")


def _damaged(path: Path, error: Exception) -> AssetError:
    return AssetError(f"{path.name} is no readable {path.suffix[1:].upper()} file ({error!r:.100}): export it again")
