"""What a USD file would fetch when it is opened: layers, payloads, references and textures, from its folder only."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import bpy

from ..assets.image_size import check_image
from ..assets.mesh_sources import HEADER_BYTES, beside, check_picture
from ..assets.reach import is_below, real
from ..errors import AssetError

__all__ = ["named_files"]

LAYERS = (".usd", ".usda", ".usdc")
MAX_LAYERS = 200


def named_files(path: Path) -> tuple[Path, ...]:
    """All files that a USD file is made of besides itself.

    Raises:
        AssetError: it reaches out of its folder, is a package that is compressed, or is damaged.
    """
    if path.suffix.lower() == ".usdz":
        _check_package(path)
        return ()
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        layer = waiting.pop()
        for name in _names(layer):
            if "[" in name or name.lower().endswith(".usdz"):
                raise AssetError(f"{path.name} names {name!r}, a package in a package: flatten it")
            place = beside(layer, name) if layer == path else _below(path, layer, name)
            if place in found or place == path:
                continue
            found[place] = None
            if len(found) > MAX_LAYERS:
                raise AssetError(f"{path.name} is made of more than {MAX_LAYERS} files: flatten it")
            if place.suffix.lower() in LAYERS:
                waiting.append(place)
            else:
                check_picture(place, f"{place.name}, a texture of {path.name},")
    return tuple(found)


def _below(path: Path, layer: Path, name: str) -> Path:
    """What a layer in a subfolder names, which may climb up to the folder of the main file."""
    place = layer.parent / name
    if not is_below(place, path.parent):
        raise AssetError(f'{layer.name} names "{name}" outside the folder of {path.name}: put it there')
    return beside(path, str(real(place).relative_to(real(path.parent))))


def _names(layer: Path) -> Iterator[str]:
    """What one layer names: found without composing, so nothing else is opened."""
    sdf, utils = _pxr()
    if sdf.Layer.OpenAsAnonymous(str(layer)) is None:
        raise AssetError(f"{layer.name} is no readable USD file: export it again")
    for kind in utils.ExtractExternalReferences(str(layer)):
        for name in kind:
            # UDIM and other patterns name many files: Blender would look for them.
            if "<" in name:
                raise AssetError(f"{layer.name} names the tiles {name!r}: bake them into one texture")
            yield name


def _pxr() -> tuple[Any, Any]:
    """Pixar's library as Blender brings it, which is not on Python's path."""
    place = Path(bpy.utils.resource_path("LOCAL")) / "python" / "lib"
    for folder in place.glob("python3*/site-packages"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    return import_module("pxr.Sdf"), import_module("pxr.UsdUtils")


def _check_package(path: Path) -> None:
    """A usdz holds its files as they are (USDZ specification, "Zip constraints"): nothing can unfold."""
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            for entry in entries:
                _check_entry(path, entry)
            if sum(e.file_size for e in entries) > path.stat().st_size:
                raise AssetError(f"{path.name} is a package whose files overlap: export it again")
            for entry in entries:
                suffix = Path(entry.filename).suffix.lower()
                if suffix not in LAYERS:
                    with package.open(entry) as file:
                        check_image(file.read(HEADER_BYTES), f"{entry.filename}, a texture of {path.name},")
                else:
                    _check_layer(path, package, entry)
    except zipfile.BadZipFile as error:
        raise AssetError(f"{path.name} is no readable USDZ file ({error}): export it again") from error


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise AssetError(
            f"{path.name} holds {entry.filename!r} compressed ({entry.compress_size:,} bytes that unfold to"
            f" {entry.file_size:,}), which a USDZ may not: export it again"
        )
    if entry.filename.startswith(("/", "\\")) or ".." in Path(entry.filename).parts:
        raise AssetError(f"{path.name} holds {entry.filename!r}, outside the package: export it again")


def _check_layer(path: Path, package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """A layer in a package may name what the package holds, and nothing else."""
    held = {e.filename for e in package.infolist()}
    sdf, utils = _pxr()
    inner = f"{path}[{entry.filename}]"
    if sdf.Layer.OpenAsAnonymous(inner) is None:
        raise AssetError(f"{entry.filename} in {path.name} is no readable USD file: export it again")
    for kind in utils.ExtractExternalReferences(inner):
        for name in kind:
            place = (Path(entry.filename).parent / name).as_posix()
            parts = [p for p in place.split("/") if p != "."]
            if "/".join(parts) not in held:
                raise AssetError(f"{entry.filename} in {path.name} names {name!r}, which the package does not hold")
