"""Supervision with a worker that does on request what Blender does by accident: dies, hangs, refuses, starts slowly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from scenewright.errors import RenderError
from scenewright.render import supervisor, worker
from scenewright.render.scratch import Scratch
from scenewright.render.supervisor import Limits, Outcome, Supervisor
from scenewright.render.worker import Worker, ask

#: A worker that writes `done-<index>` and answers, unless `acts` in its setup names something else for an index.
FAKE = """
import os, sys, tempfile, time
from pathlib import Path
from scenewright.errors import RenderError
from scenewright.render.worker import serve

def start(setup):
    folder = Path(setup["folder"])
    (folder / "starts").open("a").write("x")
    starts = (folder / "starts").stat().st_size
    acts = setup.get("acts", {})
    if acts.get("start") == "refuse":
        raise RenderError("device cuda is not on this machine")
    if acts.get("start") == "slow":
        time.sleep(1)
    if acts.get("start") == "odd" and starts % 2 == 0 or acts.get("start") == "once" and starts > 1:
        sys.exit("out of luck")

    def handle(request):
        index = request["index"]
        act = acts.get(str(index))
        with (folder / "tries").open("a") as file:
            file.write(f"{index} ")
        first = (folder / "tries").read_text().split().count(str(index)) == 1
        if act == "refuse":
            return {"index": index, "status": "impossible", "reason": "no room"}
        if act == "die":
            sys.exit(f"no luck with {index}")
        if act == "hang" and first:
            print("about to hang", file=sys.stderr, flush=True)
            time.sleep(600)
        if act == "close":
            os.closerange(0, 2)
            os.closerange(3, 64)
            time.sleep(600)
        (folder / f"done-{index}").touch()
        if act == "die late":
            os._exit(9)
        return {"index": index, "status": "ok", "reason": tempfile.gettempdir()}

    return handle

serve(start)
"""


@pytest.fixture(autouse=True)
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_worker.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(worker, "GRACE_S", 0.3)
    monkeypatch.setattr(worker, "IDLE_GRACE_S", 5.0)


Run = Callable[..., tuple[dict[int, Outcome], list[Outcome]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three images by default; gives those that were lost and what `progress` was told."""

    def call(count: int = 3, workers: int = 1, timeout_s: float = 60, recycle: int = 400, **acts: str) -> Any:
        setup = {"folder": str(tmp_path), "acts": {name.strip("_"): act for name, act in acts.items()}}
        told: list[Outcome] = []

        def finished(index: int) -> Outcome | None:
            return Outcome(index, "ok") if (tmp_path / f"done-{index}").exists() else None

        limits = Limits(workers, timeout_s, recycle)
        start = lambda: Worker("fake_worker", setup)  # noqa: E731
        return Supervisor(start, range(count), limits, finished, told.append).run(), told

    return call


def tries(folder: Path) -> Counter[str]:
    """How often each image was begun."""
    return Counter((folder / "tries").read_text().split())


def test_a_death_after_the_record_costs_nothing(run: Run, tmp_path: Path) -> None:
    """An image whose worker dies between writing it and saying so is neither made again nor called failed."""
    failed, told = run(_1="die late")
    assert not failed and [o.status for o in told] == ["ok"] * 3
    assert set(tries(tmp_path).values()) == {1}


def test_a_hung_worker_is_replaced(run: Run, tmp_path: Path) -> None:
    """After `timeout_s` a worker that says nothing is killed, and its image is made by another one."""
    failed, told = run(timeout_s=0.7, _1="hang")
    assert not failed and sorted(o.index for o in told) == [0, 1, 2]
    assert tries(tmp_path) == {"0": 1, "1": 2, "2": 1}


def test_an_image_that_kills_is_given_up(run: Run, tmp_path: Path) -> None:
    """After three deaths an image counts as failed, with the last words of the worker; the others are made."""
    failed, told = run(workers=2, _1="die")
    assert failed.keys() == {1} and sorted(o.index for o in told) == [0, 1, 2]
    assert failed[1].status == "failed" and failed[1].reason is not None and "no luck" in failed[1].reason
    assert failed[1].reason.startswith("tried 3 times: the worker process ended with exit code 1\n")
    assert tries(tmp_path)["1"] == 3


