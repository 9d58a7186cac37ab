"""One user's file, read by Blender and written as triangles and as a library of exactly these triangles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..assets.ingested import LIBRARY, MESH, Source, pack
from ..assets.mesh_files import Triangles, tidy
from ..errors import AssetError
from . import ingest_library, ingest_mesh, ingest_opacity, ingest_read

__all__ = ["ingest"]


def ingest(request: dict[str, Any], target: Path) -> dict[str, Any]:
    """Read a source and write `MESH` and `LIBRARY` into the folder `target`.

    Gives `others`, the other files that were read: path below the source's folder → sha256.

    Raises:
        AssetError: the file cannot be used; the message says which rule it breaks and what to try.
    """
    source = Source(Path(request["path"]), request["unit"], request["up"], request["collection"])
    name = source.path.name
    try:
        content = ingest_read.read(source)
        found = ingest_mesh.triangles(content.collection, name)
        images = ingest_read.pictures(source, found.materials)
        opacity = ingest_opacity.opacity(found)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, RecursionError, OSError) as error:
        # Importers raise whatever a damaged file runs them into.
        cause = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise AssetError(
            f"{name} is no {source.suffix[1:].upper()} file that Blender can read ({cause:.160}): export it again"
        ) from error
    unit_m, up = content.unit_m, content.up
    raw = Triangles(found.vertices @ content.to_file.T * unit_m, found.faces, found.uv, found.part, found.part_names)
    mesh, kept = tidy(raw, "m", up, name)
    mesh = ingest_mesh.with_own(mesh, found, opacity)
    others = ingest_read.hashes(source, {*content.others, *images})
    (target / MESH).write_bytes(pack(mesh, source, others))
    ingest_library.write(mesh.mesh, found.kept(kept, content.to_file, up), target / LIBRARY, name)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return {"others": others}
