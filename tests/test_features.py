"""Features of shapes, whatever their parameters: what they name can be missing, and only where it would be seen."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.assets.defect import FIRST_DEFECT, Defect
from scenewright.assets.defects.damage import damaged
from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.library import SHAPES, build, rand
from scenewright.scenes.cameras import camera_center
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import matrix

from .small_recipe import make

MISSING = {kind.features: name for name, kind in KINDS.items() if kind.features is not None}


@pytest.mark.parametrize("shape", ["gear", "die", "flange", "cover_plate"])
def test_every_feature_can_be_missing(shape: str) -> None:
    """For random parameters each feature that is tried changes the mesh, and none is refused."""
    assert shape in SHAPES
    for seed in range(8):
        mesh = build(shape, rand(np.random.default_rng(seed), shape, {}))
        names = sorted(mesh.features)
        assert names
        for name in names[:: 1 + len(names) // 3]:
            feature = mesh.features[name]
            kind = KINDS[MISSING[feature.sort]]
            values = {key: grows.at(0.5, 1.0) for key, grows in kind.values.items()}
            defect = Defect(
                id=FIRST_DEFECT, kind=MISSING[feature.sort], severity=0.5, seed=seed, values=values, part="body",
                patch_T_object=matrix(np.diag([1000, 1000, 1000, 1.0]) @ np.linalg.inv(feature.frame)),
                size_mm=(1000 * feature.size_m[0], 1000 * feature.size_m[1]), reach_mm=1000 * feature.reach_m,
            )  # fmt: skip
            without = damaged(mesh, [defect])
            assert set(map(bytes, without.vertices)) != set(map(bytes, mesh.vertices)), (seed, name)


def test_what_is_missing_faces_the_camera() -> None:
    """A tooth breaks off on the side of a gear that the camera sees, where the break shows."""
    gear = {"category": "gear", "shape": "gear"}
    recipe = make(
        objects={"count": 1, "assets": [gear]}, camera={"distance": 0.2, "elevation_deg": 45, "target": [0, 0, 0]},
        placement={"area": [0.01, 0.01], "pose": "upright"}, defects={"rate": 1, "kinds": MISSING["tooth"]},
    )  # fmt: skip
    found = 0
    for i in range(10):
        scene = sample(recipe, i)
        (item,) = scene.objects
        for defect in item.defects:
            found += 1
            frame = item.pose @ np.diag([item.scale] * 3 + [1.0]) @ np.linalg.inv(defect.to_patch)
            toward = camera_center(scene.camera) - frame[:3, 3]
            cosine = frame[:3, 2] @ toward / np.linalg.norm(frame[:3, 2]) / np.linalg.norm(toward)
            assert cosine > 0.35 and defect.region.startswith("tooth")
    assert found >= 8
