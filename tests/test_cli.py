"""The commands around a run, with the flat engine: what they print is for machines, and exactly that."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import scenewright as sw
from scenewright.cli import app
from scenewright.scenes.load import built_in_recipes, load

RECIPE = """
name: few
objects:
  count: 2
  assets: [{category: die, shape: die}]
placement: {area: [0.1, 0.1]}
render: {engine: flat, size: [64, 48]}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "few.yaml"
    path.write_text(RECIPE)
    return path


def call(*arguments: object) -> tuple[str, str]:
    """Standard output and error of a command that must succeed."""
    ended = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout, ended.stderr


def test_preview(recipe: Path, tmp_path: Path) -> None:
    """Four pictures of 320x240 side by side in one file, whose name is all that is printed."""
    out = tmp_path / "preview.png"
    assert call("preview", recipe, "--out", out)[0] == f"{out}\n"
    picture = cv2.imread(str(out))
    assert picture is not None and picture.shape[0] >= 480 and picture.shape[1] >= 640
    assert list(tmp_path.iterdir()) == [out]


def test_rerender(recipe: Path, tmp_path: Path) -> None:
    """An image comes again from its record, with the pixels of the dataset; a changed record is found out."""
    folder, out = tmp_path / "d", tmp_path / "again.png"
    sw.generate(load(recipe), 2, folder)
    stdout, stderr = call("rerender", folder, 1, "--out", out)
    assert stdout == f"{out}\n" and "pixels are identical to the stored image" in stderr
    np.testing.assert_array_equal(cv2.imread(str(out)), cv2.imread(str(folder / "images/000001.png")))
    path = folder / "records/000001.json"
    record = json.loads(path.read_bytes())
    record["scene"]["objects"][0]["id"] = 9
    path.write_text(json.dumps(record))
    assert "pixels differ from the stored image" in call("rerender", folder, 1, "--out", out)[1]


def test_schema() -> None:
    """What editors complete and check recipes with is one JSON Schema, and it knows the top-level keys."""
    schema = json.loads(call("schema")[0])
    assert schema["additionalProperties"] is False
    assert {"name", "objects", "camera", "render"} <= schema["properties"].keys()


def test_recipes() -> None:
    """Every built-in recipe is listed with what it is for."""
    lines = call("recipes")[0].splitlines()
    assert [line.split()[0] for line in lines] == list(built_in_recipes())
    assert all(len(line.split()) > 3 for line in lines)
