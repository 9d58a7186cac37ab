"""Exports by worker processes, by shares and on Ray: the bytes of one process, whatever is killed in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from scenewright.datasets.exporters.formats import FORMATS, export_dataset
from scenewright.datasets.exporters.job import PARTS
from scenewright.datasets.exporters.parts import part_path
from scenewright.errors import DatasetError, UsageError
from scenewright.farm.executors import Index
from scenewright.farm.exporting import Options, export
from scenewright.farm.generate import generate

from .commands import Run, content
from .small_recipe import make

COUNT = 7
BOX = {"category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01}}

#: Read by every Python that starts: a worker notes each image that it begins, and then does what a test wants.
WORKER = """
import os, pathlib, sys, time
if "scenewright.farm.export_worker" in sys.orig_argv:
    from scenewright.datasets.exporters.job import Job
    records, here = Job.records, pathlib.Path(__file__).parent
    def _first():
        try:
            (here / "dead").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
    def noted(self, split):
        for record in records(self, split):
            with (here / "log").open("a") as log:
                log.write(f"{{record['index']}}\\n")
            {then}
            yield record
    Job.records = noted
"""


@pytest.fixture(scope="module")
def panels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Panels with and without defects, with twins and panoptic maps, some cut off by the border: to be read only."""
    out = tmp_path_factory.mktemp("panels") / "d"
    recipe = make(
        objects={"count": 2, "assets": [BOX]}, placement={"area": [0.2, 0.2]}, camera={"distance": 0.3},
        render={"engine": "flat", "size": [160, 120]}, dataset={"val_fraction": 0.4}, outputs=["panoptic"],
        defects={"rate": 0.5, "twins": True},
    )  # fmt: skip
    assert generate(recipe, COUNT, out).complete
    return out


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Has workers do something before each image; gives the file in which they note their images."""

    def does(then: str) -> Path:
        place = tmp_path / "site"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(WORKER.format(then=then))
        (place / "log").touch()
        monkeypatch.setenv("PYTHONPATH", str(place))
        return place / "log"

    return does


def images(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().splitlines()]


def command(dataset: Path, out: Path, *more: object) -> list[str]:
    arguments = ("export", dataset, "--to", "coco-polygons", "--out", out, *more)
    return [sys.executable, "-m", "scenewright", *map(str, arguments)]


def parts_of(out: Path) -> list[Path]:
    return sorted((out / PARTS).glob("*.jsonl"))


def wait_for(parts: int, out: Path, process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Until so many parts are there; gives the processes that the command has started."""
    while len(parts_of(out)) < parts and process.poll() is None:
        time.sleep(0.01)
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("form", FORMATS)
def test_workers_write_the_bytes_of_one_process(
    form: str, panels: Path, tmp_path: Path, worker: Callable[[str], Path]
) -> None:
    """Two workers, one of which is killed in the middle of an image: the same files, counts and notes."""
    whole = export_dataset(panels, form, tmp_path / "one/x")
    log = worker("if record['index'] == 3 and _first(): os.kill(os.getpid(), 9)")
    result = export(panels, form, tmp_path / "two/x", options=Options(workers=2))
    assert (result.export, result.unfinished, result.elsewhere) == (whole, 0, 0)
    assert content(tmp_path / "two/x") == content(tmp_path / "one/x")
    assert sorted(images(log)) == sorted([*range(COUNT), 3])


def test_shares_at_once_write_the_bytes_of_one_process(panels: Path, tmp_path: Path) -> None:
    """Shares that know nothing of each other make one export; whichever finds all parts writes the rest."""
    whole = export_dataset(panels, "bop", tmp_path / "one/x")
    out = tmp_path / "two/x"

    def share(number: int) -> object:
        return export(panels, "bop", out, executor=Index(number, 2)).export

    with ThreadPoolExecutor() as pool:
        told = list(pool.map(share, range(2)))
    assert whole in told and set(map(type, told)) <= {type(whole), type(None)}
    assert content(out) == content(tmp_path / "one/x")


def test_a_share_says_what_is_left_to_others(panels: Path, run: Run, tmp_path: Path) -> None:
    """A share is done when its blocks are; the last one finishes; one that is run again leaves all as it is."""
    out = tmp_path / "x"
    arguments = ("export", panels, "--to", "yolo", "--out", out, "--executor", "index", "--shards", 2, "--shard")
    first = run(*arguments, 0)
    assert first.code == 0 and "this share is written; 3 images are left to others" in first.out
    assert not json.loads((out / "export.json").read_bytes())["complete"] and not (out / "data.yaml").exists()
    last = run(*arguments, 1, "--json")
    assert last.code == 0 and sum(json.loads(last.out)["images"].values()) == COUNT
    export_dataset(panels, "yolo", tmp_path / "one")
    before = content(out)
    assert before == content(tmp_path / "one")
    assert run(*arguments, 0, "--json").out == last.out and content(out) == before


