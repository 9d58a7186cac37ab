"""Scenes with one defect of a given kind, and noise-free pairs of pictures around it, for the checks of defects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewright.assets.defect import Defect
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.materials import FAMILIES
from scenewright.render.defect_labels import DefectLabel
from scenewright.render.probe_boxes import Box
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

__all__ = ["Pair", "case", "pair", "scenes"]

SIZE = (192, 144)
#: Materials for kinds that occur on all.
USUAL = (
    "painted_metal", "brushed_steel", "plastic", "wood", "ceramic", "fabric", "zinc", "concrete", "brass", "paper",
    "powder_coat", "cast_steel", "cardboard", "rubber", "black_oxide",
)  # fmt: skip
#: Around a defect's box, pixels: what is farther away is looked at by nobody here.
MARGIN = 8
#: A window of so many pixels is rendered at most: noise-free pixels cost three CPU milliseconds each.
WINDOW = 44
#: Samples of the small renders that tell whether anybody can see a defect: those of a large picture.
SMALL = 16
#: Light on every part that shows relief: a softbox from one side, and a studio around.
LIGHT: dict[str, Any] = {
    "world": {"hdri": "studio", "strength": 0.4},
    "lights": [{"azimuth_deg": 100, "elevation_deg": 40, "distance": 0.7, "size": [0.2, 0.2], "power": 4}],
}


#: From where parts are seen, degrees: deformed ones (True) nearly along their faces, as one looks if they are flat.
ELEVATION = {False: (50, 80), True: (15, 40)}


#: Parts that have a feature which may be missing.
HAVING: dict[str, dict[str, Any]] = {
    "tooth": {
        "shape": "gear",
        "params": {"module_m": 0.002, "teeth": 22},
        "materials": ["turned", "brass", "black_oxide"],
    },
    "pip": {"shape": "die", "scale": 2.5},
    "screw": {"shape": "flange", "params": {"diameter_m": 0.06}, "pose": "upright"},
}


def _asset(kind: str, family: str, n: int) -> dict[str, Any]:
    """A part of 40 to 70 mm that can have the kind, of that family."""
    feature = KINDS[kind].features
    if feature is not None:
        return {"category": "part", **HAVING[feature]}
    if family == "printed":
        return {"category": "part", "shape": "carton", "params": {"x_m": 0.06, "y_m": 0.05, "z_m": 0.03}}
    box = {"shape": "box", "params": {"x_m": 0.06, "y_m": 0.05, "z_m": 0.012, "edge_m": 0.001}}
    drum = {"shape": "cylinder", "params": {"radius_m": 0.025, "height_m": 0.06}}
    return {"category": "part", **(drum if n % 4 == 3 else box), "materials": family}


def families(kind: str) -> list[str]:
    """The materials on which a kind is looked at, the usual ones first."""
    on = KINDS[kind].families
    found = [f for f in USUAL if on is None or f in on]
    return found + [f for f in sorted(on or ()) if f in FAMILIES and f not in found and f != "textured"]


def case(kind: str, n: int, severity: float | None = None) -> tuple[str, Scene]:
    """Material and scene of the n-th case of a kind; without a defect where the kind found no place."""
    several = families(kind)
    family = several[n % len(several)]
    bad = {"dist": "uniform", "low": 0.15, "high": 1.0} if severity is None else severity
    low = KINDS[kind].category == "deformation"
    recipe = {
        "name": "case", "objects": {"count": 1, "assets": [_asset(kind, family, n)]},
        "placement": {"area": [0.004, 0.004]}, "surface": {"materials": "rubber"}, **LIGHT,
        "camera": {
            "distance": 0.22, "focal_mm": 85, "target": [0, 0, 0.01], "azimuth_deg": 40,
            "elevation_deg": {"dist": "uniform", **dict(zip(("low", "high"), ELEVATION[low], strict=True))},
        },
        "defects": {"rate": 1.0, "count": 1, "kinds": [{"kind": kind, "severity": bad}]},
        "render": {"size": list(SIZE), "preset": "draft"},
    }  # fmt: skip
    scene = sample(recipe_from_dict(recipe, Path()), n, seed=4)
    found = scene.objects[0].defects
    return (scene.objects[0].materials[found[0].part].family if found else family), scene


def scenes(kind: str) -> Iterator[tuple[int, str, Scene]]:
    """Number, material and scene of one case after the other; those on which the kind found no place are left out."""
    for n in count():
        family, scene = case(kind, n)
        if scene.objects[0].defects:
            yield n, family, scene


@dataclass(frozen=True)
class Pair:
    """A scene with and without its defect inside a box: (h, w, 3) sRGB 0 … 1 without noise, masks, and the label.

    `states` is None where nobody can see the defect.
    """

    states: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None
    mask: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]
    label: DefectLabel
    agreed: bool


def pair(engine: Any, scene: Scene, samples: int, whole: bool = False) -> Pair:
    """A noise-free pair around the defect of a scene, with its label from the label pass. `engine` is Cycles.

    `whole` has the label look at all of a large defect, and not as usual at its middle.
    """
    from scenewright.render import blender, label_scene, passes, probe
    from scenewright.render.defect_facts import compare_defects, defect_labels
    from scenewright.render.frame import Frame
    from scenewright.render.labels import compare
    from scenewright.render.probe_boxes import SHARE, boxes
    from scenewright.render.rle import decode
    from scenewright.render.view import view
    from scenewright.scenes.ids import join_ids, split_ids
    from scenewright.scenes.rays import cast

    meshes, twin = meshes_of(scene), scene.twin
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        target = blender.build(scene, meshes)
        engine.configure(target)
        raw, depth, _, bits = passes.labels(label_scene.build(target, scene, meshes), place)
        ids, stuff = split_ids(raw)
        assert bits is not None
        around = boxes(scene, ids, bits, SMALL, float("inf") if whole else SHARE)
        small = probe.look(target, around, place, SMALL)
        blender.repair(target, twin, meshes_of(twin))
        change, noise = probe.change(scene, small, probe.look(target, around, place, SMALL))
        rgb = np.zeros((*ids.shape, 3), np.uint8)
        frame = Frame(rgb=rgb, ids=ids, stuff=stuff, depth_m=depth, defects=bits, change=change, noise=noise)
        rays = cast(scene, meshes, triangles=True)
        (label,) = defect_labels(scene, meshes, frame, rays)
        found = compare_defects(compare(raw, join_ids(rays.ids, rays.stuff)), scene, meshes, frame, rays)
        box = _window(bits, around, scene.objects[0].defects[0])
        y_x = np.s_[box.y0 : box.y1, box.x0 : box.x1]
        states = None
        if label.left_out is None:
            sound = probe.look(target, [box], place, samples, both=False)
            target = blender.build(scene, meshes)
            engine.configure(target)
            marred = probe.look(target, [box], place, samples, both=False)
            states = view(scene, marred[0].light[0]), view(scene, sound[0].light[0])
        blender.clear()
    lost = decode(label.absent_rle, (SIZE[1], SIZE[0])) if label.absent_rle else np.zeros(ids.shape, bool)
    return Pair(states, (bits > 0)[y_x], lost[y_x], label, found.passed)


def _window(bits: npt.NDArray[np.uint32], around: list[Box], defect: Defect) -> Box:
    """The box that is rendered without noise: all of a small defect, of a large one the part about its middle.

    Of a deformed part it is the part about any of its pixels: its middle is a face, and its outline tells more.
    """
    ends = []
    rows_cols = np.nonzero(bits)[::-1]
    if KINDS[defect.kind].category == "deformation" and len(rows_cols[0]):
        n = np.random.default_rng(defect.seed).integers(len(rows_cols[0]))
        rows_cols = tuple(at[n : n + 1] for at in rows_cols)
    for i, (first, last) in enumerate((("x0", "x1"), ("y0", "y1"))):
        low = max(0, min(getattr(b, first) for b in around) - MARGIN)
        high = min(SIZE[i], max(getattr(b, last) for b in around) + MARGIN)
        if high - low > WINDOW:
            middle = int(np.median(rows_cols[i])) if len(rows_cols[i]) else (low + high) // 2
            low = int(np.clip(middle - WINDOW // 2, low, high - WINDOW))
            high = low + WINDOW
        ends.append((low, high))
    return Box(ends[0][0], ends[1][0], ends[0][1], ends[1][1])
