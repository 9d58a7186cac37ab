"""Opening files of each format in Blender, after what they could do with that has been looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..assets.files import remember
from ..assets.image_size import check_image
from ..assets.ingested import INGESTED, Source
from ..assets.mesh_files import UNITS, UP_AXES
from ..assets.mesh_sources import HEADER_BYTES, beside, check_picture, named_files
from ..assets.reach import real
from ..errors import AssetError
from . import ingest_blend, ingest_usd

__all__ = ["Content", "hashes", "pictures", "read"]


@dataclass(frozen=True)
class Content:
    """What is in Blender now.

    Attributes:
        collection: holds the objects that are the asset.
        to_file: (3, 3) rotation from Blender's axes to those that `up` is about.
        unit_m: metres in one unit of Blender's coordinates.
        up: the axis of `to_file`'s frame that points up.
        others: files that were read beside the source.
    """

    collection: Any
    to_file: npt.NDArray[np.float64]
    unit_m: float
    up: str
    others: tuple[Path, ...] = ()


def read(source: Source) -> Content:
    """Bring a file into an emptied Blender.

    Raises:
        AssetError: it reaches outside its folder, or holds something that is not allowed.
        RuntimeError: what Blender's operators raise.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    default_unit, default_up = INGESTED[source.suffix]
    up = source.up or default_up
    if source.suffix == ".blend":
        collection, unit_m, others = ingest_blend.open_file(source)
        return Content(collection, np.eye(3), UNITS[source.unit] if source.unit else unit_m, up, others)
    others = ingest_usd.named_files(source.path) if source.suffix.startswith(".usd") else named_files(source.path)
    done = _IMPORTERS[source.suffix](str(source.path))
    if done != {"FINISHED"}:
        raise RuntimeError("the importer gave up")
    ingest_blend.silence()
    ingest_blend.check_content(source.path, others)
    # The glTF importer turns +y to +z; `up` is about the file's own axes, so that is taken back.
    to_file = np.array(UP_AXES["y"], dtype=np.float64).T if default_up == "y" else np.eye(3)
    unit_m = UNITS[source.unit or default_unit or "m"]
    return Content(bpy.context.scene.collection, to_file, unit_m, up, others)


def _obj(path: str) -> set[str]:
    return set(
        bpy.ops.wm.obj_import(filepath=path, forward_axis="Y", up_axis="Z", global_scale=1.0, use_split_objects=False)
    )


def _gltf(path: str) -> set[str]:
    return set(bpy.ops.import_scene.gltf(filepath=path, import_pack_images=True, import_shading="NORMALS"))


def _fbx(path: str) -> set[str]:
    return set(bpy.ops.wm.fbx_import(filepath=path, use_anim=False, use_custom_props=False))


def _usd(path: str) -> set[str]:
    return set(
        bpy.ops.wm.usd_import(
            filepath=path, import_cameras=False, import_lights=False, import_volumes=False, set_frame_range=False,
            import_textures_mode="IMPORT_PACK", create_world_material=False, apply_unit_conversion_scale=True,
        )
    )  # fmt: skip


_IMPORTERS: Mapping[str, Callable[[str], set[str]]] = MappingProxyType(
    {
        ".obj": _obj, ".glb": _gltf, ".gltf": _gltf, ".fbx": _fbx,
        ".usd": _usd, ".usda": _usd, ".usdc": _usd, ".usdz": _usd,
    }
)  # fmt: skip


def pictures(source: Source, materials: Iterable[Any]) -> tuple[Path, ...]:
    """Check and pack the images that the materials use; gives the files that they were in.

    Raises:
        AssetError: one is missing, lies outside the source's folder, is no still picture or too large.
    """
    files = []
    for image in ingest_blend.images_of(materials):
        label = f"{image.name}, a texture of {source.path.name},"
        if image.source == "GENERATED":
            continue
        if image.source != "FILE":
            raise AssetError(f"{label} is {image.source.lower()}, not one picture: save it as PNG, JPEG or EXR")
        if image.packed_file is not None:
            check_image(bytes(image.packed_file.data[:HEADER_BYTES]), label)
            continue
        path = Path(bpy.path.abspath(image.filepath))
        name = str(path.relative_to(source.path.parent)) if path.is_relative_to(source.path.parent) else str(path)
        place = beside(source.path, name)
        check_picture(place, label)
        image.pack()
        files.append(place)
    return tuple(files)


def hashes(source: Source, others: Iterable[Path]) -> dict[str, str]:
    """Path below the source's folder → sha256 of each other file that was read."""
    base = real(source.path.parent)
    return {os.path.relpath(real(p), base): remember(p).sha256 for p in sorted(others)}
