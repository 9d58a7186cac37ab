"""The main job on real input: CAD parts of other people, in millimetres, inches and metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scenewright as sw
from scenewright.datasets.records import iter_records
from scenewright.datasets.validate import validate
from scenewright.scenes.build import meshes_of

RECIPE = Path(__file__).parent / "data" / "parts.yaml"
#: Longest edge of each part in metres, from its drawing: inches and millimetres converted by hand.
LONGEST_M = {
    "tray": 0.3556, "plate": 0.3048, "angle_block": 0.0343, "cycloidal_drive": 0.0476, "bracket": 0.1270,
    "riser": 0.0750, "bottle": 0.2153,
}  # fmt: skip


def test_every_part_has_its_true_size_and_lies_on_the_table(shared: Path) -> None:
    """Units are converted, and the lowest point of each object touches the surface."""
    recipe = sw.load(RECIPE, allow=[shared])
    seen: set[str] = set()
    for index in range(6):
        scene = sw.sample(recipe, index)
        meshes = meshes_of(scene)
        for obj in scene.objects:
            mesh = meshes[obj.id]
            assert mesh.extents.max() == pytest.approx(LONGEST_M[obj.category], rel=0.01)
            z = mesh.vertices @ obj.pose[2, :3] + obj.pose[2, 3]
            assert abs(float(z.min())) < 1e-7
            seen.add(obj.category)
    assert seen == set(LONGEST_M)


def test_the_textured_part_brings_its_own_picture(shared: Path) -> None:
    """The bottle keeps the material of its file, which holds the photograph beside its mesh."""
    recipe = sw.load(RECIPE, allow=[shared])
    bottles = [o for i in range(8) for o in sw.sample(recipe, i).objects if o.category == "bottle"]
    assert bottles and all(m.family == "own" for o in bottles for m in o.materials.values())


@pytest.mark.render
def test_two_images_of_real_parts_pass_every_check(shared: Path, tmp_path: Path) -> None:
    """Both engines agree on open, inch-sized and textured meshes, and the dataset validates."""
    recipe = sw.load(RECIPE, ["render.preset=draft", "render.size=[320, 240]"], allow=[shared])
    result = sw.generate(recipe, 2, tmp_path / "out")
    assert result.complete, result.failed
    assert list(validate(tmp_path / "out")) == []
    agreement = [r.verification.agreement for r in iter_records(tmp_path / "out")]
    assert np.min(agreement) >= 0.9999
