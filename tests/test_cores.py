"""Workers that are given some of a machine's cores: how many threads their libraries make, and where these may run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenewright.farm.render_worker import MODULE
from scenewright.render.machine import narrowed, widen
from scenewright.render.worker import Worker, expect

COUNT = [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"]

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux' affinity of threads")


def cores() -> set[int]:
    """What this thread may run on; there must be two to tell anything."""
    mine = os.sched_getaffinity(0)
    if len(mine) < 2:
        pytest.skip("needs two cores")
    return mine


def test_a_narrowed_thread_starts_narrow_processes() -> None:
    """Inside, a new process counts the cores that it shall; afterwards all is as it was."""
    mine = cores()
    with narrowed(1) as allowed:
        assert allowed is not None and {*allowed} == mine
        assert subprocess.check_output(COUNT, text=True) == "1\n"
    assert os.sched_getaffinity(0) == mine
    with narrowed(None) as allowed:
        assert allowed is None and os.sched_getaffinity(0) == mine


@pytest.mark.render
def test_a_worker_of_one_core_has_few_threads_that_may_run_anywhere() -> None:
    """With one core Blender's scheduler has no thread besides its own; none is left bound to the first core."""
    mine = cores()
    setup = {"kind": "scene", "engine": "cycles", "device": "cpu", "threads": 1, "files": []}
    threads = []
    for given in (1, None):
        worker = Worker(MODULE, setup, cores=given)
        try:
            expect(worker, "to start", 300)
            tasks = [int(p.name) for p in Path(f"/proc/{worker.pid}/task").iterdir()]
            assert all(os.sched_getaffinity(task) == mine for task in tasks)
            threads.append(len(tasks))
        finally:
            worker.stop()
    assert threads[0] < threads[1], threads


def test_a_sandbox_that_forbids_it_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that may not be bound are left as they are, and workers start all the same."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with narrowed(1) as allowed:
        assert allowed is None
    widen(os.sched_getaffinity(0))
