"""Running many images with the flat engine: any order, any number of workers, any crash, the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import trimesh

import scenewright as sw
from scenewright.datasets.records import indices, quarantined, read_info, read_record, record_path
from scenewright.errors import DatasetError, RenderError, UsageError
from scenewright.farm import generate as farm
from scenewright.farm.render_worker import MODULE
from scenewright.pipeline import engine_for, store, versions
from scenewright.render import worker
from scenewright.render.frame import Frame
from scenewright.render.worker import Worker
from scenewright.scenes.build import meshes_of
from scenewright.scenes.recipe import Recipe

from .commands import content, workers

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
    while process.poll() is None and len(indices(out)) < 2:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert run(path, out).wait() == 0


def test_another_seed_is_another_dataset(recipe: Recipe, tmp_path: Path) -> None:
    """A folder is never continued with other settings than it was begun with."""
    sw.generate(recipe, 1, tmp_path / "out", seed=1)
    with pytest.raises(DatasetError, match="made with seed 1, not 2"):
        sw.generate(recipe, 1, tmp_path / "out", seed=2)


def test_another_version_is_another_dataset(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of two versions of the renderer never mix, not even when dataset.json is lost."""
    sw.generate(recipe, 1, tmp_path / "out")
    now = versions()
    assert now.keys() >= {"scenewright", "bpy", "numpy", "scipy", "python-fcl", "shapely", "manifold3d", "embreex"}
    assert read_info(tmp_path / "out").versions == read_record(record_path(tmp_path / "out", 0)).versions == now
    monkeypatch.setattr(farm, "versions", lambda: now | {"bpy": "5.0.1"})
    said = rf"was made with bpy {now['bpy']}; installed is bpy 5.0.1: .* choose another --out"
    with pytest.raises(DatasetError, match=said):
        sw.generate(recipe, 2, tmp_path / "out")
    (tmp_path / "out/dataset.json").unlink()
    with pytest.raises(DatasetError, match=said):
        sw.generate(recipe, 2, tmp_path / "out")


#: Read by every Python that starts: lets a worker die between the record of image 1 and its answer.
DIE_LATE = """
import os, sys
if "scenewright.farm.render_worker" in sys.orig_argv:
    from scenewright.datasets import commit
    write = commit.write_record
    def write_and_die(folder, record):
        with (folder.parent / "written").open("a") as log:
            log.write(f"{record.index} ")
        first = write(folder, record)
        if record.index == 1:
            os._exit(9)
        return first
    commit.write_record = write_and_die
"""


def test_a_death_after_the_record_costs_nothing(
    recipe: Recipe, reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies once its record is written has finished: nothing is rendered twice, nothing is reported."""
    (tmp_path / "sitecustomize.py").write_text(DIE_LATE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = sw.generate(recipe, COUNT, tmp_path / "out")
    assert result.complete and not result.failed and result.rendered == COUNT
    assert sorted((tmp_path / "written").read_text().split()) == [str(i) for i in range(COUNT)]
    assert content(tmp_path / "out") == reference


def test_a_stopped_worker_is_replaced(
    recipe: Recipe, reference: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A render process that hangs is killed after `timeout_s`, and its image is made by another one."""
    monkeypatch.setattr(worker, "GRACE_S", 0.3)
    hung: list[int] = []

    def stop_once(_: object) -> None:
        if not hung:
            hung.extend(child.pid for child in workers())
            os.kill(hung[0], signal.SIGSTOP)

    result = sw.generate(recipe, COUNT, tmp_path / "out", options=sw.Options(timeout_s=5), progress=stop_once)
    assert result.complete and not psutil.pid_exists(hung[0])
    assert content(tmp_path / "out") == reference


def test_quarantine(recipe: Recipe, reference: dict[str, str], tmp_path: Path) -> None:
    """An image in doubt is put aside and left there; without its folder it is made again; a smaller run is complete."""
    out = tmp_path / "out"
    sw.generate(recipe, COUNT - 1, out)
    scene = sw.sample(recipe, index=COUNT - 1)
    frame = engine_for("flat", "cpu", None).render(scene, meshes_of(scene))
    doctored = Frame(rgb=frame.rgb, ids=np.zeros_like(frame.ids), stuff=frame.stuff, depth_m=frame.depth_m)
    outcome = store(scene, meshes_of(scene), doctored, read_info(out), out, "none")
    assert outcome.status == "quarantined" and quarantined(out) == [COUNT - 1]
    result = sw.generate(recipe, COUNT, out)
    assert (result.complete, result.rendered, result.missing) == (False, 0, 1)
    assert result.quarantined == (COUNT - 1,) and result.info.counts.quarantined == 1
    assert sw.generate(recipe, COUNT - 1, out).complete
    shutil.rmtree(out / f"quarantine/{COUNT - 1:06d}")
    assert sw.generate(recipe, COUNT, out).complete
    (out / "quarantine").rmdir()
    assert content(out) == reference


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [1, 2, 3]])
def test_an_order_names_every_image_once(order: list[int], recipe: Recipe, tmp_path: Path) -> None:
    """An order that leaves images out, or has one twice, is refused before anything is written."""
    with pytest.raises(UsageError, match="order must name each of 0 … 2 once"):
        sw.generate(recipe, 3, tmp_path / "out", order=order)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "at least one worker, got --workers 0"),
        ({"recycle_images": 0}, "one image or more, got recycle_images=0"),
        ({"timeout_s": 0}, "more than 0 and up to 604,800 s"),
        ({"device": "gpu"}, "'gpu' is no device"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], said: str) -> None:
    """A run that could never make an image is refused before it begins."""
    with pytest.raises(UsageError, match=said):
        sw.Options(**options)