def test_an_image_that_is_refused_is_not_tried_again(run: Run, tmp_path: Path) -> None:
    """What the worker refuses it would refuse each time: once is enough, and the worker goes on with the others."""
    failed, told = run(_1="refuse")
    assert failed == {1: Outcome(1, "impossible", "no room")} and [o.index for o in told] == [0, 1, 2]
    assert tries(tmp_path) == {"0": 1, "1": 1, "2": 1} and (tmp_path / "starts").stat().st_size == 1


def test_a_refusal_is_one_sentence(run: Run) -> None:
    """What the worker refuses at its start, such as a GPU that is not there, ends the run in its own words."""
    with pytest.raises(RenderError, match=r"^device cuda is not on this machine$"):
        run(start="refuse")


def test_failed_starts_count_in_a_row_only(run: Run, tmp_path: Path) -> None:
    """Now and then a worker may fail to start, however long the run; three in a row end it."""
    failed, told = run(count=6, recycle=1, start="odd")
    assert not failed and len(told) == 6
    assert (tmp_path / "starts").stat().st_size == 11  # five of them failed
    (tmp_path / "starts").unlink()
    with pytest.raises(RenderError, match=r"died 3 times in a row while starting: .*\n.*out of luck"):
        run(count=6, recycle=1, start="once")


def test_a_start_may_take_longer_than_an_image(run: Run) -> None:
    """The time limit is for images: importing Blender from a cold disk is not one."""
    failed, told = run(timeout_s=0.5, start="slow")
    assert not failed and len(told) == 3


def test_a_start_that_hangs_is_ended(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that never gets ready is an error and not a wait."""
    monkeypatch.setattr(supervisor, "START_S", 0.1)
    with pytest.raises(RenderError, match="did not start in time"):
        run(timeout_s=0.1, start="slow")


def test_an_interrupted_start_leaves_no_process(tmp_path: Path) -> None:
    """Workers that were opened before an interruption are ended with it."""
    opened: list[Worker] = []

    def start() -> Worker:
        if opened:
            raise KeyboardInterrupt
        opened.append(Worker("fake_worker", {"folder": str(tmp_path)}))
        return opened[0]

    with pytest.raises(KeyboardInterrupt):
        Supervisor(start, range(4), Limits(2, 60, 400), lambda _: None, lambda _: None).run()
    assert not psutil.pid_exists(opened[0].pid)


@pytest.mark.parametrize(
    ("act", "said"), [("hang", r"longer than 0.5 s for one image\n.*hang"), ("close", "and did not end")]
)
def test_one_image_never_waits_for_ever(act: str, said: str, tmp_path: Path) -> None:
    """`ask` gives up on a worker that hangs, and on one that closes its pipe and lives on."""
    with pytest.raises(RenderError, match=said):
        ask("fake_worker", {"folder": str(tmp_path), "acts": {"1": act}}, {"index": 1}, timeout_s=0.5)


def test_a_refusal_reaches_the_one_who_asks(tmp_path: Path) -> None:
    """`ask` raises what the worker refuses, without a traceback in it."""
    with pytest.raises(RenderError, match=r"^device cuda is not on this machine$"):
        ask("fake_worker", {"folder": str(tmp_path), "acts": {"start": "refuse"}}, {"index": 1})


@pytest.mark.parametrize("kill", [False, True])
def test_a_worker_leaves_no_temporary_files(kill: bool, tmp_path: Path) -> None:
    """What a worker writes to its temporary folder is gone after `stop`, also when the worker was killed."""
    child = Worker("fake_worker", {"folder": str(tmp_path)})
    assert child.receive(60) == {"ready": True}
    child.send({"index": 0})
    answer = child.receive(60)
    assert answer is not None
    scratch = Path(answer["reason"])
    assert scratch.is_dir() and f"-{os.getpid()}-" in scratch.name
    (scratch / "layer.exr").touch()
    if kill:
        os.kill(child.pid, signal.SIGKILL)
    began = time.monotonic()
    child.stop()
    child.stop()
    assert not scratch.exists() and time.monotonic() - began < 4, "an idle worker ends by itself"


def test_folders_of_the_dead_are_removed() -> None:
    """The next worker removes the folder of a process that was killed, and leaves those of the living alone."""
    code = (
        "import time; from scenewright.render.scratch import Scratch; print(Scratch().path, flush=True); time.sleep(99)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner:
        folder = Path(owner.stdout.readline().strip())
        (folder / "layer.exr").touch()
        Scratch().close()
        assert (folder / "layer.exr").exists()
        owner.kill()
    mine = Scratch()
    assert not folder.exists() and mine.path.is_dir()
    mine.close()
    assert not mine.path.exists()
