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
from scenewright.farm import supervisor
from scenewright.farm.job import CANARY, Evidence, Job
from scenewright.farm.stopping import Stop
from scenewright.farm.supervisor import Limits, Supervisor
from scenewright.pipeline import Outcome
from scenewright.render import worker
from scenewright.render.scratch import Scratch
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
    if acts.get("start") == "killed" and starts < 3:
        os.kill(os.getpid(), 9)
    if acts.get("start") == "slow":
        time.sleep(1)
    if acts.get("start") == "odd" and starts % 2 == 0 or acts.get("start") == "once" and starts > 1:
        sys.exit("out of luck")

    spoilt = []

    def handle(request):
        index = request["index"]
        act = acts.get(str(index))
        with (folder / "served").open("a") as file:
            file.write(f"{os.getpid()} {setup.get('number')} {index}\\n")
        with (folder / "tries").open("a") as file:
            file.write(f"{index} ")
        first = (folder / "tries").read_text().split().count(str(index)) == 1
        if setup.get("number") in setup.get("sick", []):
            return {"index": index, "status": "failed", "reason": "this GPU is sick"}
        if index == -1:
            if act == "die":
                sys.exit("even the simplest")
            if act == "kill":
                os.kill(os.getpid(), 9)
            return {"index": -1, "status": "failed" if act == "fail" else "ok", "reason": "the GPU is lost"}
        if act == "spoil" and first:
            spoilt.append(index)
        if spoilt:
            return {"index": index, "status": "failed", "reason": "out of order"}
        if act == "fail":
            Path(tempfile.gettempdir(), f"scene-{index}.json").write_text(f"scene {index}")
            return {"index": index, "status": "failed", "reason": "Blender failed"}
        if act == "kill" or act == "kill once" and first:
            os.kill(os.getpid(), 9)
        if act == "eat" and first:
            held = b"x" * (400 << 20)
            time.sleep(600)
        if act == "slow":
            time.sleep(1.5)
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


