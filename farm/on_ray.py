"""A run on a Ray cluster, or on one that lives inside this process.

Ray moves shards to nodes, and again when a node is lost; what is finished only the dataset knows. So tasks keep no
state, nothing is an actor, and a driver that dies costs the images that were in the making.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import DatasetError, RenderError, ScenewrightError, UsageError
from ..pipeline import Outcome, versions
from .executors import Shard

__all__ = ["Ray", "connected"]

#: A Ray process is replaced after so many shards.
MAX_CALLS = 50
#: So many machines may find that they cannot make the same images, before the run gives up.
MAX_SICK = 5
#: What a machine that has proved unable waits before it tries a shard, so that it does not eat the whole queue.
SICK_PAUSE_S = 20.0
#: Images of a shard, where there are enough for every slot: fewer are not worth a worker's start. The last shards leave
#: slots idle, so each slot gets several where it can.
MIN_SHARD, MAX_SHARD, SHARDS_EACH = 4, 64, 4
#: Said before Ray is imported, it takes loopback for this machine's address, and all its processes listen there alone.
#: Whatever else is asked for, it turns 127.0.0.1 into the address by which others reach this machine.
ALONE, LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "127.0.0.1"
#: Where a task failed, in what Ray says of it.
ADDRESS = re.compile(r"\bip=([^,)\s]+)")
POLL_S = 1.0
#: Shards per slot in flight: one runs and one waits where it will run.
WINDOW = 2


@dataclass(frozen=True)
class Ray:
    """Shards as stateless Ray tasks.

    Attributes:
        address: "local" embeds a cluster in this process, which listens on loopback only; "auto" finds the cluster that
            this machine belongs to; else the address of its head, as `ray start` prints it.
        per_gpu: shards that share a GPU; 0: none is used, None: one each on a cluster that has GPUs.
        cpus: cores of a shard.
        shard_images: images of a shard; None: see `Ray.size`.
    """

    address: str = "auto"
    per_gpu: int | None = None
    cpus: int = 1
    shard_images: int | None = None
    alone: bool = True

    def __post_init__(self) -> None:
        if (self.per_gpu or 0) < 0 or self.cpus < 1 or (self.shard_images is not None and self.shard_images < 1):
            raise UsageError(
                f"a shard has an image and a core at least: got cpus={self.cpus}, per_gpu={self.per_gpu}, "
                f"shard_images={self.shard_images}"
            )

    def mine(self, indices: Sequence[int]) -> list[int]:
        """All of them."""
        return list(indices)

    def run(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        """Have the images made on the cluster.

        Raises:
            UsageError: Ray is not installed.
            RenderError: there is no cluster, or its machines cannot make images.
            DatasetError: they cannot write the dataset.
        """
        if not shard.indices:
            return
        with connected(self.address) as ray:
            _Run(ray, self, shard, progress).run()

    def sharing(self, total: dict[str, float]) -> int:
        """How many shards share a GPU of a cluster of these resources; 0: none is used."""
        return int(total.get("GPU", 0) > 0) if self.per_gpu is None else self.per_gpu

    def resources(self, total: dict[str, float]) -> dict[str, float]:
        """What one task asks such a cluster for."""
        sharing = self.sharing(total)
        return {"num_cpus": self.cpus, "num_gpus": 1 / sharing if sharing else 0}

    def slots(self, total: dict[str, float]) -> int:
        """How many tasks such a cluster runs at once."""
        by_cpu, sharing = int(total.get("CPU", 0) // self.cpus), self.sharing(total)
        return min(by_cpu, int(total.get("GPU", 0) * sharing)) if sharing else by_cpu

    def size(self, images: int, slots: int) -> int:
        """Images of a shard, of so many for so many slots."""
        each = -(-images // max(1, slots))
        shards = min(max(1, each // MIN_SHARD), SHARDS_EACH)
        return self.shard_images or min(-(-each // shards), MAX_SHARD)


@dataclass
class _Piece:
    """Some images of a shard, and the machines that could not make any of them."""

    indices: tuple[int, ...]
    sick: set[str] = field(default_factory=set)


@dataclass
class _Run:
    """One run: a bounded number of tasks in flight, until nothing is left to hand out.

    Attributes:
        sick: machines that could not make any image when they last tried, and why.
        flying: tasks and what each of them makes.
    """

    ray: Any
    plan: Ray
    shard: Shard
    progress: Callable[[Outcome], None]
    sick: dict[str, str] = field(default_factory=dict)
    flying: dict[Any, _Piece] = field(default_factory=dict)

    def run(self) -> None:
        """Submit, wait, and submit again.

        Raises:
            RenderError, DatasetError: no machine can make any image, or machine after machine hands back the same.
        """
        waiting, stop = deque(self._pieces()), self.shard.stop
        total = self.ray.cluster_resources()
        needs, gpu = self.plan.resources(total), bool(self.plan.sharing(total))
        task = self.ray.remote(max_retries=-1, max_calls=MAX_CALLS, **needs)(_make)
        while waiting or self.flying:
            if stop.requested:
                waiting.clear()
            if stop.over:
                break
            while waiting and len(self.flying) < self._window():
                piece = waiting.popleft()
                work = self.shard.part(piece.indices, self.plan.cpus, gpu)
                self.flying[self._placed(task, piece).remote(work, versions(), tuple(self.sick))] = piece
            done, _ = self.ray.wait(list(self.flying), num_returns=1, timeout=POLL_S)
            for ref in done:
                self._landed(self._answer(ref), self.flying.pop(ref), waiting)
        for ref in self.flying:
            self.ray.cancel(ref, force=True)

    def _pieces(self) -> Iterator[_Piece]:
        indices = self.shard.indices
        size = self.plan.size(len(indices), self._slots())
        return (_Piece(indices[at : at + size]) for at in range(0, len(indices), size))

    def _slots(self) -> int:
        return self.plan.slots(self.ray.cluster_resources())

    def _window(self) -> int:
        """A cluster that grows is noticed here; one without a single slot gets a task all the same: it may scale up."""
        return max(1, WINDOW * self._slots())

    def _placed(self, task: Any, piece: _Piece) -> Any:
        """The task; what has come back goes to a machine that is well, for the sick one is the first to be idle."""
        well = sorted(self._nodes() - self.sick.keys() - piece.sick)
        if not piece.sick or not well:
            return task
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = well[piece.indices[0] % len(well)]
        return task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True))

    def _nodes(self) -> set[str]:
        """Living machines on which a shard finds room."""
        needs = self.plan.resources(self.ray.cluster_resources())
        least = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"]}
        alive = (node for node in self.ray.nodes() if node["Alive"])
        return {n["NodeID"] for n in alive if all(n["Resources"].get(k, 0) >= v for k, v in least.items())}

    def _answer(self, ref: Any) -> dict[str, Any]:
        """What a task says, or that its machine could not even begin it: it has no Scenewright, or another one."""
        try:
            answer: dict[str, Any] = self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as e:
            text = str(e).strip()
            found = ADDRESS.search(text)  # the exception has no such attribute once it has taken its cause's class
            address = found[1] if found else f"unknown machine {len(self.sick)}"
            room, nodes = self._nodes(), {n["NodeID"]: n["NodeManagerAddress"] for n in self.ray.nodes()}
            node = next((n for n in sorted(room) if nodes[n] == address), address)
            told = f"{address} could not begin: {text.splitlines()[-1]}; install there what the driver has"
            return {"outcomes": (), "node": node, "trouble": told, "kind": "RenderError"}
        return answer

    def _landed(self, answer: dict[str, Any], piece: _Piece, waiting: deque[_Piece]) -> None:
        for index, status, reason in answer["outcomes"]:
            self.progress(Outcome(index, status, reason))
        node: str = answer["node"]
        if (trouble := answer.get("trouble")) is None:
            self.sick.pop(node, None)
            return
        self.sick[node] = trouble
        piece.sick.add(node)
        nodes = self._nodes()  # none at all: a cluster that grows may get some
        if len(piece.sick) > MAX_SICK or (nodes and nodes <= self.sick.keys()):
            kind: type[ScenewrightError] = DatasetError if answer["kind"] == "DatasetError" else RenderError
            count = f"{len(nodes & self.sick.keys())} of {len(nodes)} machines"
            raise kind(f"{count} could not make any image: {trouble}")
        waiting.append(piece)


def _make(shard: Shard, theirs: dict[str, str], sick: Sequence[str]) -> dict[str, Any]:
    """The task: a shard on this node. Errors are answers, since to Ray an exception is a reason to try again."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    outcomes: list[tuple[int, str, str | None]] = []
    answer: dict[str, Any] = {"outcomes": outcomes, "node": node}
    if node in sick:
        time.sleep(SICK_PAUSE_S)
    try:
        _check_versions(theirs)
        shard.make(lambda o: outcomes.append((o.index, o.status, o.reason)))
    except (ScenewrightError, OSError) as e:  # OSError: no room for the worker's files, no process to be had
        return {**answer, "trouble": str(e), "kind": type(e).__name__}
    return answer


