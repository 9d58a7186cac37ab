"""`Scene` → `Frame` with EEVEE: the picture comes from OpenGL, the labels from the same Cycles render as ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bpy
import gpu

from ..assets.mesh import Mesh
from ..errors import RenderError
from ..scenes.scene import Scene
from . import egl, passes
from .eevee import near_plane
from .engine import Engine, labels_of
from .frame import Frame

__all__ = ["EeveeEngine"]


class EeveeEngine(Engine):
    """EEVEE in this process, on whatever renders OpenGL here; `threads` are for the labels.

    `device` "auto" takes what EGL gives, "cpu" a software renderer only, a GPU's backend anything but that.
    """

    def __init__(self, device: str = "auto", threads: int | None = None) -> None:
        self._gl = egl.ask()
        check(self._gl, device)
        super().__init__("cpu", threads)

    @property
    def device(self) -> str:
        """What the pixels depend on beside the scene, as in "eevee: NVIDIA L4/PCIe/SSE2"."""
        return f"eevee: {self._gl.renderer}"

    def _frame(
        self, target: bpy.types.Scene, scene: Scene, meshes: Mapping[int, Mesh], linear: bool, folder: Path
    ) -> Frame:
        labels = labels_of(target, scene, meshes, folder)
        with near_plane(target, labels["depth_m"]):
            rgb, hdr = passes.picture(target, folder, linear)
        renderer = gpu.platform.renderer_get()  # it has none before the first render
        if renderer != self._gl.renderer:
            raise RenderError(
                f"EGL gave {self._gl.renderer}, and Blender rendered with {renderer}: hide one of them from this "
                "process, for example by __EGL_VENDOR_LIBRARY_FILENAMES, so that records name the right one"
            )
        return Frame(rgb=rgb, linear=hdr, **labels)


def check(gl: egl.Gl, device: str) -> None:
    """RenderError where OpenGL's renderer is not what `device` asks for: nobody wants a farm of CPUs by mistake."""
    if device == "cpu" and not gl.software:
        raise RenderError(
            f"device cpu: EEVEE renders where OpenGL does, which is {gl.renderer} here: leave --device out, or use "
            "render.engine: cycles"
        )
    if device not in ("auto", "cpu") and gl.software:
        raise RenderError(
            f"device {device}: OpenGL runs on the CPU here ({gl.renderer}), which takes minutes for an image: install "
            "the GPU driver's OpenGL libraries (in a container: NVIDIA_DRIVER_CAPABILITIES=all), leave --device out "
            "to use the CPU all the same, or use render.engine: cycles"
        )
