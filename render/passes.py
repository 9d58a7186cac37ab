"""What Cycles makes of a Blender scene, read back as arrays: the picture, and the ids with their depth."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR

from ..errors import RenderError
from .label_defects import PASS

__all__ = ["caught", "channels", "labels", "picture", "render", "rendered_channels", "save"]

NOTHING_M = 1e9  # Cycles writes 1e10 into the depth of pixels that see nothing


def picture(
    target: bpy.types.Scene, folder: Path, linear: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    """(h, w, 3) sRGB as the view transform gives it, and (h, w, 3) scene-linear colour where `linear` asks for it."""
    result = render(target)
    settings = target.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    settings.compression = 0  # the file lives in memory for a moment and is read back at once
    path = save(target, result, folder / "beauty.png")
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise _unwritten(path)
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    if not linear:
        return rgb, None
    combined = channels(target, result, folder / "beauty.exr")["Combined"]
    return rgb, np.ascontiguousarray(combined[..., :3], dtype=np.float32)


def caught(
    target: bpy.types.Scene, folder: Path
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What a scene with a shadow catcher shows, linear: the objects, (h, w, 4) premultiplied by their cover.

    And what they do to the catcher's light, (h, w, 3), as a factor: denoised, and as it was before.
    """
    passes = channels(target, render(target), folder / "caught.exr")
    shadow = passes["Shadow Catcher"][..., :3]
    noisy = passes.get("Noisy Shadow Catcher", shadow)[..., :3]
    return passes["Combined"], shadow, noisy


def labels(
    target: bpy.types.Scene, folder: Path
) -> tuple[
    npt.NDArray[np.uint16], npt.NDArray[np.float32], npt.NDArray[np.float32] | None, npt.NDArray[np.uint32] | None
]:
    """What a scene of `label_scene.build` shows: (h, w) raw ids (`scenes.ids`) and (h, w) depth in metres.

    Depth is inf where nothing is. And (h, w, 3) normals of the triangles in the world, 0 where nothing is, or None when
    the scene was built without. And (h, w) bits of defects (`label_defects`), None in a scene without any.
    """
    passes = channels(target, render(target), folder / "labels.exr")
    ids, depth = passes["IndexOB.X"], passes["Depth.Z"]
    has = "Normal.X" in passes
    normals = np.stack([passes[f"Normal.{axis}"] for axis in "XYZ"], axis=2) if has else None
    bits = np.rint(passes[f"{PASS}.X"]).astype(np.uint32) if f"{PASS}.X" in passes else None
    return np.rint(ids).astype(np.uint16), np.where(depth > NOTHING_M, np.inf, depth).astype(np.float32), normals, bits


def render(target: bpy.types.Scene, save: bool = False) -> bpy.types.Image:
    """Render with the scene's own settings; Blender keeps one result, which the next render replaces.

    `save` has Blender write it to the scene's file path too.
    """
    outcome = bpy.ops.render.render(scene=target.name, write_still=save)
    if outcome != {"FINISHED"}:
        raise RenderError(f"Blender ended the render with {sorted(outcome)}: run the same command to try again")
    return bpy.data.images["Render Result"]


def channels(target: bpy.types.Scene, result: bpy.types.Image, path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """All passes of a render result by their name without the view layer: (h, w) or (h, w, 3 or 4) float32, linear."""
    _layers(target)
    save(target, result, path)
    return _read(path)


def rendered_channels(target: bpy.types.Scene, path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """As `channels`, of a new render: the only way to both eyes of a stereo pair, which Blender saves as it renders."""
    _layers(target)
    target.render.image_settings.views_format = "MULTIVIEW"
    target.render.filepath = str(path)
    render(target, save=True)
    if not path.is_file():
        raise _unwritten(path)
    return _read(path)


def _layers(target: bpy.types.Scene) -> None:
    settings = target.render.image_settings
    settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR_MULTILAYER", "32", "NONE"


def _read(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    try:
        with OpenEXR.File(str(path)) as file:
            # Names look like "ViewLayer.IndexOB.X"; a colour is one array, "ViewLayer.Combined".
            return {name.split(".", 1)[1]: channel.pixels.copy() for name, channel in file.channels().items()}
    except (RuntimeError, ValueError) as e:  # no such file; a file that ends too soon
        raise _unwritten(path) from e


def save(scene: bpy.types.Scene, result: bpy.types.Image, path: Path) -> Path:
    """Write an image as the scene's settings and colour management want it; RenderError when it did not get there."""
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
