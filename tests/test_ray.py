"""Runs on Ray: a cluster inside the process, and one that loses nodes, workers and drivers."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import psutil
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


def listening(pid: int) -> set[str]:
    """Addresses on which a process and all below it accept connections."""
    found: set[str] = set()
    with suppress(psutil.Error):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(psutil.Error):
                sockets = process.net_connections("inet")
                found |= {s.laddr.ip.removeprefix("::ffff:") for s in sockets if s.status == psutil.CONN_LISTEN}
    return found


def test_an_embedded_cluster_is_like_any_executor_and_reached_by_nobody(
    recipe: Path, reference: dict[str, str], tmp_path: Path
) -> None:
    """`--ray local` needs nothing that is running, gives the same bytes, and listens on loopback only."""
    command = [
        sys.executable, "-m", "scenewright", "generate", str(recipe), "--count", str(COUNT), "--out",
        str(tmp_path / "d"), "--executor", "ray", "--ray", "local",
    ]  # fmt: skip
    process, heard = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL), set[str]()
    while process.poll() is None:
        heard |= listening(process.pid)
        time.sleep(0.5)
    assert process.returncode == 0 and content(tmp_path / "d") == reference
    assert heard and all(ip_address(ip).is_loopback for ip in heard), heard


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


@pytest.mark.parametrize(
    ("images", "slots", "size"),
    [(4, 2, 2), (1, 8, 1), (60, 6, 5), (150, 2, 19), (100_000, 500, 50), (100_000, 8, 64), (5, 0, 5)],
)
def test_shards_are_worth_a_start_and_end_together(images: int, slots: int, size: int) -> None:
    """Every slot gets some images; several shards, where each has enough to be worth the start of a worker."""
    assert Ray().size(images, slots) == size
    assert Ray(shard_images=7).size(images, slots) == 7


def test_no_cluster_is_one_sentence(recipe: Path, tmp_path: Path) -> None:
    """Where no cluster answers, the error says how one is started."""
    with pytest.raises(RenderError, match=r"no Ray cluster answers at 'auto'.*ray start --head"):
        sw.generate(sw.load(recipe), 1, tmp_path / "d", executor=Ray("auto"))
