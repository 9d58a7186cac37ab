"""Shares of a run by number, in any order and at the same time; and what stops a machine without blaming an image."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scenewright as sw
from scenewright.cli_executors import tell_stopped
from scenewright.datasets.locks import lock, together
from scenewright.datasets.records import indices
from scenewright.errors import DatasetError, RenderError, UsageError
from scenewright.farm import options as options_module
from scenewright.farm import shard as shard_module
from scenewright.farm.executors import Index
from scenewright.farm.shard import RenderShard
from scenewright.farm.share_number import share_number
from scenewright.farm.stopping import Stop
from scenewright.farm.supervisor import Limits, Supervisor
from scenewright.pipeline import Outcome
from scenewright.terminal import Stopped

from .commands import COUNT, Run, content

ROOT = Path(__file__).resolve().parent.parent
SHARES = 2


def share(recipe: Path, out: Path, number: int, *more: object) -> list[str]:
    """The command of one share."""
    return [
        sys.executable, "-m", "scenewright", "generate", str(recipe), "--count", str(COUNT), "--out", str(out),
        "--executor", "index", "--shard", str(number), "--shards", str(SHARES), *map(str, more),
    ]  # fmt: skip


def test_shares_at_the_same_time_give_the_same_bytes(recipe: Path, made: Path, tmp_path: Path) -> None:
    """Processes that know nothing of each other make one dataset, and whichever is last writes the annotations."""
    out = tmp_path / "d"
    both = [subprocess.Popen(share(recipe, out, k), stdout=subprocess.DEVNULL) for k in range(SHARES)]
    assert [process.wait() for process in both] == [0, 0]
    assert content(out) == content(made)


def test_a_share_makes_its_own_images_only(run: Run, recipe: Path, made: Path, tmp_path: Path) -> None:
    """Image i belongs to share i mod n; a share is done when its images are there, and only the last one exports."""
    out = tmp_path / "d"
    arguments = ("generate", recipe, "--count", COUNT, "--out", out, "--executor", "index", "--shards", 2)
    first = run(*arguments, "--shard", 1)
    assert first.code == 0 and indices(out) == [1] and not (out / "annotations").exists()
    assert "1 images (1 new)" in first.out
    assert run(*arguments, "--shard", 1).code == 0
    assert run(*arguments, "--shard", 0).code == 0
    assert content(out) == content(made)


def test_the_scheduler_says_which_share(
    run: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a Slurm array nothing has to be given but the executor."""
    for name, value in {"ID": "1", "COUNT": "2", "MIN": "0", "MAX": "1"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert run("generate", recipe, "--count", COUNT, "--out", tmp_path / "d", "--executor", "index").code == 0
    assert indices(tmp_path / "d") == [1]


SLURM = {f"SLURM_ARRAY_TASK_{k}": v for k, v in {"ID": "2", "COUNT": "5", "MIN": "0", "MAX": "4"}.items()}
#: Two tasks of a hundred, once more.
SOME = {f"SLURM_ARRAY_TASK_{k}": v for k, v in {"ID": "12", "COUNT": "2", "MIN": "12", "MAX": "17"}.items()}


@pytest.mark.parametrize(
    ("environ", "given", "share"),
    [
        (SLURM, (None, None), (2, 5)),
        ({**SLURM, **SOME}, (None, 100), (12, 100)),
        ({"JOB_COMPLETION_INDEX": "3"}, (None, 8), (3, 8)),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "4"}, (None, None), (0, 4)),
        ({"BATCH_TASK_INDEX": "1", "BATCH_TASK_COUNT": "2"}, (None, None), (1, 2)),
        ({"SGE_TASK_ID": "3", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "9"}, (None, None), (2, 9)),
        ({"SGE_TASK_ID": "4", "SGE_TASK_FIRST": "4", "SGE_TASK_LAST": "4"}, (None, 9), (3, 9)),
        ({"SGE_TASK_ID": "undefined"}, (1, 2), (1, 2)),
        ({"JOB_COMPLETION_INDEX": "3"}, (5, 8), (5, 8)),
    ],
)  # fmt: skip
def test_numbers_of_shares(
    environ: dict[str, str], given: tuple[int | None, int | None], share: tuple[int, int]
) -> None:
    """Every scheduler has its variables; what is given on the command line counts more, and keeps a task's number."""
    assert share_number(environ, *given) == share


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, r"number \(--shard\)"),
        ({"JOB_COMPLETION_INDEX": "3"}, r"count \(--shards\)"),
        ({**SLURM, **SOME}, "2 tasks from 12 to 17.*--shards"),
        ({**SLURM, "SLURM_ARRAY_TASK_COUNT": "3"}, "3 tasks from 0 to 4.*--shards"),
        ({"SGE_TASK_ID": "4", "SGE_TASK_FIRST": "4", "SGE_TASK_LAST": "4"}, "its tasks from 4 to 4.*--shards"),
        ({"JOB_COMPLETION_INDEX": "three"}, "must be a whole number, got 'three'"),
    ],
)
def test_a_share_without_a_number_is_refused(environ: dict[str, str], said: str) -> None:
    """Where neither the command line nor the environment says which share this is, the error says what is needed."""
    with pytest.raises(UsageError, match=said):
        share_number(environ)