def test_cores_are_divided_between_the_workers_that_there_are() -> None:
    """One image is rendered on all cores, however many workers were allowed."""
    assert len(sw.Options(workers=8).environments(1, renders=False)) == 1
    assert len(sw.Options(workers=8).environments(100, renders=False)) == 8
    assert sw.Options().threads_each(1) is None
    assert sw.Options().threads_each(4096) == 1
    assert sw.Options(threads=3).threads_each(1) == 3


SMI = """#!/bin/sh
echo "0, GPU-aa, NVIDIA L4, 23034, 22000, 580.1, 8.9"
echo "1, GPU-bb, NVIDIA L4, 23034, 22000, 580.1, 8.9"
"""


def test_workers_keep_to_their_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told otherwise a run has a worker for each GPU, and each sees its own alone; on the CPU it has one."""
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    one, other = {"CUDA_VISIBLE_DEVICES": "GPU-aa"}, {"CUDA_VISIBLE_DEVICES": "GPU-bb"}
    assert sw.Options().environments(100, renders=True) == [one, other]
    assert sw.Options(per_gpu=2).environments(100, renders=True) == [one, other, one, other]
    assert sw.Options(per_gpu=2).environments(3, renders=True) == [one, other, one]
    assert sw.Options(device="cpu").environments(100, renders=True) == [{}]
    assert sw.Options().environments(100, renders=False) == [{}]


def test_the_dataset_says_what_is_odd_about_its_meshes(tmp_path: Path) -> None:
    """That a mesh file is open stands in dataset.json for whoever opens the dataset later, not on the screen alone."""
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    trimesh.Trimesh(box.vertices, box.faces[1:], process=False).export(tmp_path / "open.ply")
    text = (
        "name: t\nobjects: {count: 1, assets: [{category: a, path: open.ply}]}\nrender: {engine: flat, size: [64, 48]}"
    )
    (tmp_path / "t.yaml").write_text(text)
    assert sw.generate(sw.load(tmp_path / "t.yaml"), 1, tmp_path / "out").complete
    assert read_info(tmp_path / "out").notes == ("open.ply: open",)


def test_records_name_the_device(recipe: Recipe, tmp_path: Path) -> None:
    """Colours depend on what rendered them, so every record says it; the flat engine simulates no light at all."""
    sw.generate(recipe, 1, tmp_path / "out")
    assert read_record(record_path(tmp_path / "out", 0)).device == "none"


CYCLES = ["render.engine=cycles", "render.preset=draft", "objects.count=1"]


@pytest.mark.render
def test_cycles_names_its_device(path: Path, tmp_path: Path) -> None:
    """A picture that Cycles made on the CPU says so."""
    result = sw.generate(sw.load(path, CYCLES), 1, tmp_path / "out", options=sw.Options(device="cpu"))
    assert result.complete and read_record(record_path(tmp_path / "out", 0)).device == "cpu"


@pytest.mark.render
def test_an_absent_device_is_one_sentence(path: Path, tmp_path: Path) -> None:
    """Asked for a device that the machine lacks, a run and a single image say what there is, without a traceback."""
    recipe = sw.load(path, CYCLES)
    said = r"^device metal is not on this machine, which has: cpu[^\n]*$"
    with pytest.raises(RenderError, match=said):
        sw.generate(recipe, 1, tmp_path / "out", options=sw.Options(device="metal"))
    with pytest.raises(RenderError, match=said):
        sw.render_scene(sw.sample(recipe, index=0), device="metal")


@pytest.mark.render
@pytest.mark.parametrize("linear", [False, True])
def test_a_full_scratch_folder_is_named(linear: bool, path: Path, tmp_path: Path) -> None:
    """When Blender cannot write its layers, the error says where and what to do, and the next image is rendered."""
    scene = sw.sample(sw.load(path, [*CYCLES, "render.size=[160, 120]"]), index=0)
    child = Worker(MODULE, {"kind": "scene", "engine": "cycles", "device": "cpu", "threads": 1, "files": []})
    request = {"scene": scene.to_json(), "target": str(tmp_path / "frame.npz"), "linear": linear}
    # The picture takes 58 kB, its scene-linear layers 300 kB: a file may not grow to that, as on a full disk.
    limit = 100_000 if linear else 30_000
    try:
        assert child.receive(120) == {"ready": True, "device": "cpu"}
        process = psutil.Process(child.pid)
        process.rlimit(psutil.RLIMIT_FSIZE, (limit, psutil.RLIM_INFINITY))
        child.send(request)
        answer = child.receive(120)
        assert answer is not None and answer["status"] == "failed"
        name = "beauty.exr" if linear else "beauty.png"
        assert f"Blender could not write {name} to " in answer["reason"] and "make room" in answer["reason"]
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        child.send(request)
        assert (child.receive(120) or {})["status"] == "ok"
    finally:
        child.stop()
