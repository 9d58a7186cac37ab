"""The README says only what works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import scenewright as sw
from scenewright.scenes.load import recipe_from_dict

from .small_recipe import RECIPE

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_recipe_of_the_readme_makes_scenes() -> None:
    """A newcomer copies the recipe on the first page before anything else."""
    (text,) = blocks("yaml")
    recipe = recipe_from_dict(yaml.safe_load(text), ROOT)
    assert {o.category for i in range(4) for o in sw.sample(recipe, i).objects} == {"washer", "nut"}


def test_the_python_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's lines do what their comments say, here with the flat engine; each `sw.name` is public."""
    (text,) = blocks("python")
    assert text.count('"hardware"') == 1 and set(re.findall(r"\bsw\.(\w+)", text)) <= set(sw.__all__)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(text.replace('"hardware"', '"small.yaml"'), "README.md", "exec"), names)
    frame, result = names["frame"], names["result"]
    assert frame.rgb.shape == (48, 64, 3) and frame.depth_m.dtype == np.float32
    seen = {int(i): int((frame.ids == i).sum()) for i in np.unique(frame.ids) if i}
    assert {i.id: i.area for i in names["labels"] if i.area} == seen and seen
    assert result.complete and result.info.counts.images == 12 and result.folder == Path("out/hardware")


def test_every_picture_and_page_that_is_linked_is_there() -> None:
    """A first page with broken pictures shows the opposite of what it says; none is heavy."""
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    missing = [target for target in links if not (ROOT / target).is_file()]
    assert links and not missing
    assert all((ROOT / target).stat().st_size <= 300_000 for target in links)
