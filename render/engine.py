"""`Scene` → `Frame`: the beauty render and the label render, read back as arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import bpy
import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR

from ..assets.mesh import Mesh
from ..errors import RenderError
from ..scenes.scene import Scene
from . import blender
from .devices import select
from .frame import Frame

__all__ = ["Engine"]

NOTHING_M = 1e9  # Cycles writes 1e10 into the depth of pixels that see nothing


class Engine:
    """Cycles in this process, on one device. Rendering changes Blender's global state, so one engine per process."""

    def __init__(self, device: str = "auto", threads: int | None = None) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.device = select(device, threads)
        self.threads = threads

    def render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False) -> Frame:
        """Render a scene; `meshes` gives each object's mesh by object id. `linear` also keeps scene-linear colour."""
        target = blender.build(scene, meshes)
        self._machine(target)
        with tempfile.TemporaryDirectory(prefix="scenewright-", dir=_memory_folder()) as folder:
            rgb, hdr = _beauty(target, Path(folder), linear)
            ids, depth = _labels(target, Path(folder))
        blender.clear()
        return Frame(rgb=rgb, ids=ids, depth_m=depth, linear=hdr)

    def _machine(self, target: bpy.types.Scene) -> None:
        target.cycles.device = "CPU" if self.device.device == "cpu" else "GPU"
        target.cycles.denoising_use_gpu = self.device.device != "cpu"
        if self.threads is not None:
            target.render.threads_mode, target.render.threads = "FIXED", self.threads


def _beauty(
    target: bpy.types.Scene, folder: Path, linear: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    result = _render(target)
    settings = target.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    settings.compression = 0  # the file lives in memory for a moment and is read back at once
    path = folder / "beauty.png"
    result.save_render(str(path), scene=target)
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise RenderError("Blender wrote no picture: see the worker's log")
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    if not linear:
        return rgb, None
    channels = _exr(target, result, folder / "beauty.exr")
    hdr = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1) if "Combined.R" in channels else None
    return rgb, hdr if hdr is not None else np.ascontiguousarray(channels["Combined"][..., :3], dtype=np.float32)


def _labels(beauty: bpy.types.Scene, folder: Path) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    """One sample through each pixel's centre: no lens blur, no filter, every surface opaque."""
    scene = bpy.data.scenes.new("labels")
    for item in beauty.collection.objects:
        if item.type in ("MESH", "CAMERA"):
            scene.collection.objects.link(item)
    scene.camera = beauty.camera
    for name in ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y"):
        setattr(scene.render, name, getattr(beauty.render, name))
    for name in ("threads_mode", "threads"):
        setattr(scene.render, name, getattr(beauty.render, name))
    scene.render.engine = "CYCLES"
    # On a GPU these few rays cost less than moving the scene there a second time would.
    scene.cycles.device = "CPU"
    scene.cycles.samples, scene.cycles.use_adaptive_sampling, scene.cycles.use_denoising = 1, False, False
    scene.cycles.max_bounces = 0
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.world = None
    focused = beauty.camera.data.dof.use_dof
    beauty.camera.data.dof.use_dof = False
    layer = scene.view_layers[0]
    layer.use_pass_combined, layer.use_pass_z, layer.use_pass_object_index = False, True, True
    layer.material_override = bpy.data.materials.new("opaque")
    result = _render(scene)
    channels = _exr(scene, result, folder / "labels.exr")
    beauty.camera.data.dof.use_dof = focused
    ids, depth = channels["IndexOB"], channels["Depth"]
    return np.rint(ids).astype(np.uint16), np.where(depth > NOTHING_M, np.inf, depth).astype(np.float32)


def _render(scene: bpy.types.Scene) -> bpy.types.Image:
    outcome = bpy.ops.render.render(scene=scene.name, write_still=False)
    if outcome != {"FINISHED"}:
        raise RenderError(f"Blender ended the render with {sorted(outcome)}: see the worker's log")
    return bpy.data.images["Render Result"]


def _exr(scene: bpy.types.Scene, result: bpy.types.Image, path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """All passes of a render result by their name without view layer: (h, w) or (h, w, c) float32."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
    result.save_render(str(path), scene=scene)
    with OpenEXR.File(str(path)) as file:
        # Names look like "ViewLayer.IndexOB.X"; single channels keep their component, RGB is grouped.
        return {name.split(".", 1)[1].removesuffix(".X").removesuffix(".Z").removesuffix(".V"): c.pixels.copy()
                for name, c in file.channels().items()}  # fmt: skip


def _memory_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
