"""How much defects change a picture: small renders around them, with and without, in two patterns of noise.

The same seed gives both pictures of a pair the same noise where nothing changes. What the two pairs agree on is the
change, and by how much they differ is the noise. Neither is denoised, for a denoiser spreads a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np
import numpy.typing as npt

from ..scenes.scene import Scene
from . import passes
from .composite import over
from .probe_boxes import Box
from .view import view

__all__ = ["Probe", "change", "look"]

Floats = npt.NDArray[np.float32]
#: Samples of each pattern; `probe_boxes` keeps the boxes so small that all of them together cost little.
SAMPLES = 16


@dataclass(frozen=True)
class Probe:
    """What was seen in a box: (h, w, 3) linear light for each noise pattern, in the box's wider pixels.

    `rows` and `columns` tell for each pixel of the picture in the box in which of those it lies.
    """

    box: Box
    light: tuple[Floats, ...]
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]


def look(
    target: bpy.types.Scene, boxes: list[Box], folder: Path, samples: int = SAMPLES, both: bool = True,
    photograph: Floats | None = None,
) -> list[Probe]:  # fmt: skip
    """Render parts of a built scene, with a number of samples; its settings are as before afterwards.

    `photograph` (h, w, 3), linear light of the whole picture, is what a scene with a shadow catcher lies before.

    The first pattern of noise is that of the scene's seed, the second one, where `both` asks for it, Cycles' own for
    the other eye of a stereo pair: of one with no distance between the eyes, whose second eye costs no second sync of
    the scene, which is most of what so small a render costs.
    """
    cycles, render = target.cycles, target.render
    kept = cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising
    w, h = render.resolution_x, render.resolution_y
    cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = samples, False, False
    render.use_border = render.use_crop_to_border = True
    if both:
        render.use_multiview, render.views_format = True, "STEREO_3D"
        target.camera.data.stereo.interocular_distance = 0.0
        target.camera.data.stereo.convergence_mode = "PARALLEL"
    try:
        return [_seen(target, box, (w, h), folder / "probe.exr", photograph) for box in boxes]
    finally:
        render.resolution_x, render.resolution_y = w, h
        render.use_border = render.use_crop_to_border = render.use_multiview = False
        cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = kept


def _seen(
    target: bpy.types.Scene, box: Box, size: tuple[int, int], path: Path, photograph: Floats | None
) -> Probe:  # fmt: skip
    """A box of a picture of that size (width, height)."""
    w, h = (max(1, round(x / box.step)) for x in size)
    # The width is what the camera keeps; wider pixels stay about the middle of the height.
    columns = np.clip(((np.arange(box.x0, box.x1) + 0.5) * w / size[0]).astype(int), 0, w - 1)
    rows = np.clip((h / 2 + (np.arange(box.y0, box.y1) + 0.5 - size[1] / 2) * w / size[0]).astype(int), 0, h - 1)
    x0, x1, y0, y1 = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    render = target.render
    render.resolution_x, render.resolution_y = w, h
    # Blender rounds a border's ends to pixels, and its y goes up.
    render.border_min_x, render.border_max_x = (x0 + 0.01) / w, (x1 + 0.01) / w
    render.border_min_y, render.border_max_y = (h - y1 + 0.01) / h, (h - y0 + 0.01) / h
    before = None if photograph is None else cv2.resize(photograph, (w, h), interpolation=cv2.INTER_AREA)[y0:y1, x0:x1]
    light = _light(passes.rendered_channels(target, path), (y1 - y0, x1 - x0), before)
    return Probe(box, light, rows - y0, columns - x0)


def _light(seen: dict[str, Floats], shape: tuple[int, int], before: Floats | None) -> tuple[Floats, ...]:
    """Linear light for each eye, before what is behind."""
    out = []
    for name in sorted(name for name in seen if name.startswith("Combined")):  # "left" is the scene's own seed
        rgba = seen[name]
        assert rgba.shape[:2] == shape, (rgba.shape, shape)
        if before is None:
            out.append(np.ascontiguousarray(rgba[..., :3]))
        else:
            shadow = seen[name.replace("Combined", "Shadow Catcher")][..., :3]
            out.append(over(rgba, shadow, before))
    return tuple(out)


def change(scene: Scene, marred: list[Probe], sound: list[Probe]) -> tuple[Floats, Floats]:
    """(h, w) CIE76 ΔE*ab between two states of a scene, as its view transform shows them, and (h, w) its noise.

    Both are of 3 × 3 pixels' mean, and NaN outside the boxes. Where boxes overlap the finer one counts, then the later.
    """
    shape = (scene.camera.height, scene.camera.width)
    delta, noise = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for a, b in sorted(zip(marred, sound, strict=True), key=lambda both: -both[0].box.step):
        pairs = [_lab(scene, p) - _lab(scene, q) for p, q in zip(a.light, b.light, strict=True)]
        mean, spread = sum(pairs) / len(pairs), (pairs[0] - pairs[1]) / 2
        cut = np.s_[a.box.y0 : a.box.y1, a.box.x0 : a.box.x1]
        for out, value in ((delta, mean), (noise, spread)):
            out[cut] = np.linalg.norm(cv2.blur(value, (3, 3)), axis=2)[np.ix_(a.rows, a.columns)]
    return delta, noise


def _lab(scene: Scene, light: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(view(scene, light), cv2.COLOR_RGB2Lab), np.float32)
