"""The base-colour texture that a user's mesh file brings: named by an OBJ's material file, or embedded in a GLB."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from pathlib import Path, PureWindowsPath
from types import MappingProxyType
from typing import Any, TypeVar

import cv2
import numpy as np

from ..errors import AssetError
from .files import remember, store

__all__ = ["texture_of"]

T = TypeVar("T")

#: Options of a texture statement in an MTL file and their numbers or switches, for example `-s 1 1 1 -clamp on`.
MTL_OPTIONS = re.compile(r"^(?:-[a-z]+(?:\s+(?:on|off|-?[\d.]+(?:e-?\d+)?))*\s+)*", re.IGNORECASE)

GLB_MAGIC, JSON_CHUNK, BIN_CHUNK = b"glTF", b"JSON", b"BIN\0"
GLB_SUFFIXES: Mapping[str, str] = MappingProxyType({"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"})


def texture_of(path: Path, cache: Path | None = None) -> Path | None:
    """The image that colours a mesh file, or None if the file names none (STL and PLY cannot).

    Args:
        path: an OBJ, whose image must lie in the OBJ's own folder or below it, or a GLB.
        cache: folder that takes an image embedded in a GLB, as `<sha256><suffix>`; None: the user's cache folder.

    Raises:
        AssetError: the image is missing, lies elsewhere, is one of several, or cannot be decoded.
    """
    find = _FINDERS.get(path.suffix.lower())
    remember(path)  # refuses what is missing, empty or a folder, with a message
    image = find(path, cache or _user_cache()) if find else None
    if image is None:
        return None
    remember(image)
    if not _decodes(image):
        raise AssetError(f"{image.name}, the texture of {path.name}, cannot be decoded: save it as PNG or JPEG")
    return image


def _decodes(image: Path) -> bool:
    try:
        return cv2.imdecode(np.fromfile(image, dtype=np.uint8), cv2.IMREAD_COLOR) is not None
    except cv2.error:  # a format that is switched off, such as EXR, or more than 2³⁰ pixels
        return False


def _user_cache() -> Path:
    """`scenewright/textures` in the folder that the XDG Base Directory Specification names for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scenewright" / "textures"


def _of_obj(path: Path, cache: Path) -> Path | None:
    """The image of the materials that a face of the file has; a material library often holds others too."""
    libraries: dict[Path, None] = {}
    used, material = set(), ""
    for keyword, value in _statements(path, ("mtllib", "usemtl", "f")):
        if keyword == "mtllib":
            libraries |= dict.fromkeys(_libraries(path, value))
        elif keyword == "usemtl":
            material = value
        else:
            used.add(material)
    return _only({_beside(path, image) for library in libraries for image in _images(library, used)}, path)


def _libraries(path: Path, names: str) -> list[Path]:
    """The material libraries of one statement: one whose name may hold blanks, or several."""
    if not _is_file(_place(path, names)) and any(_is_file(_place(path, name)) for name in names.split()):
        return [_beside(path, name) for name in names.split()]
    return [_beside(path, names)]


def _images(library: Path, used: Set[str]) -> Iterator[str]:
    """The names of the base-colour images that a material library gives to the used materials."""
    material = ""
    for keyword, value in _statements(library, ("newmtl", "map_kd")):
        if keyword == "newmtl":
            material = value
        elif material in used:
            yield MTL_OPTIONS.sub("", value)


def _statements(path: Path, keywords: Collection[str]) -> Iterator[tuple[str, str]]:
    """(keyword in small letters, what follows it) of every line of a Wavefront file that begins with a keyword."""
    text = path.read_text("utf-8", errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")  # no path may hold NUL
    for line in text.splitlines():
        words = line.strip().split(None, 1)
        if len(words) == 2 and words[0].lower() in keywords:
            yield words[0].lower(), words[1]


def _beside(path: Path, name: str) -> Path:
    """The file that `path` names, which must exist in the folder of `path` or below it."""
    target = _place(path, name)
    if not target.resolve().is_relative_to(path.parent.resolve()) or PureWindowsPath(name).drive:
        raise AssetError(f'{path.name} names "{name}" outside its own folder: put the file beside {path.name}')
    if not _is_file(target):
        raise AssetError(f'{path.name} names "{name}", which is not there: put it beside {path.name}')
    return target


def _place(path: Path, name: str) -> Path:
    return path.parent / PureWindowsPath(name).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than the file system allows
        return False


def _of_glb(path: Path, cache: Path) -> Path | None:
    try:
        document, binary = _chunks(path.read_bytes())
        images = {json.dumps(image, sort_keys=True): image for image in _base_colours(document)}
        chosen = _only(set(images), path)
        if chosen is None:
            return None
        content, kind = _content(images[chosen], document, binary, path)
    except (LookupError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise AssetError(f"{path.name} is no readable GLB file ({error!r:.100}): export it again") from error
    if kind not in GLB_SUFFIXES:
        raise AssetError(f"{path.name} embeds a texture of type {kind}: use one of {', '.join(GLB_SUFFIXES)}")
    return store(content, GLB_SUFFIXES[kind], cache)


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON document and the binary chunk of a GLB (glTF 2.0, section 4.4)."""
    magic, _version, length = struct.unpack_from("<4sII", data)
    if magic != GLB_MAGIC or length != len(data):
        raise ValueError(f"header says {magic!r} and {length} bytes, the file has {len(data)}")
    chunks, at = {}, 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", data, at)
        chunks[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size
    return json.loads(chunks[JSON_CHUNK]), chunks.get(BIN_CHUNK, b"")


def _base_colours(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The base-colour images of all materials that a triangle of the file uses."""
    used = {part["material"] for mesh in document["meshes"] for part in mesh["primitives"] if "material" in part}
    surfaces = [document["materials"][index].get("pbrMetallicRoughness", {}) for index in sorted(used)]
    textures = [document["textures"][s["baseColorTexture"]["index"]] for s in surfaces if "baseColorTexture" in s]
    return [document["images"][texture["source"]] for texture in textures]


def _content(image: dict[str, Any], document: dict[str, Any], binary: bytes, path: Path) -> tuple[bytes, str]:
    """Bytes and media type of a glTF image."""
    if "bufferView" in image:
        view = document["bufferViews"][image["bufferView"]]
        start = view.get("byteOffset", 0)
        return binary[start : start + view["byteLength"]], image["mimeType"]
    head, comma, body = image["uri"].partition(";base64,")
    if not comma or not head.startswith("data:"):
        raise AssetError(
            f"{path.name} names its texture {image['uri']!r:.60} as a file: export it with embedded images"
        )
    return base64.b64decode(body, validate=True), head.removeprefix("data:")


def _only(images: set[T], path: Path) -> T | None:
    if len(images) > 1:
        raise AssetError(f"{path.name} uses {len(images)} base-colour textures, one is possible: bake them into one")
    return next(iter(images), None)


_FINDERS: Mapping[str, Callable[[Path, Path], Path | None]] = MappingProxyType({".obj": _of_obj, ".glb": _of_glb})
