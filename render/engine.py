"""`Scene` → `Frame`: the beauty render and the label render, read back as arrays."""

from __future__ import annotations

import contextlib
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
        self._selected = select(device, threads)
        self.threads = threads

    @property
    def device(self) -> str:
        """What the pixels depend on beside the scene: "cpu", or backend and GPU names as in "optix: NVIDIA L4"."""
        names = ", ".join(self._selected.names)
        return f"{self._selected.device}: {names}" if names else self._selected.device

    def render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool = False) -> Frame:
        """Render a scene; `meshes` gives each object's mesh by object id. `linear` also keeps scene-linear colour.

        Raises:
            RenderError: Blender refused, or could not write its layers to the temporary folder.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                return self._render(scene, meshes, linear, Path(folder))
        except (RuntimeError, OSError) as e:  # what bpy's operators, OpenEXR and the disk raise
            raise RenderError(f"Blender failed: {str(e).strip() or type(e).__name__}") from e

    def _render(self, scene: Scene, meshes: Mapping[int, Mesh], linear: bool, folder: Path) -> Frame:
        target = blender.build(scene, meshes)
        self._machine(target)
        rgb, hdr = _beauty(target, folder, linear)
        ids, depth = _labels(target, folder)
        blender.clear()
        return Frame(rgb=rgb, ids=ids, depth_m=depth, linear=hdr)

    def _machine(self, target: bpy.types.Scene) -> None:
        target.cycles.device = "CPU" if self._selected.device == "cpu" else "GPU"
        target.cycles.denoising_use_gpu = self._selected.device != "cpu"
        if self.threads is not None:
            target.render.threads_mode, target.render.threads = "FIXED", self.threads


def _beauty(
    target: bpy.types.Scene, folder: Path, linear: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    result = _render(target)
    settings = target.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    settings.compression = 0  # the file lives in memory for a moment and is read back at once
    path = _save(target, result, folder / "beauty.png")
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise _unwritten(path)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    if not linear:
        return rgb, None
    combined = _exr(target, result, folder / "beauty.exr")["Combined"]
    return rgb, np.ascontiguousarray(combined[..., :3], dtype=np.float32)


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
    ids, depth = channels["IndexOB.X"], channels["Depth.Z"]
    return np.rint(ids).astype(np.uint16), np.where(depth > NOTHING_M, np.inf, depth).astype(np.float32)


def _render(scene: bpy.types.Scene) -> bpy.types.Image:
    outcome = bpy.ops.render.render(scene=scene.name, write_still=False)
    if outcome != {"FINISHED"}:
        raise RenderError(f"Blender ended the render with {sorted(outcome)}: run the same command to try again")
    return bpy.data.images["Render Result"]


def _exr(scene: bpy.types.Scene, result: bpy.types.Image, path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """All passes of a render result by their name without the view layer: (h, w) or (h, w, 4) float32."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"
    _save(scene, result, path)
    try:
        with OpenEXR.File(str(path)) as file:
            # Names look like "ViewLayer.IndexOB.X"; a colour is one array, "ViewLayer.Combined".
            return {name.split(".", 1)[1]: channel.pixels.copy() for name, channel in file.channels().items()}
    except (RuntimeError, ValueError) as e:  # no such file; a file that ends too soon
        raise _unwritten(path) from e


def _save(scene: bpy.types.Scene, result: bpy.types.Image, path: Path) -> Path:
    with contextlib.suppress(RuntimeError):  # Blender raises when it cannot open a file, not when the disk is full
        result.save_render(str(path), scene=scene)
    if not path.is_file():
        raise _unwritten(path)
    return path


def _unwritten(path: Path) -> RenderError:
    return RenderError(
        f"Blender could not write {path.name} to {path.parent.parent}: make room there"
        " (in a container: docker run --shm-size=1g), then run the same command again"
    )