@pytest.mark.parametrize(("number", "of"), [(2, 2), (-1, 2), (0, 0)])
def test_shares_that_cannot_be_meant(number: int, of: int) -> None:
    """Shares are numbered from 0."""
    with pytest.raises(UsageError, match=f"--shard {number} --shards {of}"):
        Index(number, of)


def test_options_of_other_executors_are_refused(run: Run, recipe: Path, made: Path, tmp_path: Path) -> None:
    """A share without its executor, and an executor that there is none of, are usage errors."""
    ended = run("generate", recipe, "--out", tmp_path / "d", "--shard", 0, "--shards", 2)
    assert ended.code == 2 and "go with --executor index, not local" in ended.err
    ended = run("generate", recipe, "--out", tmp_path / "d", "--executor", "slurm")
    assert ended.code == 2 and "'slurm' is no executor: choose local, ray or index" in ended.err
    ended = run("generate", recipe, "--out", tmp_path / "d", "--executor", "ray", "--workers", 4)
    assert ended.code == 2 and "--workers 4 is of one machine; on Ray" in ended.err
    ended = run("defects", made, "--inpaint", "--out", tmp_path / "d", "--executor", "ray", "--workers", 1)
    assert ended.code == 2 and "--workers 1 is of one machine; on Ray" in ended.err


def test_two_drivers_on_one_dataset(recipe: Path, tmp_path: Path) -> None:
    """A run that wants the dataset for itself keeps others out, shares too; shares keep such a run out."""
    out, loaded = tmp_path / "d", sw.load(recipe)
    with lock(out):
        with pytest.raises(DatasetError, match="another run is writing"):
            sw.generate(loaded, 1, out)
        with pytest.raises(DatasetError, match=r"wants .* for itself is writing"):
            sw.generate(loaded, 1, out, executor=Index(0, 1))
    with together(out):
        with pytest.raises(DatasetError, match="another run is writing"):
            sw.generate(loaded, 1, out)
        assert sw.generate(loaded, 1, out, executor=Index(0, 1)).complete
        assert (out / ".lock").exists(), "somebody still holds it"
    assert not (out / ".lock").exists()


#: Read by every Python that starts: after the first image every worker's renderer fails for ever.
LOSE_THE_GPU = """
import os, sys
from pathlib import Path
if "scenewright.farm.render_worker" in sys.orig_argv:
    from scenewright.errors import RenderError
    from scenewright.render.flat import FlatEngine
    render, lost = FlatEngine.render, Path(os.environ["LOST"])
    def once(self, *more, **named):
        if lost.exists():
            raise RenderError("CUDA error: the GPU has fallen off the bus")
        lost.touch()
        return render(self, *more, **named)
    FlatEngine.render = once
"""


