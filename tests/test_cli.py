"""The commands around a run, with the flat engine: what they print is for machines, and exactly that."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import scenewright as sw
from scenewright.cli import _small, app
from scenewright.render.frame import Frame
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


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Standard output and error of a command that must end with `code`."""
    ended = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert ended.exit_code == code, ended.output
    return ended.stdout, ended.stderr


def test_preview(recipe: Path, tmp_path: Path) -> None:
    """Four pictures of 320x240 side by side in one file, whose name is all that is printed."""
    out = tmp_path / "preview.png"
    assert call("preview", recipe, "--out", out)[0] == f"{out}\n"
    picture = cv2.imread(str(out))
    assert picture is not None and picture.shape[0] >= 480 and picture.shape[1] >= 640
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("size", "small", "pixels"), [((300, 1200), (80, 320), 4), ((64, 48), (320, 240), 1250)])
def test_a_preview_is_the_full_picture_scaled(size: tuple[int, int], small: tuple[int, int], pixels: int) -> None:
    """A preview keeps the picture's shape, labels what the full size would, defects too, and renders no twins."""
    limits = ["min_pixels=50", "min_visibility=0.2"], ["min_pixels=50", "min_visible_fraction=0.1", "twins=true"]
    given = [f"{name}.{limit}" for name, some in zip(("labels", "defects"), limits, strict=True) for limit in some]
    recipe = load("hardware", [f"render.size={list(size)}", *given])
    shown = _small(recipe)
    assert shown.render == recipe.render.model_copy(update={"size": small})
    assert (shown.labels.min_pixels, shown.labels.min_visibility) == (pixels, 0.2)
    assert recipe.defects is not None
    assert shown.defects == recipe.defects.model_copy(update={"min_pixels": pixels, "twins": False})
    assert _small(load("hardware")).defects is None


def test_progress_counts_what_there_is_to_do(recipe: Path, tmp_path: Path) -> None:
    """Of a dataset that is continued only the images that are made are counted, one whose picture is gone with them."""
    call("generate", recipe, "--out", tmp_path / "d", "--count", 3)
    (tmp_path / "d/images/000001.png").unlink()
    told = call("generate", recipe, "--out", tmp_path / "d", "--count", 4)[1].splitlines()
    assert told[0] == "2 of 4 images are left to make" and told[-1].startswith("2/2 images, ")


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
    assert "pixels differ from the stored image" in call("rerender", folder, 1, "--out", out, code=1)[1]


def test_rerender_on_the_device_of_the_record(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record's device renders unless another one is named; then other pixels are no failure."""
    sw.generate(load(recipe), 1, tmp_path / "d")
    path = tmp_path / "d/records/000000.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"device": "optix: NVIDIA L4"}))
    used: list[str] = []

    def render(_: object, device: str, **__: object) -> Frame:
        used.append(device)
        black = np.zeros((48, 64), np.uint16)
        return Frame(
            rgb=np.zeros((48, 64, 3), np.uint8),
            ids=black,
            stuff=black.astype(np.uint8),
            depth_m=black.astype(np.float32),
        )

    monkeypatch.setattr("scenewright.farm.one_scene.render_scene", render)
    arguments = ("rerender", tmp_path / "d", 0, "--out", tmp_path / "x.png")
    call(*arguments, code=1)
    call(*arguments, "--device", "optix", code=1)
    call(*arguments, "--device", "cpu")
    assert used == ["optix", "optix", "cpu"]


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
