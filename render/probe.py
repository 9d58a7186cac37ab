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
    """What was seen in a box: (h, w, 3) linear light for each noise pattern."""

    box: Box
    light: tuple[Floats, ...]


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
        seen = [(box, _seen(target, box, (w, h), folder / "probe.exr")) for box in boxes]
    finally:
        render.use_border = render.use_crop_to_border = render.use_multiview = False
        cycles.samples, cycles.use_adaptive_sampling, cycles.use_denoising = kept
    return [Probe(box, _light(box, found, photograph)) for box, found in seen]


def _seen(target: bpy.types.Scene, box: Box, size: tuple[int, int], path: Path) -> dict[str, Floats]:
    """The passes of a box, for each eye."""
    x0, y0, x1, y1 = box
    render = target.render
    # Blender rounds a border's ends to pixels, and its y goes up.
    render.border_min_x, render.border_max_x = (x0 + 0.01) / size[0], (x1 + 0.01) / size[0]
    render.border_min_y, render.border_max_y = (size[1] - y1 + 0.01) / size[1], (size[1] - y0 + 0.01) / size[1]
    return passes.rendered_channels(target, path)


def _light(box: Box, seen: dict[str, Floats], photograph: Floats | None) -> tuple[Floats, ...]:
    x0, y0, x1, y1 = box
    out = []
    for name in sorted(name for name in seen if name.startswith("Combined")):  # "left" is the scene's own seed
        rgba = seen[name]
        assert rgba.shape[:2] == (y1 - y0, x1 - x0), (rgba.shape, box)
        if photograph is None:
            out.append(np.ascontiguousarray(rgba[..., :3]))
        else:
            shadow = seen[name.replace("Combined", "Shadow Catcher")][..., :3]
            out.append(over(rgba, shadow, photograph[y0:y1, x0:x1]))
    return tuple(out)


def change(scene: Scene, marred: list[Probe], sound: list[Probe]) -> tuple[Floats, Floats]:
    """(h, w) CIE76 ΔE*ab between two states of a scene, as its view transform shows them, and (h, w) its noise.

    Both are of 3 × 3 pixels' mean, and NaN outside the boxes. Where boxes overlap the later one counts.
    """
    shape = (scene.camera.height, scene.camera.width)
    delta, noise = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for a, b in zip(marred, sound, strict=True):
        x0, y0, x1, y1 = a.box
        pairs = [_lab(scene, p) - _lab(scene, q) for p, q in zip(a.light, b.light, strict=True)]
        mean, spread = sum(pairs) / len(pairs), (pairs[0] - pairs[1]) / 2
        delta[y0:y1, x0:x1] = np.linalg.norm(cv2.blur(mean, (3, 3)), axis=2)
        noise[y0:y1, x0:x1] = np.linalg.norm(cv2.blur(spread, (3, 3)), axis=2)
    return delta, noise


def _lab(scene: Scene, light: Floats) -> Floats:
    return np.asarray(cv2.cvtColor(view(scene, light), cv2.COLOR_RGB2Lab), np.float32)