def test_a_lost_gpu_blames_no_image(recipe: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose renderer has failed for good ends the run and says so; elsewhere the same command goes on."""
    out, loaded = tmp_path / "d", sw.load(recipe)
    with monkeypatch.context() as patch:
        (tmp_path / "sitecustomize.py").write_text(LOSE_THE_GPU)
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv("LOST", str(tmp_path / "lost"))
        with pytest.raises(RenderError, match=r"cannot make any image.*fallen off the bus"):
            sw.generate(loaded, COUNT, out)
    assert indices(out) == [0] and not (out / "quarantine").exists()
    assert sw.generate(loaded, COUNT, out).complete and content(out) == content(made)


def test_a_terminated_share_ends_within_its_grace(recipe: Path, tmp_path: Path) -> None:
    """A scheduler's SIGTERM leaves 30 s: the run ends well before, with 130, whole images and no process left."""
    out = tmp_path / "d"
    command = share(recipe, out, 0, "--grace", 15)
    command[command.index(str(COUNT))] = "4000"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not indices(out):
        time.sleep(0.02)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - asked < 25
    assert "are left to make; finished images are kept" in err and not list(out.rglob("*.tmp"))


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_jumps_ends_nothing(
    years: int, recipe: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time limits count by a clock that nobody sets: a run whose wall clock jumps by years makes the same bytes."""
    real, jump = time.time, years * 3.15e7
    calls: list[float] = []

    def jumping() -> float:
        calls.append(real())
        return real() + (jump if len(calls) % 2 else 0)

    monkeypatch.setattr(time, "time", jumping)
    assert sw.generate(sw.load(recipe), COUNT, tmp_path / "d").complete and content(tmp_path / "d") == content(made)


def test_retry_forgets_failures_only(run: Run, recipe: Path, made: Path, tmp_path: Path) -> None:
    """--retry makes what had failed, and leaves finished images as they are."""
    out = Path(shutil.copytree(made, tmp_path / "d"))
    stamp = (out / "records/000000.json").stat().st_mtime_ns
    for name in ("images/000001.png", "records/000001.json"):
        (out / name).unlink()
    place = out / "quarantine/000001"
    place.mkdir(parents=True)
    (place / "failure.json").write_text(
        '{"index": 1, "status": "failed", "reasons": ["a crash"], "host": "h", "command": "c", "versions": {}}'
    )
    arguments = ("generate", recipe, "--count", COUNT, "--out", out)
    assert run(*arguments).code == 3
    assert run(*arguments, "--retry").code == 0 and not place.exists()
    assert (out / "records/000000.json").stat().st_mtime_ns == stamp


def test_what_was_put_aside_can_be_seen(run: Run, dataset: Path, tmp_path: Path) -> None:
    """`rerender` shows the scene of an image that failed, as it was left or drawn anew, with the reason."""
    scene = sw.sample(sw.load("hardware", ["render.engine=flat", "render.size=[64, 48]"]), index=1)
    place = dataset / "quarantine/000001"
    place.mkdir(parents=True)
    (dataset / "records/000001.json").unlink()
    (place / "failure.json").write_text(
        '{"index": 1, "status": "failed", "reasons": ["a crash"], "host": "h", "command": "c", "versions": {}}'
    )
    shown = []
    for text in (None, scene.to_json()):
        if text is not None:
            (place / "scene.json").write_text(text)
        ended = run("rerender", dataset, 1, "--out", tmp_path / "x.png")
        assert ended.code == 0 and "image 1 was put aside: a crash" in ended.err
        shown.append((tmp_path / "x.png").read_bytes())
    assert shown[0] != shown[1]
    assert run("rerender", dataset, 7).code == 1


def test_the_table_of_faults_names_tests_that_there_are() -> None:
    """Every fault that the farm's page lists has a test, under the name that stands there."""
    page = (ROOT / "farm/README.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    there = {name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert len(rows) >= 17 and all("`test_" in row for row in rows[1:])
    assert named <= there


def test_a_share_leaves_what_says_it_all(recipe: Path, tmp_path: Path) -> None:
    """Where dataset.json says already what a share would write, it is left alone: hundreds may begin at once."""
    out, loaded = tmp_path / "d", sw.load(recipe)
    assert sw.generate(loaded, COUNT, out, executor=Index(1, 2)).complete
    stamp = (out / "dataset.json").stat()
    assert sw.generate(loaded, COUNT, out, executor=Index(1, 2)).complete
    after = (out / "dataset.json").stat()
    assert (after.st_ino, after.st_mtime_ns) == (stamp.st_ino, stamp.st_mtime_ns)


def test_a_stop_with_the_last_image_is_no_end(recipe: Path, made: Path, tmp_path: Path) -> None:
    """Whoever is stopped when all images are made, but before the annotations are, does not say that it is done."""
    out, stop = tmp_path / "d", Stop()
    told: list[int] = []

    def ask(outcome: Outcome) -> None:
        told.append(outcome.index)
        if len(told) == COUNT:
            stop.request()

    result = sw.generate(sw.load(recipe), COUNT, out, options=sw.Options(stop=stop), progress=ask)
    assert result.complete and not result.finished and not (out / "annotations").exists()
    with pytest.raises(Stopped, match="all are made, but for what lists them"):
        tell_stopped(result, stop)
    again = sw.generate(sw.load(recipe), COUNT, out)
    assert again.finished and again.rendered == 0 and content(out) == content(made)
    tell_stopped(again, stop)


def test_shards_of_one_machine_share_its_memory(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node with room for four shards of two cores each, a worker may hold a quarter of nine tenths."""
    seen: list[Limits] = []
    monkeypatch.setattr(shard_module, "usable_cores", lambda: 8)
    monkeypatch.setattr(options_module, "usable_memory", lambda: 16 << 30)
    monkeypatch.setattr(Supervisor, "__init__", lambda self, job, todo, limits, stop: seen.append(limits))
    monkeypatch.setattr(Supervisor, "run", lambda self: {})
    info = sw.generate(sw.load(recipe), 1, tmp_path / "d").info
    work = RenderShard(str(tmp_path / "d"), "dataset", (0, 1), info, sw.Options())
    work.part((1,), 2, False).make(lambda _: None)
    assert [limits.memory_bytes for limits in seen] == [round(0.9 * (16 << 30)), round(0.9 * (16 << 30) / 4)]
