"""Runs on Ray: a cluster inside the process, and one that loses nodes, workers and drivers."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

import scenewright as sw
from scenewright.errors import RenderError, UsageError
from scenewright.farm import on_ray
from scenewright.farm.on_ray import Ray
from scenewright.farm.stopping import Stop

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


ID_DIGITS = 56  # of a node's name in Ray


class Bare(Exception):
    """How Ray tells of a task that a machine could not begin."""

    def __str__(self) -> str:
        return "ray::_make() (pid=7, ip=c)\nModuleNotFoundError: No module named 'scenewright'"


@dataclass
class Fleet:
    """What a run asks of Ray, answered by machines that are well, sick or bare. The first is always idle first.

    Machines are hexadecimal digits; "f" is the head.
    """

    kinds: dict[str, str]
    asked: list[str] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayTaskError=Bare))

    def nodes(self) -> list[dict[str, Any]]:
        """The head has no room for a shard."""
        rooms: dict[str, Any] = {"f": {}} | {name: {"CPU": 1.0} for name in self.kinds}
        return [
            {"NodeID": n * ID_DIGITS, "NodeManagerAddress": n, "Alive": True, "Resources": r} for n, r in rooms.items()
        ]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(len(self.kinds))}

    def remote(self, **_: Any) -> Any:
        def task(node: str) -> Any:
            return SimpleNamespace(remote=lambda work, *_: self.send(node, work.indices))

        first = task(next(iter(self.kinds)))
        first.options = lambda scheduling_strategy: task(scheduling_strategy.node_id[0])
        return lambda _: first

    def send(self, node: str, indices: tuple[int, ...]) -> tuple[str, tuple[int, ...], int]:
        self.asked.append(node)
        return node, indices, len(self.asked)

    def wait(self, refs: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return refs[:1], refs[1:]

    def get(self, ref: tuple[str, tuple[int, ...], int]) -> dict[str, Any]:
        node, indices, _ = ref
        if self.kinds[node] == "bare":
            raise Bare
        if self.kinds[node] == "sick":
            return {"outcomes": [], "node": node * ID_DIGITS, "trouble": "no GPU", "kind": "RenderError"}
        return {"outcomes": [(i, "ok", None) for i in indices], "node": node * ID_DIGITS}


@dataclass(frozen=True)
class Numbers:
    """A shard of nothing but numbers."""

    indices: tuple[int, ...]
    stop: Stop = field(default_factory=Stop)

    def part(self, indices: tuple[int, ...], cpus: int, gpu: bool) -> Numbers:
        return Numbers(indices)

    def make(self, progress: Any) -> None:
        raise OSError(28, "No space left on device")


def handed_out(fleet: Fleet) -> list[int]:
    """The images that a run on these machines makes."""
    made: list[int] = []
    on_ray._Run(fleet, Ray(shard_images=1), Numbers(tuple(range(6))), lambda o: made.append(o.index)).run()
    return sorted(made)


@pytest.mark.parametrize("kind", ["sick", "bare"])
def test_a_machine_that_cannot_work_does_not_eat_the_queue(kind: str) -> None:
    """What it hands back goes to another one, also where it is itself the only idle one."""
    fleet = Fleet({"c": kind, "a": "well", "b": "well"})
    assert handed_out(fleet) == list(range(6)) and {"a", "b"} & {*fleet.asked}


def test_machines_that_all_cannot_work_end_the_run() -> None:
    """The error counts them, and says what the last one said."""
    with pytest.raises(RenderError, match="3 of 3 machines could not make any image: no GPU"):
        handed_out(Fleet({"c": "bare", "a": "sick", "b": "sick"}))
    with pytest.raises(
        RenderError, match=r"1 of 1 machines.*c could not begin: .*No module named 'scenewright'.*install there"
    ):
        handed_out(Fleet({"c": "bare"}))


def test_a_full_disk_is_the_machines_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node without room for a worker's files says so, instead of ending the run of all."""
    import ray

    context = SimpleNamespace(get_node_id=lambda: "n")
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    told = on_ray._make(Numbers((1, 2)), {}, ())
    assert (told["node"], told["kind"], told["outcomes"]) == ("n", "OSError", []) and "No space left" in told["trouble"]


def test_sigterm_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes the signal when it connects; afterwards it is again what ends a run in order."""
    import ray

    def init(**_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise ConnectionError("nobody")

    monkeypatch.setattr(ray, "init", init)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RenderError, match="nobody"), on_ray.connected("auto"):
        pass
    assert signal.getsignal(signal.SIGTERM) == before
