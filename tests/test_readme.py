"""The README says only what works."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import scenewright as sw
from scenewright.scenes.load import recipe_from_dict

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_recipe_of_the_readme_makes_scenes() -> None:
    """A newcomer copies the recipe on the first page before anything else."""
    (text,) = blocks("yaml")
    recipe = recipe_from_dict(yaml.safe_load(text), ROOT)
    assert {o.category for i in range(4) for o in sw.sample(recipe, i).objects} == {"washer", "nut"}


def test_the_python_lines_use_what_there_is() -> None:
    """Every `sw.name` of the README is public, and the lines compile."""
    (text,) = blocks("python")
    compile(text, "README.md", "exec")
    assert set(re.findall(r"\bsw\.(\w+)", text)) <= set(sw.__all__)


def test_every_picture_and_page_that_is_linked_is_there() -> None:
    """A first page with broken pictures shows the opposite of what it says; none is heavy."""
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    missing = [target for target in links if not (ROOT / target).is_file()]
    assert links and not missing
    assert all((ROOT / target).stat().st_size <= 300_000 for target in links)