def _check_versions(theirs: dict[str, str]) -> None:
    ours = versions()
    if changed := [name for name in theirs if theirs[name] != ours.get(name)]:
        wanted = ", ".join(f"{name} {theirs[name]} instead of {ours.get(name)}" for name in changed)
        raise RenderError(f"this node needs {wanted}: install on all nodes what the driver has")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected; an embedded cluster is shut down at the end, another one left running."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # said per task instead: see `RenderShard.part`
    if address == "local":
        os.environ[ALONE] = "0"
    try:
        import ray
    except ImportError:
        raise UsageError("--executor ray needs Ray: pip install 'scenewright[farm]'") from None
    mine = not ray.is_initialized()
    if mine:
        more = {"include_dashboard": False} if address == "local" else {}
        try:
            with _our_sigterm():
                ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False, **more)
        except ConnectionError as e:
            raise RenderError(
                f"no Ray cluster answers at {address!r}: {e}. Start one with `ray start --head`, or use --ray local"
            ) from e
    try:
        if mine and address == "local" and (at := ray.util.get_node_ip_address()) != LOOPBACK:
            raise UsageError(
                f"an embedded cluster listens on loopback only, and this one would on {at}, since Ray was imported "
                f"before: set {ALONE}=0 before Python starts, or name the --ray cluster that may be reached"
            )
        yield ray
    finally:
        if mine:
            ray.shutdown()


@contextmanager
def _our_sigterm() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it connects, and would end the process; the run has its own way to end."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)