@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_run_goes_on(
    what: signal.Signals, panels: Path, tmp_path: Path, worker: Callable[[str], Path], run: Run
) -> None:
    """Killed or terminated in the middle, its workers go too; the same command writes the other blocks only."""
    out, log = tmp_path / "x", worker("time.sleep(0.3)")
    process = subprocess.Popen(
        command(panels, out, "--workers", 2), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    workers = wait_for(2, out, process)
    process.send_signal(what)
    _, err = process.communicate(timeout=60)
    psutil.wait_procs(workers, timeout=10)
    assert not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)
    left = COUNT - len(parts_of(out))
    assert 0 < left < COUNT and not json.loads((out / "export.json").read_bytes())["complete"]
    if what == signal.SIGTERM:
        assert process.returncode == 130
        assert f"{left} are left to make; finished images are kept, the same command goes on from here" in err
    log.write_text("")
    assert run(*command(panels, out, "--workers", 2)[3:]).code == 0
    assert len(images(log)) == left
    export_dataset(panels, "coco-polygons", tmp_path / "one")
    assert content(out) == content(tmp_path / "one")


def test_an_image_that_kills_its_worker_is_named(panels: Path, tmp_path: Path, worker: Callable[[str], Path]) -> None:
    """Three deaths at one image end the run with an error that names it; what was written is kept."""
    log = worker("if record['index'] == 3: os._exit(7)")
    with pytest.raises(DatasetError, match=r"image 3 cannot be exported: tried 3 times: .* ended with exit code 7"):
        export(panels, "yolo", tmp_path / "x", options=Options(workers=2))
    assert images(log).count(3) == 3 and parts_of(tmp_path / "x")
    worker("pass")
    export(panels, "yolo", tmp_path / "x", options=Options(workers=1))
    export_dataset(panels, "yolo", tmp_path / "one")
    assert content(tmp_path / "x") == content(tmp_path / "one")


def test_one_process_ends_what_workers_began(panels: Path, tmp_path: Path) -> None:
    """Which executor goes on makes no difference, and parts of a complete export are gone."""
    out = tmp_path / "x"
    assert export(panels, "visa", out, executor=Index(0, 2)).elsewhere == 3 and parts_of(out)
    export_dataset(panels, "visa", out)
    export_dataset(panels, "visa", tmp_path / "one")
    assert content(out) == content(tmp_path / "one")


def test_a_damaged_picture_of_a_complete_export_comes_back(panels: Path, tmp_path: Path) -> None:
    """The same command on a complete export trusts nothing, with workers as without."""
    out = tmp_path / "x"
    export_dataset(panels, "yolo", out)
    before, victim = content(out), next(out.rglob("*.png"))
    victim.write_bytes(victim.read_bytes()[:50])
    assert export(panels, "yolo", out, options=Options(workers=1)).export is not None
    assert content(out) == before


def test_a_damaged_part_is_no_complete_block(panels: Path, tmp_path: Path) -> None:
    """A part that lacks an image ends the export with what to do about it, and no JSON file looks complete."""
    out = tmp_path / "x"
    assert export(panels, "coco-polygons", out, executor=Index(0, 2)).export is None
    part_path(out, 0).write_bytes(part_path(out, 0).read_bytes()[:40])
    with pytest.raises(DatasetError, match=r"000000.jsonl is damaged: delete it, and run the same command again"):
        export(panels, "coco-polygons", out, executor=Index(1, 2))
    assert not list(out.rglob("instances_train.json"))


def test_ray_writes_the_bytes_of_one_process(panels: Path, tmp_path: Path) -> None:
    """`--executor ray --ray local` needs nothing that is running."""
    pytest.importorskip("ray", reason="ray is an optional dependency")
    out = tmp_path / "x"
    ended = subprocess.run(
        command(panels, out, "--executor", "ray", "--ray", "local"), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    export_dataset(panels, "coco-polygons", tmp_path / "one")
    assert content(out) == content(tmp_path / "one")


def test_no_workers_are_refused() -> None:
    """A run needs a worker."""
    with pytest.raises(UsageError, match="at least one worker, got --workers 0"):
        Options(workers=0)
