"""Runs that go wrong: a full disk, a killed worker, a signal. What is finished stays, and the user is told."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import scenewright as sw
from scenewright.datasets.failures import read_failure
from scenewright.datasets.records import indices, read_info
from scenewright.errors import DatasetError
from scenewright.pipeline import engine_for, produce
from scenewright.terminal import Stopped

from .commands import COUNT, Run, child, content, workers


def test_a_full_disk_keeps_what_is_finished(
    recipe: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills up the run ends with an explanation, leaves no half file, and goes on later."""
    loaded, out = sw.load(recipe), tmp_path / "d"
    sw.generate(loaded, 1, out)
    synced = iter([None] * 5)  # the picture and the depth of image 1 fit, each a file and its folder

    def fsync(_: int) -> None:
        if next(synced, "full") == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DatasetError, match=r"No space left on device\. Free space, .* finished images are kept"):
        produce(loaded, read_info(out), 1, out, engine_for("flat", "cpu", None))
    monkeypatch.undo()
    assert indices(out) == [0] and not list(out.rglob("*.tmp"))
    result = sw.generate(loaded, COUNT, out)
    assert result.rendered == COUNT - 1 and content(out) == content(made)


def test_a_worker_that_is_killed_costs_nothing_but_its_image(recipe: Path, tmp_path: Path) -> None:
    """An image whose worker dies is made again by another one."""
    killed: list[int] = []

    def kill_once(_: object) -> None:
        if not killed:
            worker = workers()[0]
            killed.append(worker.pid)
            worker.kill()

    result = sw.generate(sw.load(recipe), 4, tmp_path / "d", progress=kill_once)
    assert killed and result.complete and not result.failed and indices(tmp_path / "d") == [0, 1, 2, 3]


