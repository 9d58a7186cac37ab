"""What became of a user's file in Blender: triangles for the ray engine, and a library that Blender renders from.

Reading such files takes Blender, so `render.ingest` does it once, in a process of its own. This module names the
results by what they were made from, and finds and reads them; it imports no Blender.

::

    <user cache>/scenewright/ingested/<key>.json        what was read, and what came out of it
    <user cache>/scenewright/ingested/<sha256>.npz      the triangles: the same on every run
    <user cache>/scenewright/ingested/<sha256>.blend    the mesh with its materials and packed images

The key is of the file's content, the options and the versions; the JSON lists the other files that were read (buffers,
textures, material libraries) with their hashes, and counts only while they are what they were.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import AssetError
from .atomic import atomic_file
from .cache import LIMIT_BYTES, Cache
from .cutouts import Cutout, Opacity
from .files import locate, remember
from .material import FileRef
from .mesh import Mesh
from .mesh_files import UserMesh, read_mesh

__all__ = [
    "INGESTED",
    "LIBRARY",
    "MESH",
    "MESH_SUFFIX",
    "STATED",
    "Ingest",
    "Ingested",
    "Source",
    "cache_folder",
    "keep",
    "lookup",
    "pack",
    "read_ingested",
    "user_mesh",
]

#: Raised whenever the same file would come out otherwise.
VERSION = 2
MESH_SUFFIX = ".npz"
#: What the process that reads a source calls what it has made of it.
MESH, LIBRARY = f"mesh{MESH_SUFFIX}", "library.blend"
#: Suffixes that `render.ingest` reads, with the unit and up axis of what it hands on where the recipe gives none. FBX
#: and USD state their unit and axes, Blender brings them to metres with z up; a .blend's scene has a unit scale.
INGESTED: Mapping[str, tuple[str | None, str]] = MappingProxyType(
    {
        ".obj": ("m", "z"),
        ".glb": ("m", "y"),
        ".gltf": ("m", "y"),
        ".fbx": (None, "z"),
        ".usd": (None, "z"),
        ".usda": (None, "z"),
        ".usdc": (None, "z"),
        ".usdz": (None, "z"),
        ".blend": (None, "z"),
    }
)
#: Those whose unit a recipe cannot give: the file says it.
STATED = (".fbx", ".usd", ".usda", ".usdc", ".usdz")

#: Arrays of a mesh file by name, in this order.
_ARRAYS = ("vertices", "faces", "face_part", "uv", "facts", "names")


@dataclass(frozen=True)
class Source:
    """A file and how to read it: what `render.ingest` is asked for.

    Attributes:
        path: the file.
        unit: length of one unit, a key of `mesh_files.UNITS`; None: as the format or the file says.
        up: axis that points up, a key of `mesh_files.UP_AXES`; None: as the format says. For what Blender turns itself
            (FBX, USD, .blend) it is an axis of Blender's scene.
        collection: the collection of a .blend file; None: all that its scene renders.
    """

    path: Path
    unit: str | None = None
    up: str | None = None
    collection: str | None = None

    @property
    def suffix(self) -> str:
        """The file's suffix in small letters."""
        return self.path.suffix.lower()


class Ingested(BaseModel):
    """The two files that a source has become; equal triangles in both, in the same order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mesh: FileRef
    library: FileRef


#: What makes them, in a process of its own.
Ingest = Callable[[Source], Ingested]


class _Entry(BaseModel):
    """One result under a key, and the other files that it comes from: path below the source's folder → sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    others: dict[str, str]
    made: Ingested


class _Manifest(BaseModel):
    """All results under a key: the same file may lie in two folders beside two textures."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    entries: tuple[_Entry, ...] = ()


def cache_folder() -> Path:
    """`scenewright/ingested` in the folder that the XDG Base Directory Specification names for caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scenewright" / "ingested"


def lookup(source: Source) -> Ingested | None:
    """What the source has become earlier, from the same files; None: it has to be made.

    Raises:
        AssetError: the source cannot be read.
    """
    for entry in _manifest(source).entries:
        if all(_has(source.path.parent / name, sha256) for name, sha256 in entry.others.items()):
            files = {f.sha256: cache_folder() / f"{f.sha256}{Path(f.name).suffix}" for f in _both(entry.made)}
            if all(_has(path, sha256) for sha256, path in files.items()):
                return entry.made
    return None


def keep(source: Source, mesh: Path, library: Path, others: Mapping[str, str]) -> Ingested:
    """Move what was made of a source into the cache; `others` as in the manifest.

    Raises:
        AssetError: the cache cannot be written.
    """
    refs = [FileRef(name=f"{source.path.name}{p.suffix}", sha256=remember(p).sha256) for p in (mesh, library)]
    made = Ingested(mesh=refs[0], library=refs[1])
    known = [e for e in _manifest(source).entries if e.others != dict(others)]
    manifest = _Manifest(entries=(*known, _Entry(others=dict(others), made=made)))
    try:
        for ref, path in zip(refs, (mesh, library), strict=True):
            with atomic_file(cache_folder() / f"{ref.sha256}{path.suffix}") as sink:
                sink.write(path.read_bytes())
        with atomic_file(_place(source)) as sink:
            sink.write(manifest.model_dump_json().encode())
    except OSError as error:
        raise AssetError(
            f"cannot write to {cache_folder()} ({error}): make room, or set XDG_CACHE_HOME to a folder that you own"
        ) from error
    for ref, path in zip(refs, (mesh, library), strict=True):
        remember(cache_folder() / f"{ref.sha256}{path.suffix}")
    return made


