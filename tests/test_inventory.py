"""What a dataset's folder holds: the names under which assets are stored, and the list of them in dataset.json."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from scenewright.assets.files import copy_into, remember
from scenewright.datasets.validate import validate

from .synthetic import dataset


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset(tmp_path_factory.mktemp("dataset"), 2)


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "dataset")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("bark.png", ".png"),
        ("Bark.PNG", ".png"),
        ("bark.jpeg2000", ".jpeg2000"),
        ("bark.jpeg20000", ""),
        ("bark.png_1", ""),
        ("bark.jpég", ""),
        ("bark.", ""),
        ("bark", ""),
    ],
)
def test_what_is_stored_is_not_foreign(folder: Path, tmp_path: Path, name: str, suffix: str) -> None:
    """A file keeps a suffix of up to eight letters and digits, and under the name it gets validation knows it."""
    (tmp_path / name).write_bytes(b"bark")
    ref = remember(tmp_path / name)
    assert copy_into(ref, folder / "assets").name == ref.sha256 + suffix
    assert list(validate(folder)) == []


def test_a_suffix_that_is_never_stored_is_foreign(folder: Path, tmp_path: Path) -> None:
    """A hash with a suffix that no file would get is no asset of a dataset."""
    (tmp_path / "bark").write_bytes(b"bark")
    stored = copy_into(remember(tmp_path / "bark"), folder / "assets")
    stored.rename(stored.with_suffix(".png_1"))
    (finding,) = validate(folder)
    assert finding.path == f"assets/{stored.name}.png_1" and "a foreign file" in finding.message


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([1], "recipe.files (Input should be a valid dictionary)"),
        ({"x": 5}, "recipe.files.x (Input should be a valid tuple)"),
        ({"x": [1]}, "recipe.files.x.0 (Input should be a valid dictionary or instance of FileRef)"),
        ({"x": [{"name": "a"}]}, "recipe.files.x.0.sha256 (Field required)"),
        ({"x": [{"name": "a", "sha256": "zz"}]}, "recipe.files.x.0.sha256 (String should match pattern"),
        (None, "recipe.files (Input should be a valid dictionary)"),
    ],
)
def test_a_damaged_list_of_files_is_a_finding(folder: Path, files: object, said: str) -> None:
    """Whatever stands in dataset.json for the recipe's files is reported with its place, and nothing is raised."""
    path = folder / "dataset.json"
    data = orjson.loads(path.read_bytes())
    data["recipe"]["files"] = files
    path.write_bytes(orjson.dumps(data))
    findings = list(validate(folder))
    assert any(f.path == "dataset.json" and f"is damaged at {said}" in f.message for f in findings), findings
    assert all("\n" not in f.message for f in findings)