def test_a_worker_that_cannot_start(run: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is told with the worker's last words and the command that diagnoses it."""
    (tmp_path / "psutil.py").write_text("raise ImportError('libX11.so.6: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ended = run("generate", recipe, "--out", tmp_path / "d")
    assert ended.code == 1
    assert "error: the worker process did not start" in ended.err and "libX11.so.6: cannot open" in ended.err
    assert "run `scenewright doctor`" in ended.err


def test_modules_in_the_users_folder_are_not_ours(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named like a library, where the user happens to work, is not imported by workers."""
    (tmp_path / "psutil.py").write_text("raise ImportError('this is a script of the user')\n")
    monkeypatch.chdir(tmp_path)
    assert sw.generate(sw.load(recipe), 1, tmp_path / "d").complete


def test_quarantined_images_are_told_with_what_helps(run: Run, recipe: Path, dataset: Path) -> None:
    """A run that lacks nothing but a quarantined image ends with 3 and says what to look at, and what is no use."""
    place = dataset / "quarantine/000003"
    place.mkdir(parents=True)
    record = json.loads((dataset / "records/000002.json").read_bytes())
    record.update(index=3, status="quarantined", reason="the engines disagree")
    (place / "record.json").write_text(json.dumps(record))
    ended = run("generate", recipe, "--out", dataset, "--count", 4)
    assert ended.code == 3
    said = f"1 quarantined (3): look at record.json and both id images in {place}, and report it; the same versions on"
    assert "0 of 4 images are left to make" in ended.err and said in ended.err
    assert "to try again" not in ended.err
    assert run("validate", dataset).out.endswith(": nothing wrong\nimages in quarantine: 1\n")
    assert run("generate", recipe, "--out", dataset, "--count", 3).code == 0
    shutil.rmtree(place)
    assert run("generate", recipe, "--out", dataset, "--count", 4).code == 0


def test_images_that_cannot_be_made_do_not_stop_the_others(recipe: Path, tmp_path: Path) -> None:
    """Where objects fit only now and then, the run makes what it can, explains the rest, and ends with 3.

    Since they never fit in those images, it does not say that another try would help.
    """
    arguments = [
        "generate", recipe, "--out", tmp_path / "d", "--count", 6, "--json",
        "--set", "objects.count={dist: choice, options: [1, 400]}", "--set", "placement.attempts=5",
    ]  # fmt: skip
    ended = child(*arguments)
    told = json.loads(ended.out)
    assert ended.code == 3 and "Traceback" not in ended.err
    assert told["images"] == told["rendered"] == len(indices(tmp_path / "d")) == 3
    assert told["impossible"] == [int(i) for i in told["failed"]] and len(told["failed"]) == 3
    assert "then found no room for box in 5 attempts" in ended.err and "lower the count" in ended.err
    assert "3 of 6 images are there\n3 cannot be made (" in ended.err
    assert "they fail the same way every time: change the recipe" in ended.err and "try again" not in ended.err


def test_a_run_without_an_image_has_failed(run: Run, recipe: Path, tmp_path: Path) -> None:
    """Where no image can be made at all, "partial" would be too kind."""
    ended = run("generate", recipe, "--out", tmp_path / "d", "--count", 2, "--set", "objects.count=400")
    assert ended.code == 1 and "0 of 2 images are there 2 cannot be made (0, 1): they fail" in ended.err


#: Read by every Python that starts: a worker dies whenever it makes image 1 of a dataset with seed 0.
DIE = """
import os, sys
if "scenewright.farm.render_worker" in sys.orig_argv:
    from scenewright import pipeline
    sample = pipeline.sample
    pipeline.sample = lambda recipe, index, seed: os._exit(9) if index == 1 else sample(recipe, index, seed)
"""


def test_an_image_that_crashes_is_put_aside(
    run: Run, recipe: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that killed its workers is put aside and left there, until --retry makes it."""
    arguments = ("generate", recipe, "--out", tmp_path / "d", "--count", COUNT)
    with monkeypatch.context() as crash:
        (tmp_path / "sitecustomize.py").write_text(DIE)
        crash.setenv("PYTHONPATH", str(tmp_path))
        ended = run(*arguments)
    place = tmp_path / "d/quarantine/000001"
    assert ended.code == 3 and f"1 failed (1): what is known is in {place}" in ended.err and "--retry" in ended.err
    assert "image 1 failed: tried 3 times" in ended.err and "every time" not in ended.err
    told = read_failure(tmp_path / "d", 1)
    assert (told.status, len(told.reasons)) == ("failed", 3) and "exit code 9" in told.reason
    assert told.command == f"scenewright rerender {tmp_path / 'd'} 1"
    again = run(*arguments)
    assert again.code == 3 and "1 failed (1)" in again.err and "(0 new)" in again.out
    assert run(*arguments, "--retry").code == 0
    (tmp_path / "d/quarantine").rmdir()
    assert content(tmp_path / "d") == content(made)


def test_a_terminated_run_ends_as_an_interrupted_one(recipe: Path, made: Path, tmp_path: Path) -> None:
    """SIGTERM, as job queues send it, ends a run like Ctrl-C: 130, a sentence, whole images and no orphan."""
    out = tmp_path / "d"
    command = [sys.executable, "-m", "scenewright", "generate", str(recipe), "--out", str(out), "--count", "5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not indices(out) and time.monotonic() < deadline:
        time.sleep(0.02)
    its_workers = workers(process.pid)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert "SIGTERM: images in the making are finished first, for 20 s" in err
    assert "are left to make; finished images are kept, the same command goes on from here" in err
    psutil.wait_procs(its_workers, timeout=5)
    assert its_workers and not any(w.is_running() for w in its_workers)
    assert len(indices(out)) < 5000 and not list(out.rglob("*.tmp")) and not (out / ".lock").exists()
    shared = [n for n in content(made) if n.split("/")[0] in ("images", "records") and (out / n).exists()]
    assert shared and all(content(out)[n] == content(made)[n] for n in shared)


def test_only_generate_promises_to_go_on(run: Run, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that keep nothing when they are interrupted say no more than that."""

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    monkeypatch.setattr("scenewright.datasets.contact.contact_sheet", stop)
    ended = run("show", dataset)
    assert (ended.code, ended.err) == (130, "interrupted")
