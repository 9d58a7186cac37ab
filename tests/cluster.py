"""A Ray cluster on this machine whose nodes, workers and driver are killed while it renders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from scenewright.datasets.records import indices

#: Read by every Python that starts: a render process notes each image that it begins, and each record that it commits.
LOG = """
import os, sys
if "scenewright.farm.render_worker" in sys.orig_argv:
    from scenewright import pipeline
    from scenewright.datasets import commit
    begin, write = pipeline.sample, commit.write_record
    def note(what, index):
        with open(os.environ["SCENEWRIGHT_TEST_LOG"], "a") as log:
            log.write(f"{what} {index}\\n")
    def sample(recipe, index, seed):
        note("begun", index)
        return begin(recipe, index, seed)
    def write_record(folder, record):
        first = write(folder, record)
        note("first" if first else "second", record.index)
        return first
    pipeline.sample, commit.write_record = sample, write_record
"""


@dataclass
class Harm:
    """What is done to a run, by how many images are there when it happens; `kills` are of random render processes."""

    node_replaced: int
    node_lost: int
    drivers: Sequence[int]
    kills: Sequence[int]


@dataclass
class Told:
    """What happened: killed processes, starts of the driver, and what render processes noted."""

    killed: int = 0
    starts: int = 0
    last_code: int | None = None
    notes: Counter[str] = field(default_factory=Counter)

    def of(self, what: str) -> Counter[int]:
        """How often each image was noted so."""
        return Counter({int(line.split()[1]): n for line, n in self.notes.items() if line.startswith(what + " ")})


@contextmanager
def cluster(nodes: int, cpus: int, environment: dict[str, str]) -> Iterator[Any]:
    """A head that runs nothing, and nodes; processes of the cluster get the environment."""
    from ray.cluster_utils import Cluster

    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=cpus)
        yield made
    finally:
        made.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def run_under_fire(
    recipe: Sequence[str], count: int, out: Path, scratch: Path, harm: Harm, rng: np.random.Generator,
    timeout_s: float = 1500, cpus: int = 1,
) -> Told:  # fmt: skip
    """Make a dataset on three nodes while they are killed; the driver is started again until it ends by itself."""
    (scratch / "sitecustomize.py").write_text(LOG)
    log = scratch / "log"
    log.touch()
    environment = {
        "PYTHONPATH": str(scratch), "SCENEWRIGHT_TEST_LOG": str(log), "RAY_AUTH_MODE": "disabled",
        "RAY_health_check_initial_delay_ms": "0", "RAY_health_check_period_ms": "500",
        "RAY_health_check_failure_threshold": "4",
    }  # fmt: skip
    told = Told()
    with cluster(3, cpus, environment) as made:
        deadline = time.monotonic() + timeout_s
        drivers = threading.Thread(
            target=_drive, args=(recipe, count, out, made.address, list(harm.drivers), told, deadline), daemon=True
        )
        drivers.start()
        _attack(made, out, log, harm, rng, told, cpus, deadline)
        drivers.join()
    told.notes.update(log.read_text().splitlines())
    return told


def _drive(
    recipe: Sequence[str], count: int, out: Path, address: str, deaths: list[int], told: Told, deadline: float
) -> None:
    """Start the driver until it ends by itself, and kill it when so many images are there."""
    while time.monotonic() < deadline:
        told.starts += 1
        driver = _driver(recipe, count, out, address)
        while driver.poll() is None and time.monotonic() < deadline:
            if deaths and len(indices(out)) >= deaths[0]:
                deaths.pop(0)
                driver.send_signal(signal.SIGKILL)
            time.sleep(0.05)
        if driver.poll() is None:
            driver.kill()
        told.last_code = driver.wait()
        if told.last_code != -signal.SIGKILL:
            return


def _driver(recipe: Sequence[str], count: int, out: Path, address: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "scenewright", "generate", *recipe, "--count", str(count), "--out", str(out),
        "--executor", "ray", "--ray", address,
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def _attack(
    made: Any, out: Path, log: Path, harm: Harm, rng: np.random.Generator, told: Told, cpus: int, deadline: float
) -> None:
    """In the order of the dataset's growth: kill render processes, and two nodes."""
    due = sorted([(at, "kill") for at in harm.kills] + [(harm.node_replaced, "replace"), (harm.node_lost, "lose")])
    for at, what in due:
        while len(indices(out)) < at and time.monotonic() < deadline:
            time.sleep(0.05)
        if what == "kill":
            time.sleep(float(rng.uniform(0, 0.5)))
            told.killed += _kill_one(rng, log)
        else:
            made.remove_node(min(made.worker_nodes, key=str), allow_graceful=False)
            if what == "replace":
                made.add_node(num_cpus=cpus)


def _kill_one(rng: np.random.Generator, log: Path) -> int:
    """SIGKILL one render process of this run, waiting for one to be there; others on this machine are not ours."""
    for _ in range(400):
        found = [process for process in psutil.process_iter(["cmdline"]) if _ours(process, log)]
        if found:
            with suppress(psutil.Error):
                found[int(rng.integers(len(found)))].send_signal(signal.SIGKILL)
                return 1
        time.sleep(0.05)
    return 0


def _ours(process: psutil.Process, log: Path) -> bool:
    if "scenewright.farm.render_worker" not in (process.info["cmdline"] or ()):
        return False
    try:
        return process.environ().get("SCENEWRIGHT_TEST_LOG") == str(log)
    except psutil.Error:
        return False
