"""The page about recipes, scenes/README.md: what it shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
import yaml

from scenewright.assets.defects.kinds import KINDS
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.sample import sample

PAGE = (Path(__file__).parents[1] / "scenes" / "README.md").read_text("utf-8")
EXAMPLES = [block.split("```")[0] for block in PAGE.split("```yaml\n")[1:]]


def merged(base: Any, more: Any) -> Any:
    """`more` over `base`, mappings key by key."""
    if isinstance(base, dict) and isinstance(more, dict):
        return base | {key: merged(base.get(key), value) for key, value in more.items()}
    return more


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_page_work(number: int, tmp_path: Path) -> None:
    """Every YAML block of scenes/README.md, laid over a minimal recipe, loads and gives scenes."""
    (tmp_path / "parts").mkdir()
    for name in ("parts/plate_a.stl", "parts/plate_b.stl"):
        trimesh.creation.box((30, 20, 5)).export(tmp_path / name)
    trimesh.creation.box((0.03, 0.02, 0.02)).export(tmp_path / "cap.glb")
    (tmp_path / "my_panoramas").mkdir()
    cv2.imwrite(str(tmp_path / "my_panoramas" / "a.hdr"), np.ones((8, 16, 3), np.float32))
    for name in ("oak", "felt"):
        (tmp_path / "textures" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "textures" / name / f"{name}_diff_1k.png"), np.full((8, 8, 3), 99, np.uint8))
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "table.jpg"), np.full((300, 400, 3), 180, np.uint8))
    (tmp_path / "lamps.csv").write_text("kelvin\n3000\n4000\n")
    minimal = {"name": "t", "objects": {"count": 1, "assets": [{"category": "a", "shape": "nut"}]}}
    recipe = recipe_from_dict(merged(minimal, yaml.safe_load(EXAMPLES[number])), tmp_path)
    for index in range(8):
        sample(recipe, index)


def test_the_python_of_the_page_works() -> None:
    """Drawing a part anew changes that part and nothing else."""
    names: dict[str, Any] = {}
    exec(PAGE.split("```python\n")[1].split("```")[0], names)
    scene, relit, moved = (names[name] for name in ("scene", "relit", "moved"))
    assert len({s.to_json() for s in relit}) == 4
    assert all(s.objects == scene.objects and s.camera == scene.camera for s in relit)
    assert moved.objects[3] != scene.objects[3] and moved.world == scene.world


def test_the_page_has_examples() -> None:
    """The blocks were found."""
    assert len(EXAMPLES) >= 3


def test_the_page_lists_the_kinds_of_defects() -> None:
    """Every kind has a row with its category and its numbers, and no row is of a kind that there is not."""
    rows = PAGE.split("| kind | category |")[1].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]
    assert {c[0]: c[1] for c in cells} == {name: kind.category for name, kind in KINDS.items()}
    for c in cells:
        assert set(re.findall(r"\w+", c[4])) == (set(KINDS[c[0]].values) or {"none"})
