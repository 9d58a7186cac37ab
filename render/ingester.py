"""Asking a process of its own to read a user's file with Blender, once: what comes out is kept in the user's cache."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..assets.ingested import LIBRARY, MESH, Ingested, Source, keep, lookup
from ..assets.reach import real
from ..errors import AssetError, RenderError
from .worker import ask

__all__ = ["MEMORY_BYTES", "TIMEOUT_S", "ingest"]

MODULE = "scenewright.render.ingest"
#: Two million triangles with their textures take a tenth of either.
MEMORY_BYTES = 8 << 30
TIMEOUT_S = 300.0


def ingest(source: Source, memory_bytes: int = MEMORY_BYTES, timeout_s: float = TIMEOUT_S) -> Ingested:
    """The triangles and the Blender library of a file; from the cache where the file was read before.

    Raises:
        AssetError: the file is damaged, hostile, too large, or takes more memory or time than given.
    """
    known = lookup(source)
    if known is not None:
        return known
    path = source.path.absolute()
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        setup = {
            "readable": [str(real(path.parent)), str(real(path))], "target": temporary, "memory_bytes": memory_bytes,
            "cpu_s": round(4 * timeout_s),
        }  # fmt: skip
        request = {"path": str(path), "unit": source.unit, "up": source.up, "collection": source.collection}
        try:
            answer = ask(MODULE, setup, request, timeout_s)
        except RenderError as e:
            raise AssetError(
                f"{path.name} cannot be read in {memory_bytes >> 20:,} MB and {timeout_s:g} s: apply its modifiers or"
                f" lower them, or export the file again ({e})"
            ) from None
        if answer["status"] != "ok":
            raise AssetError(answer["reason"])
        # Names of our own: what a hostile file may have made of that process names no file for this one to read.
        return keep(source, Path(temporary) / MESH, Path(temporary) / LIBRARY, answer["others"])