def pack(found: UserMesh, source: Source, others: Mapping[str, str]) -> bytes:
    """An ingested mesh as the bytes of its file: the same for the same files, another beside other textures.

    `others` as in the manifest.
    """
    facts = {
        "key": _key(source), "others": dict(others), "version": VERSION, "closed": found.is_closed,
        "consistent": found.is_consistent, "dropped": found.dropped_faces, "smooth": float(found.mesh.smooth_angle),
    }  # fmt: skip
    opacity = found.opacity
    names: dict[str, Any] = {"parts": found.mesh.part_names, "own": sorted(found.own), "clear": sorted(opacity.clear)}
    names |= {"unclear": dict(opacity.unclear), "cutouts": {k: _facts(c) for k, c in opacity.cutouts.items()}}
    uv = np.zeros((0, 3, 2), np.float32) if found.mesh.uv is None else found.mesh.uv
    text = {name: np.frombuffer(orjson.dumps(what), np.uint8) for name, what in (("facts", facts), ("names", names))}
    target = io.BytesIO()
    np.savez_compressed(
        target, vertices=found.mesh.vertices.astype(np.float32), faces=found.mesh.faces,
        face_part=found.mesh.face_part, uv=uv, **text, **{_alpha(k): c.alpha for k, c in opacity.cutouts.items()},
    )  # fmt: skip
    return target.getvalue()


#: Hash of the mesh file → what it holds.
_meshes: Cache[str, UserMesh] = Cache(LIMIT_BYTES, lambda found: found.mesh.nbytes)


def read_ingested(ref: FileRef) -> UserMesh:
    """The mesh of a file that `pack` made.

    Raises:
        AssetError: it is nowhere to be found, or damaged.
    """
    return _meshes.get(ref.sha256, lambda: _read(ref))


def user_mesh(file: FileRef, unit: str | None = None, up: str | None = None) -> UserMesh:
    """The mesh of a user's file, whether it was ingested or is read as it is (`mesh_files.read_mesh`)."""
    if Path(file.name).suffix == MESH_SUFFIX:
        return read_ingested(file)
    return read_mesh(file, unit, up)


def _read(ref: FileRef) -> UserMesh:
    try:
        with np.load(locate(ref), allow_pickle=False) as arrays:
            a = {name: arrays[name] for name in _ARRAYS}
            facts, names = (orjson.loads(a[name].tobytes()) for name in ("facts", "names"))
            cutouts = {k: Cutout(arrays[_alpha(k)], **what) for k, what in names.get("cutouts", {}).items()}
        # Files that were ingested by version 1 say nothing of it: their scenes are older than the question.
        unclear = names.get("unclear", dict.fromkeys(names["own"], "it was ingested by an older version"))
        opacity = Opacity(frozenset(names.get("clear", ())), cutouts, unclear)
        mesh = Mesh(
            a["vertices"].astype(np.float64), a["faces"], a["face_part"], tuple(names["parts"]),
            uv=a["uv"] if len(a["uv"]) else None, smooth_angle=facts["smooth"], cutouts=cutouts,
        )  # fmt: skip
        found = UserMesh(mesh, facts["closed"], facts["consistent"], facts["dropped"], frozenset(names["own"]), opacity)
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        raise AssetError(f"{ref.name} is no ingested mesh ({error!r:.90}): restore it, or ingest it anew") from error
    for array in (mesh.vertices, mesh.faces, mesh.face_part, mesh.uv):
        if array is not None:
            array.setflags(write=False)
    return found


def _alpha(part: str) -> str:
    """The name of the array that holds a part's cut-out."""
    return f"alpha {hashlib.sha256(part.encode()).hexdigest()}"


def _facts(cutout: Cutout) -> dict[str, Any]:
    return {k: v for k, v in vars(cutout).items() if k != "alpha"}


def _both(made: Ingested) -> tuple[FileRef, FileRef]:
    return made.mesh, made.library


def _has(path: Path, sha256: str) -> bool:
    try:
        return remember(path).sha256 == sha256
    except AssetError:
        return False


def _key(source: Source) -> str:
    options = {**asdict(source), "path": remember(source.path).sha256, "suffix": source.suffix}
    made_by = {"version": VERSION, "bpy": version("bpy")}
    return hashlib.sha256(orjson.dumps({**options, **made_by}, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _place(source: Source) -> Path:
    return cache_folder() / f"{_key(source)}.json"


def _manifest(source: Source) -> _Manifest:
    """What is known under the source's key; nothing, where the file is missing or damaged."""
    place = _place(source)
    try:
        return _Manifest.model_validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return _Manifest()
