"""Running many images with the flat engine: any order, any number of workers, any crash, the same bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import scenewright as sw
from scenewright.datasets.records import indices
from scenewright.errors import DatasetError
from scenewright.scenes.recipe import Recipe

RECIPE = """
name: fast
objects:
  count: {dist: integers, low: 1, high: 5}
  assets:
    - {category: die, shape: die}
    - {category: block, shape: box, params: {x_m: 0.02, y_m: 0.03, z_m: 0.01}, weight: 2}
render: {engine: flat, size: [96, 64]}
"""
COUNT = 8


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("recipe") / "fast.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def recipe(path: Path) -> Recipe:
    return sw.load(path)


@pytest.fixture(scope="module")
def reference(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference") / "out"
    result = sw.generate(recipe, COUNT, folder)
    assert result.complete and result.rendered == COUNT
    return content(folder)


def content(folder: Path) -> dict[str, str]:
    """Path → hash of every file of a dataset."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_two_workers_give_the_same_bytes(recipe: Recipe, reference: dict[str, str], tmp_path: Path) -> None:
    """Who renders an image does not matter."""
    sw.generate(recipe, COUNT, tmp_path / "out", options=sw.Options(workers=2))
    assert content(tmp_path / "out") == reference


def test_any_order_gives_the_same_bytes(recipe: Recipe, reference: dict[str, str], tmp_path: Path) -> None:
    """When an image is rendered does not matter."""
    order = [int(i) for i in np.random.default_rng(1).permutation(COUNT)]
    sw.generate(recipe, COUNT, tmp_path / "out", order=order)
    assert content(tmp_path / "out") == reference


def test_a_longer_run_moves_no_image(recipe: Recipe, reference: dict[str, str], tmp_path: Path) -> None:
    """Adding images changes neither those that are there nor their split."""
    sw.generate(recipe, 3, tmp_path / "out")
    before = content(tmp_path / "out")
    result = sw.generate(recipe, COUNT, tmp_path / "out")
    after = content(tmp_path / "out")
    assert result.rendered == COUNT - 3 and after == reference
    assert all(after[k] == v for k, v in before.items() if k.split("/")[0] in ("images", "records", "ids", "depth"))


def test_recycled_workers_are_not_noticed(recipe: Recipe, reference: dict[str, str], tmp_path: Path) -> None:
    """A worker that is replaced after every third image leaves no trace."""
    sw.generate(recipe, COUNT, tmp_path / "out", options=sw.Options(recycle_images=3))
    assert content(tmp_path / "out") == reference


def run(path: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "scenewright", "generate", str(path), "--count", str(COUNT), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_soon(process: subprocess.Popen[bytes], out: Path, more: int, whole: bool) -> None:
    """SIGKILL the run, or only its worker, once `more` further images are there."""
    goal = len(indices(out)) + more if out.exists() else more
    while process.poll() is None and len(indices(out)) < goal:
        time.sleep(0.005)
    children = psutil.Process(process.pid).children() if process.poll() is None else []
    for victim in [process.pid] if whole else [c.pid for c in children]:
        os.kill(victim, signal.SIGKILL)
    if whole:
        process.wait()
        psutil.wait_procs(children, timeout=20)


def test_killed_runs_continue_without_a_trace(path: Path, reference: dict[str, str], tmp_path: Path) -> None:
    """SIGKILL of a worker, and of everything, again and again: nothing lost, nothing twice, nothing left over."""
    out = tmp_path / "out"
    finished: dict[int, float] = {}
    for whole in (True, False, True):
        process = run(path, out)
        kill_soon(process, out, 2, whole)
        if not whole:
            kill_soon(process, out, 1, True)
        stamps = {i: (out / f"records/{i:06d}.json").stat().st_mtime for i in indices(out)}
        assert all(stamps[i] == t for i, t in finished.items()), "a finished image was rendered again"
        finished = stamps
    assert run(path, out).wait() == 0
    assert all((out / f"records/{i:06d}.json").stat().st_mtime == t for i, t in finished.items())
    assert content(out) == reference


def test_an_interrupted_run_says_how_to_go_on(path: Path, tmp_path: Path) -> None:
    """Ctrl-C ends with 130, leaves whole images only, and the same command continues."""
    out = tmp_path / "out"
    process = run(path, out)
    while len(indices(out)) < 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert run(path, out).wait() == 0


def test_another_seed_is_another_dataset(recipe: Recipe, tmp_path: Path) -> None:
    """A folder is never continued with other settings than it was begun with."""
    sw.generate(recipe, 1, tmp_path / "out", seed=1)
    with pytest.raises(DatasetError, match="made with seed 1, not 2"):
        sw.generate(recipe, 1, tmp_path / "out", seed=2)


def test_the_six_lines_of_the_readme_run(path: Path, tmp_path: Path) -> None:
    """Load, sample, predict, render, read, generate: from Python as from the command line."""
    recipe = sw.load(path)
    scene = sw.sample(recipe, index=0)
    labels = sw.predict(scene)
    frame = sw.render_scene(scene)
    assert frame.rgb.shape == (64, 96, 3) and frame.depth_m.dtype == np.float32
    assert {i.id: i.area for i in labels if i.area} == {
        int(i): int((frame.ids == i).sum()) for i in np.unique(frame.ids) if i
    }
    assert sw.generate(recipe, 2, tmp_path / "out").info.counts.images == 2
