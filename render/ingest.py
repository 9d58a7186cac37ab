"""The process that reads users' files with Blender: `python -m scenewright.render.ingest`, asked by `ingester`.

It is confined before Blender starts, so that its threads are too, and ends after one file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ScenewrightError
from .sandbox import confine, limit_memory
from .worker import serve

__all__: list[str] = []


def _start(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    target = Path(setup["target"])
    confine(map(Path, setup["readable"]), [target, Path(os.environ["TMPDIR"])])
    from . import ingest_file

    limit_memory(setup["memory_bytes"], setup["cpu_s"])
    sys.setrecursionlimit(3000)

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"status": "ok", **ingest_file.ingest(request, target)}
        except ScenewrightError as e:
            return {"status": "refused", "reason": str(e)}
        except MemoryError:
            return {"status": "refused", "reason": "needs more memory than one asset may take"}

    return handle


if __name__ == "__main__":
    serve(_start)
