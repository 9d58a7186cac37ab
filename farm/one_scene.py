"""One scene, rendered in a child process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..assets.files import locate
from ..assets.material import FileRef
from ..errors import RenderError
from ..render.frame import Frame
from ..render.worker import TIMEOUT_S, ask
from ..scenes.scene import MeshRef, Scene
from .options import check_device, check_timeout
from .render_worker import MODULE

__all__ = ["render_scene", "scene_files"]


def render_scene(scene: Scene, device: str = "auto", linear: bool = False, timeout_s: float = TIMEOUT_S) -> Frame:
    """Render one scene in a child process of its own.

    Raises:
        RenderError: Blender failed, or took longer than `timeout_s`; the message ends with what it said last.
    """
    check_timeout(timeout_s)
    check_device(device)
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        target = Path(temporary) / "frame.npz"
        files = [str(locate(ref)) for ref in scene_files(scene)]
        setup = {"kind": "scene", "engine": scene.render.engine, "device": device, "threads": None, "files": files}
        request = {"scene": scene.to_json(), "target": str(target), "linear": linear}
        answer = ask(MODULE, setup, request, timeout_s)
        if answer["status"] != "ok":
            raise RenderError(answer["reason"])
        with np.load(target) as arrays:
            return Frame(**{name: arrays[name] for name in arrays.files})


def scene_files(scene: Scene) -> Iterable[Any]:
    """References of all files that a render of the scene reads."""
    refs: list[MeshRef] = [o.mesh for o in scene.objects]
    yield from (ref for r in refs for ref in (r.file, r.library) if ref is not None)
    made = [m for o in scene.objects for m in o.materials.values()]
    made += [m for fixture in scene.fixtures for m in fixture.materials.values()]
    made += [scene.surface.material] if scene.surface is not None else []
    yield from (ref for m in made if m.texture is not None for ref in m.texture.maps.values())
    if isinstance(scene.world.hdri, FileRef):
        yield scene.world.hdri
    if scene.backplate is not None:
        yield scene.backplate.image
