"""What runs inside a render process: `python -m scenewright.farm.render_worker`.

The parent hands it image indices; the worker writes each finished image to the dataset itself, so the records are the
only progress there is, and killing anything at any time loses nothing else.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ..assets.files import remember
from ..datasets.asset_store import use_assets
from ..datasets.place import place
from ..datasets.records import read_info
from ..errors import DatasetError, RenderError, ScenewrightError
from ..pipeline import Engine, engine_for, photograph, produce, produce_twin
from ..render.labels import compare
from ..render.worker import Handler, serve
from ..scenes.build import meshes_of
from ..scenes.ids import join_ids
from ..scenes.load import recipe_from_dict
from ..scenes.rays import cast
from ..scenes.sample import sample
from ..scenes.scene import Scene
from .job import CANARY

__all__ = ["MODULE"]

MODULE = "scenewright.farm.render_worker"
#: A recipe without a `render` section.
BOX = {"name": "canary", "objects": {"count": 1, "assets": [{"category": "box", "shape": "box"}]}}


def _start(setup: dict[str, Any]) -> Handler | tuple[Handler, dict[str, Any]]:
    if setup["kind"] == "scene":
        for path in setup["files"]:
            remember(Path(path))
        engine = engine_for(setup["engine"], setup["device"], setup["threads"])
        return lambda request: _guard(lambda: _render_scene(engine, request)), {"device": engine.device}
    twins = setup["kind"] == "twins"
    folder = place(setup["folder"]).parent if twins else place(setup["folder"])
    info = read_info(folder)
    recipe = recipe_from_dict(info.recipe, None)
    use_assets(folder / "assets")
    engine = engine_for(recipe.render.engine, setup["device"], setup["threads"])

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        index = request["index"]

        def make() -> dict[str, Any]:
            if index == CANARY:
                return _canary(engine, recipe.render.engine)
            if twins:
                outcome = produce_twin(info, index, folder, engine, _leave)
            else:
                outcome = produce(recipe, info, index, folder, engine, _leave)
            return {"status": outcome.status, "reason": outcome.reason}

        return {"index": index, **_guard(make), "rss": _resident()}

    return handle, {"device": engine.device}


def _leave(scene: Scene) -> None:
    """Leave the scene where the parent finds it, should this process not survive its render."""
    place = Path(tempfile.gettempdir())
    for old in place.glob("scene-*.json"):
        old.unlink()
    with suppress(OSError):  # a full disk is for the renderer to report
        (place / f"scene-{scene.index}.json").write_text(scene.to_json())


def _canary(engine: Engine, name: str) -> dict[str, Any]:
    """Make an image of no dataset through all stages but the writing: a box on a table, which any sound machine can."""
    recipe = recipe_from_dict({**BOX, "render": {"engine": name, "preset": "draft", "size": [64, 48]}}, None)
    scene = sample(recipe, 0, 0)
    meshes = meshes_of(scene)
    frame, _ = photograph(scene, meshes, engine)
    rays = cast(scene, meshes)
    verdict = compare(join_ids(frame.ids, frame.stuff), join_ids(rays.ids, rays.stuff))
    if not verdict.passed:
        return {"status": "failed", "reason": f"its labels differ in {verdict.disagreeing} of {verdict.pixels} pixels"}
    return {"status": "ok"}


def _resident() -> int:
    """Bytes of memory that this process holds, once the C library has given back the freed blocks that it keeps.

    glibc keeps them in pieces between images of different size: at 640×640 that had grown to a third of a worker.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None  # glibc alone has it
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def _render_scene(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    scene = Scene.from_json(request["scene"])
    frame, _ = photograph(scene, meshes_of(scene), engine, linear=request["linear"])
    arrays = {name: value for name, value in vars(frame).items() if value is not None}
    if request["target"] is not None:
        np.savez(request["target"], **arrays)
    return {"status": "ok"}


def _guard(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Deliberate errors become answers; a dataset that cannot be written ends the run. Anything else is a crash.

    Whether another try may help: Blender's troubles pass, what else is refused depends on (recipe, seed, index) alone.
    """
    try:
        return work()
    except DatasetError as e:
        return {"status": "fatal", "reason": str(e)}
    except RenderError as e:
        return {"status": "failed", "reason": str(e)}
    except ScenewrightError as e:
        return {"status": "impossible", "reason": str(e)}


if __name__ == "__main__":
    serve(_start)
