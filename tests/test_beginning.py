"""Runs that begin the same folder in the same moment, where nothing keeps them apart: one begins, all others go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scenewright.assets.files import remember
from scenewright.datasets import derived_folder, folder
from scenewright.datasets.derived_folder import open_derived
from scenewright.datasets.exporters.job import MARKER, open_job
from scenewright.datasets.folder import open_dataset
from scenewright.datasets.records import DatasetInfo, create_info, read_info
from scenewright.errors import DatasetError
from scenewright.scenes.recipe import Recipe

from .small_recipe import make


def after(first: Callable[[], object], what: Callable[..., Any]) -> Callable[..., Any]:
    """A function that does something else first, once."""
    left = [first]

    def call(*arguments: Any) -> Any:
        if left:
            left.pop()()
        return what(*arguments)

    return call


def opened(out: Path, recipe: Recipe, seed: int = 0) -> DatasetInfo:
    return open_dataset(out, recipe, seed, 3, {"scenewright": "1"}, alone=False)


def derived(source: Path, out: Path, plan: dict[str, Any], alone: bool = False) -> DatasetInfo:
    return open_derived(out, source, read_info(source), "refined", plan, 3, alone=alone)


@pytest.mark.parametrize("moment", ["strangers", "create_info"])
def test_all_use_the_libraries_of_the_first(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingested anew, a file gives a library with other bytes; whoever begins, dataset.json and all shares name one."""
    recipes = []
    for name in ("first", "second"):
        (tmp_path / f"{name}.blend").write_text(name)
        recipes.append(make().model_copy(update={"libraries": {"part": remember(tmp_path / f"{name}.blend")}}))
    out = tmp_path / "d"
    monkeypatch.setattr(folder, moment, after(lambda: opened(out, recipes[0]), getattr(folder, moment)))
    info = opened(out, recipes[1])
    assert info.recipe == recipes[0].model_dump(mode="json") != recipes[1].model_dump(mode="json")
    assert read_info(out) == info


def test_another_dataset_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds out at the last moment that another recipe or seed has begun the folder is told as ever."""
    monkeypatch.setattr(folder, "create_info", after(lambda: opened(tmp_path, make(), 1), create_info))
    with pytest.raises(DatasetError, match="was made with seed 1, not 0"):
        opened(tmp_path, make())
    assert read_info(tmp_path).seed == 1


@pytest.mark.parametrize("moment", ["strangers", "indices", "create_info"])
def test_shares_of_a_derived_dataset_begin_together(
    moment: str, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same plan the second goes on, whenever the first comes; of another plan it is refused."""
    for name, plan in (("same", {"a": 1}), ("other", {"a": 2})):
        out = tmp_path / name
        first = partial(derived, made, out, {"a": 1})
        with monkeypatch.context() as patch:
            patch.setattr(derived_folder, moment, after(first, getattr(derived_folder, moment)))
            if name == "same":
                assert derived(made, out, plan) == read_info(out)
            else:
                with pytest.raises(DatasetError, match=r"was made otherwise \(it differs in plan\.a\)"):
                    derived(made, out, plan)
        info = read_info(out)
        assert info.derived is not None and info.derived.plan == {"a": 1}


def test_plans_do_not_mix_before_the_first_image(made: Path, tmp_path: Path) -> None:
    """Where others may be at work a second plan is refused before the first image, too; who is alone begins anew."""
    derived(made, tmp_path / "d", {"a": 1})
    with pytest.raises(DatasetError, match="was made otherwise"):
        derived(made, tmp_path / "d", {"a": 2})
    info = derived(made, tmp_path / "d", {"a": 2}, alone=True)
    assert info == read_info(tmp_path / "d") and info.derived is not None and info.derived.plan == {"a": 2}


def test_shares_of_an_export_begin_together(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another share has put there just now is no stranger's; what a stranger has put there is."""
    out = tmp_path / "e"
    out.mkdir()

    def begin() -> None:
        with open_job(made, "yolo", out, (), lambda *_: lambda: None, alone=False):
            (out / "images").mkdir()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", after(begin, Path.iterdir))
        with open_job(made, "yolo", out, (), lambda *_: lambda: None, alone=False) as job:
            assert job.out == out and (out / MARKER).exists()
    (out / MARKER).unlink()
    with pytest.raises(DatasetError, match="is not empty and holds no export"):
        begin()
