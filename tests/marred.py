"""Scenes with one defect put where a test wants it."""

from __future__ import annotations

import numpy as np

import scenewright as sw
from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.defects.kinds import CATEGORIES, KINDS
from scenewright.scenes.build import scene_mesh
from scenewright.scenes.scene import Scene, SceneObject, matrix

from .small_recipe import make

__all__ = ["on_top", "panel"]


def panel(engine: str = "flat", size: tuple[int, int] = (96, 72), family: str = "plastic", **camera: object) -> Scene:
    """A flat box of 80 × 80 × 10 mm under a camera that looks down on it."""
    box = {"category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.08, "z_m": 0.01}, "materials": family}
    view = {"distance": 0.2, "azimuth_deg": 40, "elevation_deg": 65, "target": [0, 0, 0.01], "focal_mm": 60}
    recipe = make(
        objects={"count": 1, "assets": [box]}, placement={"area": [0.001, 0.001]}, camera=view | camera,
        render={"engine": engine, "size": list(size), "preset": "draft"},
    )  # fmt: skip
    return sw.sample(recipe, 0)


def on_top(scene: Scene, kind: str, severity: float = 0.6, seed: int = 5, at: tuple[float, float] = (0, 0)) -> Scene:
    """The scene with one more defect on what looks up of its first object, `at` millimetres from the middle."""
    item = scene.objects[0]
    mesh, k = scene_mesh(item.mesh), KINDS[kind]
    material, rng = item.materials[mesh.part_names[0]], np.random.default_rng(seed)
    size_mm = float(np.sort(mesh.extents)[1] * 1000 * item.scale)
    values = {name: grows.draw(rng, severity, size_mm) for name, grows in k.values.items()}
    defect = Defect(
        id=FIRST_DEFECT + len(item.defects), kind=kind, severity=severity, seed=seed, values=values,
        patch_T_object=matrix(_top(item, mesh.extents, at)), size_mm=k.size(values), reach_mm=2.0, facing=k.facing,
        part=mesh.part_names[0], look=None if k.look is None else k.look(rng, material, severity),
    )  # fmt: skip
    added = {} if k.inside is None else {defect.new_part: k.inside(rng, material, severity)}
    marred = item.model_copy(
        update={"defects": (*item.defects, defect), "materials": {**item.materials, **added}}
    )  # fmt: skip
    return scene.model_copy(update={"objects": (marred, *scene.objects[1:]), "defect_categories": CATEGORIES})


def _top(item: SceneObject, extents: np.ndarray, at: tuple[float, float]) -> np.ndarray:  # type: ignore[type-arg]
    """(4, 4) from the unscaled mesh to a patch on the middle of the side of its box that looks up."""
    up = np.round(item.pose[:3, :3].T @ [0.0, 0.0, 1.0])
    frame = np.eye(4)
    frame[:3, 0] = np.roll(np.abs(up), 1)
    frame[:3, 1], frame[:3, 2] = np.cross(up, frame[:3, 0]), up
    frame[:3, 3] = up * np.abs(up @ extents) / 2 + frame[:3, :2] @ np.asarray(at) / (1000 * item.scale)
    return np.asarray(np.diag([1000 * item.scale] * 3 + [1.0]) @ np.linalg.inv(frame))
