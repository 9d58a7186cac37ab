"""Runs on Ray: a cluster inside the process, and one that loses nodes, workers and drivers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scenewright as sw
from scenewright.errors import RenderError, UsageError
from scenewright.farm.on_ray import Ray

from .cluster import Harm, run_under_fire
from .commands import content

pytest.importorskip("ray", reason="ray is an optional dependency")

COUNT = 18


@pytest.fixture(scope="module")
def reference(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference") / "d"
    assert sw.generate(sw.load(recipe), COUNT, folder).complete
    return content(folder)


def test_an_embedded_cluster_gives_the_same_bytes(recipe: Path, reference: dict[str, str], tmp_path: Path) -> None:
    """`--ray local` needs nothing that is running, listens on loopback only, and makes the dataset of any executor."""
    command = [
        sys.executable, "-m", "scenewright", "generate", str(recipe), "--count", str(COUNT), "--out",
        str(tmp_path / "d"), "--executor", "ray", "--ray", "local",
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert content(tmp_path / "d") == reference


def test_a_cluster_under_fire_loses_nothing(recipe: Path, reference: dict[str, str], tmp_path: Path) -> None:
    """Two of three nodes die, one for good, workers and the driver are killed: every byte is there, each image once."""
    harm = Harm(node_replaced=3, node_lost=9, drivers=(6,), kills=(2, 5, 8, 12))
    told = run_under_fire([str(recipe)], COUNT, tmp_path / "d", tmp_path, harm, np.random.default_rng(1))
    assert told.last_code == 0 and told.killed == 4 and told.starts == 2
    assert content(tmp_path / "d") == reference
    assert told.of("first") == dict.fromkeys(range(COUNT), 1) and not told.of("second")


@pytest.mark.parametrize("values", [{"per_gpu": -1}, {"cpus": 0}, {"shard_images": 0}])
def test_shards_that_cannot_be_meant(values: dict[str, Any]) -> None:
    """A shard has an image and a core at least."""
    with pytest.raises(UsageError, match="an image and a core"):
        Ray(**values)


def test_slots_of_a_cluster() -> None:
    """As many tasks run at once as cores, or as GPUs times their share and cores."""
    assert Ray(cpus=2).slots({"CPU": 7.0}) == 3
    assert Ray(per_gpu=3).slots({"CPU": 16.0, "GPU": 2.0}) == 6
    assert Ray(per_gpu=3).slots({"CPU": 4.0, "GPU": 2.0}) == 4
    assert Ray(per_gpu=1).slots({"CPU": 4.0}) == 0
    assert Ray().slots({"CPU": 16.0, "GPU": 2.0}) == 2 and Ray().slots({"CPU": 16.0}) == 16
    assert Ray(per_gpu=4).resources({"GPU": 1.0}) == {"num_cpus": 1, "num_gpus": 0.25}
    assert Ray(per_gpu=0).resources({"GPU": 1.0}) == {"num_cpus": 1, "num_gpus": 0}


def test_no_cluster_is_one_sentence(recipe: Path, tmp_path: Path) -> None:
    """Where no cluster answers, the error says how one is started."""
    with pytest.raises(RenderError, match=r"no Ray cluster answers at 'auto'.*ray start --head"):
        sw.generate(sw.load(recipe), 1, tmp_path / "d", executor=Ray("auto"))
