"""`Scene` → `Frame`: build the scene, render the picture, render the labels, leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..assets.mesh import Mesh
from ..errors import RenderError
from ..scenes.build import meshes_of
from ..scenes.ids import split_ids
from ..scenes.scene import Scene
from . import blender, label_scene, passes, probe
from .composite import behind, over, tidy_shadow
from .devices import select
from .frame import Frame
from .normals import to_camera
from .probe_boxes import boxes
from .sensor_display import to_8_bits
from .view import view

__all__ = ["Engine", "labels_of"]


class Engine:
    """Cycles in this process, on one device. Rendering changes Blender's global state, so one engine per process."""

    def __init__(self, device: str = "auto", threads: int | None = None) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self._selected = select(device, threads)
        self.threads = threads

    @property
    def device(self) -> str:
        """What the pixels depend on beside the scene: "cpu", or backend and GPU names as in "optix: NVIDIA L4"."""
        return self._selected.label

    def render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False) -> Frame:
        """Render a scene; `meshes` gives each object's mesh by object id. `linear` also keeps scene-linear colour.

        Raises:
            RenderError: Blender refused, or could not write its layers to the temporary folder.
        """
        return self.pair(scene, meshes, linear, twin=False)[0]

    def pair(
        self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False, twin: bool = True
    ) -> tuple[Frame, Frame | None]:
        """As `render`, and the frame of the scene's `twin` where that is wanted and differs: one more render.

        The Blender scene is built once. Objects with defects then get their sound meshes, between two small renders of
        what defects change (`probe`).
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                target, place = blender.build(scene, meshes), Path(folder)
                self.configure(target)
                frame, sound = self._frame(target, scene, meshes, linear, place), None
                if frame.defects is not None:
                    around = boxes(scene, frame.ids, frame.defects, probe.SAMPLES)
                    before = None if scene.backplate is None else _photograph(scene)
                    marred = probe.look(target, around, place, photograph=before)
                    mended = meshes_of(scene.twin)
                    blender.repair(target, scene.twin, mended)
                    change, noise = probe.change(scene, marred, probe.look(target, around, place, photograph=before))
                    frame = replace(frame, change=change, noise=noise)
                    if twin:
                        sound = self._frame(target, scene.twin, mended, linear, place)
                blender.clear()
        except (RuntimeError, OSError) as e:  # what bpy's operators, OpenEXR and the disk raise
            raise RenderError(f"Blender failed: {str(e).strip() or type(e).__name__}") from e
        return frame, sound

    def _frame(
        self, target: bpy.types.Scene, scene: Scene, meshes: Mapping[int, Mesh], linear: bool, folder: Path
    ) -> Frame:
        """What a built Blender scene shows."""
        if scene.backplate is None:
            rgb, hdr = passes.picture(target, folder, linear)
        else:
            hdr = _before_photograph(target, scene, folder)
            rgb = to_8_bits(view(scene, hdr))
        return Frame(rgb=rgb, linear=hdr if linear else None, **labels_of(target, scene, meshes, folder))

    def view(self, scene: Scene, linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """`view.view`: the picture of linear light that effects of a sensor have changed.

        Raises:
            RenderError: Blender refused, or could not write to the temporary folder.
        """
        try:
            return view(scene, linear)
        except (RuntimeError, OSError) as e:
            raise RenderError(f"Blender failed: {str(e).strip() or type(e).__name__}") from e

    def configure(self, target: bpy.types.Scene) -> None:
        """Make a Blender scene render on this engine's device and threads."""
        target.cycles.device = "CPU" if self._selected.device == "cpu" else "GPU"
        target.cycles.denoising_use_gpu = self._selected.gpu_denoises
        if self.threads is not None:
            target.render.threads_mode, target.render.threads = "FIXED", self.threads


def labels_of(target: bpy.types.Scene, scene: Scene, meshes: Mapping[int, Mesh], folder: Path) -> dict[str, Any]:
    """All of a built Blender scene's frame but its picture, by field: always by Cycles, whatever made the picture."""
    labels = label_scene.build(target, scene, meshes)
    raw, depth, world, bits = passes.labels(labels, folder)
    bpy.data.scenes.remove(labels)
    ids, stuff = split_ids(raw)
    normals = None if world is None else to_camera(world, scene.camera)
    return {"ids": ids, "stuff": stuff, "depth_m": depth, "normals": normals, "defects": bits}


def _before_photograph(target: bpy.types.Scene, scene: Scene, folder: Path) -> npt.NDArray[np.float32]:
    """(h, w, 3) linear light of the objects before the scene's photograph."""
    rgba, shadow, noisy = passes.caught(target, folder)
    return over(rgba, tidy_shadow(shadow, noisy), _photograph(scene))


def _photograph(scene: Scene) -> npt.NDArray[np.float32]:
    """(h, w, 3) linear light of the scene's photograph, which the exposure is to leave as it is."""
    return behind(scene) * np.float32(2.0**-scene.render.exposure_ev)