class Fake(Job):
    """Three images by default; remembers what it was told."""

    def __init__(self, folder: Path, canary: bool = False, **acts: str) -> None:
        self.folder, self.canary = folder, canary
        self.setup: dict[str, Any] = {
            "folder": str(folder),
            "acts": {name.strip("_"): act for name, act in acts.items()},
        }
        self.told: list[Outcome] = []
        self.given_up: list[Evidence] = []
        self.begun: list[int] = []
        self.numbers: list[int] = []

    def start(self, number: int) -> Worker:
        self.numbers.append(number)
        return Worker("fake_worker", {**self.setup, "number": number})

    def finished(self, index: int) -> Outcome | None:
        return Outcome(index, "ok") if (self.folder / f"done-{index}").exists() else None

    def progress(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    def began(self, index: int) -> None:
        self.begun.append(index)

    def aside(self, given_up: Evidence) -> Outcome:
        self.given_up.append(given_up)
        return given_up.outcome


Run = Callable[..., tuple[dict[int, Outcome], list[Outcome]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three images by default; gives those that were lost and what `progress` was told."""

    def call(
        count: int = 3, workers: int = 1, timeout_s: float = 60, recycle: int = 400, memory: int | None = None,
        job: Fake | None = None, stop: Stop | None = None, **acts: str,
    ) -> Any:  # fmt: skip
        job = job or Fake(tmp_path, False, **acts)
        return Supervisor(job, range(count), Limits(workers, timeout_s, recycle, memory), stop).run(), job.told

    return call


def tries(folder: Path) -> Counter[str]:
    """How often each image was begun."""
    return Counter((folder / "tries").read_text().split())


def served(folder: Path) -> list[tuple[int, int, int]]:
    """The process, the place and the image of each try, in order."""
    lines = (folder / "served").read_text().splitlines()
    return [(int(pid), int(place), int(index)) for pid, place, index in map(str.split, lines)]


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


def test_a_failing_image_is_given_up_when_the_canary_lives(run: Run, tmp_path: Path) -> None:
    """Three failures make a suspect; a machine that makes the canary proves it guilty, with its scene and its log."""
    job = Fake(tmp_path, canary=True, _1="fail")
    failed, told = run(job=job)
    assert failed == {1: Outcome(1, "failed", "tried 3 times: Blender failed")}
    assert sorted(o.index for o in told) == [0, 1, 2] and tries(tmp_path)["-1"] == 1
    (failure,) = job.given_up
    assert failure.reasons == ("Blender failed",) * 3 and failure.scene == b"scene 1"
    assert CANARY not in job.begun


@pytest.mark.parametrize("how", ["fail", "die"])
def test_a_sick_machine_blames_no_image(how: str, run: Run, tmp_path: Path) -> None:
    """A machine that cannot even make the canary ends the run, and puts nothing aside."""
    job = Fake(tmp_path, canary=True, _1="fail")
    job.setup["acts"]["-1"] = how
    with pytest.raises(RenderError, match=r"(?s)cannot make any image: image 1 failed 3 times.*\n.*doctor"):
        run(job=job)
    assert not job.given_up


def test_a_sick_place_blames_no_image(run: Run, tmp_path: Path) -> None:
    """Where one GPU of several fails every image, each is made on another one, and nothing is put aside."""
    job = Fake(tmp_path, canary=True, **{f"_{i}": "slow" for i in range(6)})
    job.setup["sick"] = [1]
    failed, told = run(count=6, workers=3, job=job)
    assert not failed and sorted(o.index for o in told) == [*range(6)] and not job.given_up
    assert 1 in {number for _, number, _ in served(tmp_path)} and max(tries(tmp_path).values()) == 2


def test_a_spoilt_worker_is_replaced(run: Run, tmp_path: Path) -> None:
    """A worker that fails does not fail the next images too: a fresh one makes them, and no start counts as failed."""
    job = Fake(tmp_path, canary=True, **{f"_{i}": "spoil" for i in range(5)})
    failed, told = run(count=5, job=job)
    assert not failed and len(told) == 5 and set(tries(tmp_path).values()) == {2}


def test_the_canary_gets_a_fresh_worker_elsewhere(run: Run, tmp_path: Path) -> None:
    """What the suspect has spoilt, a process or a GPU, is not where the canary is made."""
    job = Fake(tmp_path, canary=True, _1="fail", _3="slow", _4="slow")
    failed, _ = run(count=9, workers=2, job=job)
    assert failed.keys() == {1} and tries(tmp_path)["-1"] == 1
    history = served(tmp_path)
    at = [index for _, _, index in history].index(CANARY)
    pid, place, _ = history[at]
    assert pid not in {p for p, _, _ in history[:at]}
    assert [p for _, p, index in history[:at] if index == 1][-1] != place


def test_a_guilty_image_on_a_machine_with_a_sick_place(run: Run, tmp_path: Path) -> None:
    """The canary is tried in several places too: one that cannot make it does not speak for the machine."""
    job = Fake(tmp_path, canary=True, _0="fail")
    job.setup["sick"] = [1]
    failed, _ = run(count=1, workers=2, job=job)
    assert failed.keys() == {0} == {e.index for e in job.given_up}
    assert [place for _, place, index in served(tmp_path) if index == CANARY] == [1, 0]


def test_the_last_image_is_tried_too(run: Run, tmp_path: Path) -> None:
    """Where the suspect is the last image, a worker is still opened for the canary."""
    job = Fake(tmp_path, canary=True, _0="die")
    failed, _ = run(count=1, job=job)
    assert failed.keys() == {0} and len(job.given_up) == 1
    assert b"no luck with 0" in job.given_up[0].log


def test_kills_from_outside_are_not_the_images_fault(run: Run, tmp_path: Path) -> None:
    """Somebody who kills workers costs time; only after ten such deaths of one image is it given up."""
    failed, _ = run(_1="kill", _2="kill once")
    assert failed.keys() == {1} and tries(tmp_path) == {"0": 1, "1": 10, "2": 2}


def test_canaries_that_are_killed_end_the_run(run: Run, tmp_path: Path) -> None:
    """A machine where the system kills each canary too, for want of memory, is given up after ten: no endless loop."""
    job = Fake(tmp_path, canary=True, _0="fail")
    job.setup["acts"]["-1"] = "kill"
    with pytest.raises(RenderError, match=r"image 0 failed 3 times, and the simplest scene 10 times: .*SIGKILL"):
        run(count=1, job=job)
    assert tries(tmp_path) == {"0": 3, "-1": 10} and not job.given_up


def test_a_worker_that_eats_memory_is_replaced(run: Run, tmp_path: Path) -> None:
    """A worker that holds more than it may is killed within seconds, and its image made by another one."""
    began = time.monotonic()
    failed, _ = run(memory=300 << 20, _1="eat")
    assert not failed and tries(tmp_path) == {"0": 1, "1": 2, "2": 1} and time.monotonic() - began < 30


def test_a_stop_lets_images_in_the_making_end(run: Run, tmp_path: Path) -> None:
    """Asked to stop, a run begins nothing more, finishes what it has begun, and leaves no process."""
    stop = Stop(20)

    class Stopping(Fake):
        def began(self, index: int) -> None:
            super().began(index)
            stop.request()

    job = Stopping(tmp_path, _0="slow")
    failed, told = run(count=5, job=job, stop=stop)
    assert not failed and [o.index for o in told] == [0] == job.begun


def test_a_stop_waits_no_longer_than_its_grace(run: Run, tmp_path: Path) -> None:
    """An image that does not end within the grace is left to the next run."""
    stop = Stop(0.5)

    class Stopping(Fake):
        def began(self, index: int) -> None:
            stop.request()

    began = time.monotonic()
    failed, told = run(job=Stopping(tmp_path, _0="hang"), stop=stop)
    assert not failed and not told and time.monotonic() - began < 10


def test_places_of_workers_are_used_again(run: Run, tmp_path: Path) -> None:
    """A worker that replaces another gets its number, so that GPUs are shared out evenly for ever."""
    job = Fake(tmp_path, _1="die")
    run(count=6, workers=2, recycle=2, job=job)
    assert set(job.numbers) == {0, 1} and len(job.numbers) > 3


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


def test_a_first_worker_that_is_killed_is_replaced(run: Run, tmp_path: Path) -> None:
    """Somebody who kills the first worker while it starts does not end the run: it is no worker that cannot start."""
    failed, told = run(start="killed")
    assert not failed and len(told) == 3 and (tmp_path / "starts").stat().st_size == 3


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

    class Interrupted(Fake):
        def start(self, number: int) -> Worker:
            if opened:
                raise KeyboardInterrupt
            opened.append(super().start(number))
            return opened[0]

    with pytest.raises(KeyboardInterrupt):
        Supervisor(Interrupted(tmp_path), range(4), Limits(2, 60, 400)).run()
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
