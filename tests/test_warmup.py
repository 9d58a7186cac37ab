"""A machine's kernel caches are filled once, whoever asks, and a mark counts only as long as the kernels are there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from scenewright.cli import app
from scenewright.errors import RenderError, UsageError
from scenewright.farm import warmup
from scenewright.farm.generate import generate
from scenewright.farm.heartbeat import Heartbeat
from scenewright.farm.options import Options
from scenewright.farm.stopping import Stop
from scenewright.farm.supervisor import Supervisor
from scenewright.farm.warmup import SCENES, Meanwhile, scene, warm_up, warmed
from scenewright.render.worker import Worker

from .fake_gpus import H100, L4, fake_smi
from .small_recipe import make

SECOND_H100 = H100.replace("0, GPU-aaaa", "2, GPU-cccc")


class Renders:
    """Stands in for the render process: counts, and leaves a kernel in the cache as a driver would."""

    def __init__(self, device: str = "optix", seconds: float = 0.0) -> None:
        self.device, self.seconds = device, seconds
        self.on: list[tuple[str, str, str]] = []

    def __call__(
        self, engine: str, device: str, environment: Mapping[str, str], timeout_s: float, meanwhile: Meanwhile
    ) -> str:
        self.on.append((engine, device, environment.get("CUDA_VISIBLE_DEVICES", "")))
        time.sleep(self.seconds)
        meanwhile()
        for cache in warmup.caches()[:2]:
            cache.path.mkdir(parents=True, exist_ok=True)
            (cache.path / "kernel").write_bytes(b"x")
        return self.device


@pytest.fixture
def renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Renders:
    """A machine with two models of GPU, three cards in all, whose caches are empty."""
    fake_smi(tmp_path, monkeypatch, [H100, L4, SECOND_H100])
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_CACHE_DISABLE", "CUDA_CACHE_MAXSIZE", "OPTIX_CACHE_MAXSIZE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CUDA_CACHE_PATH", "OPTIX_CACHE_PATH"):
        monkeypatch.setenv(name, str(tmp_path / name))
    found = Renders()
    monkeypatch.setattr(warmup, "_render", found)
    return found


def test_each_model_once(renders: Renders) -> None:
    """One card of each model renders, alone; asked again nothing does, and `warmed` says so before and after."""
    assert not warmed()
    assert [(w.gpu.split()[1], w.already) for w in warm_up()] == [("H100", False), ("L4", False)]
    assert renders.on == [("cycles", "auto", "GPU-aaaa"), ("cycles", "auto", "GPU-bbbb")]
    assert warmed()
    assert all(w.already and w.device == "optix" for w in warm_up())
    assert len(renders.on) == 2


def test_each_wish_is_another(renders: Renders) -> None:
    """A device, an engine, a driver that was not warmed counts as cold."""
    warm_up()
    assert not warmed("cuda")
    assert not warmed(engine="eevee")
    warm_up(["cuda"], ["cycles", "eevee"])
    assert warmed("cuda") and warmed("cuda", "eevee")


def test_another_driver_is_cold(renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new driver compiles anew."""
    warm_up()
    fake_smi(tmp_path, monkeypatch, [H100.replace("580", "590")])
    assert not warmed()


@pytest.mark.parametrize("folder", ["CUDA_CACHE_PATH", "OPTIX_CACHE_PATH"])
def test_deleted_kernels_are_cold(renders: Renders, tmp_path: Path, folder: str) -> None:
    """Where somebody has deleted the kernels, the mark counts no more."""
    warm_up()
    shutil.rmtree(tmp_path / folder)
    assert not warmed()


def test_again(renders: Renders) -> None:
    """On demand it is done again."""
    warm_up()
    warm_up(again=True)
    assert len(renders.on) == 4


def test_many_at_once_compile_once(renders: Renders) -> None:
    """Of eight that start together one renders; the others wait, say so, and find it done."""
    renders.seconds = 0.2
    said: list[str] = []
    results: list[list[warmup.Warmed]] = []
    threads = [threading.Thread(target=lambda: results.append(warm_up(waiting=said.append))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(renders.on) == 2
    assert sorted(sum(w.already for w in done) for done in results) == [0] + [2] * 7
    assert len(said) == 7 and "waiting for it" in said[0]


def test_stop_ends_the_wait(renders: Renders) -> None:
    """Whoever waits for another process leaves when it is told to, and has rendered nothing."""

    def leave() -> None:
        raise RenderError("it was stopped")

    renders.seconds = 3.0
    busy = threading.Thread(target=warm_up)
    busy.start()
    while not renders.on:
        time.sleep(0.01)
    start = time.monotonic()
    with pytest.raises(RenderError, match="was stopped"):
        warm_up(meanwhile=leave)
    assert time.monotonic() - start < 2
    assert len(renders.on) == 1
    busy.join()


def test_runs_warm_up_first(renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on GPUs has the kernels compiled once, before its workers start; a run on the CPU has not."""
    order: list[str] = []
    monkeypatch.setattr(Supervisor, "run", lambda self: order.append(f"workers after {len(renders.on)} renders"))
    recipe = make(render={"engine": "cycles", "size": [64, 48]})
    generate(recipe, 2, tmp_path / "cpu", options=Options(device="cpu"))
    generate(recipe, 2, tmp_path / "gpu")
    generate(recipe, 2, tmp_path / "again")
    assert order == ["workers after 0 renders", *2 * ["workers after 2 renders"]]


def test_a_run_beats_while_kernels_are_compiled(
    renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling takes minutes, and a run whose heartbeat stands still for one counts as lost."""
    beats: list[int] = []
    beat = Heartbeat.beat

    def note(self: Heartbeat) -> None:
        beats.append(len(renders.on))
        beat(self)

    monkeypatch.setattr(Heartbeat, "beat", note)
    monkeypatch.setattr(Supervisor, "run", lambda self: {})
    generate(make(render={"engine": "cycles", "size": [64, 48]}), 2, tmp_path / "gpu")
    assert {1, 2} <= set(beats)


def test_a_worker_that_compiles_is_waited_for_with_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a worker says nothing the caller has its turn, several times a second."""
    (tmp_path / "slow_worker.py").write_text(
        "import time\n"
        "from scenewright.render.worker import serve\n"
        "def start(setup):\n"
        "    time.sleep(1)\n"
        "    return lambda request: request\n"
        "serve(start)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    worker, turns = Worker("slow_worker", {}), []
    try:
        assert warmup._expect(worker, "to start", 60.0, lambda: turns.append(time.monotonic())) == {"ready": True}
    finally:
        worker.stop()
    assert len(turns) >= 3


def test_a_stopped_run_compiles_no_more(renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is asked to end does not wait for kernels, and does not count them as complete."""
    stop = Stop()

    def interrupted(*given: Any) -> str:
        stop.request()
        return renders(*given)

    monkeypatch.setattr(Supervisor, "run", lambda self: {})
    monkeypatch.setattr(warmup, "_render", interrupted)
    generate(make(render={"engine": "cycles", "size": [64, 48]}), 2, tmp_path / "gpu", options=Options(stop=stop))
    assert renders.on and not warmed()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks(
    code: int, renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home on a network disk that knows no locks is told with what helps, and ends no run: workers can compile."""

    def flock(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(warmup, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=2, LOCK_NB=4))
    with pytest.raises(RenderError, match=rf"{os.strerror(code)}.*export CUDA_CACHE_PATH=/a/local"):
        warm_up()
    ran: list[bool] = []
    monkeypatch.setattr(Supervisor, "run", lambda self: ran.append(True))
    generate(make(render={"engine": "cycles", "size": [64, 48]}), 2, tmp_path / "gpu")
    assert ran and not renders.on


def test_a_mark_that_cannot_be_written(renders: Renders, tmp_path: Path) -> None:
    """A cache that takes no more files is told as such, with what helps."""
    (tmp_path / "CUDA_CACHE_PATH" / warmup.MARKER).with_suffix(".new").mkdir(parents=True)
    with pytest.raises(RenderError, match=r"CUDA_CACHE_PATH cannot be used \(Is a directory\): free space there, or"):
        warm_up()
    assert not warmed()


def test_failure_is_told_and_leaves_no_mark(renders: Renders, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is told with its reason, and is tried again the next time."""

    def fail(*_: object) -> str:
        raise RenderError("CUDA is out of memory")

    monkeypatch.setattr(warmup, "_render", fail)
    assert [w.problem for w in warm_up(["cuda"])] == ["CUDA is out of memory"] * 2
    assert not warmed("cuda")


def test_cpu_beside_a_gpu_is_a_problem(renders: Renders) -> None:
    """Where a GPU is there and Cycles takes the CPU all the same, something is wrong."""
    renders.device = "cpu"
    assert "scenewright doctor" in warm_up()[0].problem
    assert not warm_up(["cpu"])[0].problem


def test_cache_that_is_off(renders: Renders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled that would not be kept."""
    monkeypatch.setenv("CUDA_CACHE_DISABLE", "1")
    with pytest.raises(RenderError, match="CUDA_CACHE_DISABLE=1: unset CUDA_CACHE_DISABLE"):
        warm_up()
    assert not renders.on


def test_no_gpu(renders: Renders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU everything is warm, and nothing is left in folders of a driver that is not there."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(warmup, "_render", lambda *_: "cpu")
    assert warmed()
    assert [(w.device, w.problem) for w in warm_up()] == [("cpu", "")]
    assert not (tmp_path / "CUDA_CACHE_PATH").exists()


def test_what_cannot_be_warmed(renders: Renders) -> None:
    """An engine without kernels and an unknown device are refused."""
    with pytest.raises(UsageError, match="'flat' compiles no kernels: choose from cycles, eevee"):
        warm_up(engines=["flat"])
    with pytest.raises(UsageError, match="'tpu' is no device"):
        warm_up(["tpu"])


def test_command(renders: Renders) -> None:
    """The command prints what was done and how the caches grew; a failure is exit code 1."""
    run = CliRunner().invoke(app, ["warmup", "--json"])
    assert run.exit_code == 0
    told = json.loads(run.stdout)
    assert [w["device"] for w in told["warmed"]] == ["optix", "optix"]
    grown = {c["name"]: c["after_bytes"] - c["before_bytes"] for c in told["caches"]}
    assert grown["CUDA"] > 1 and grown["OptiX"] == 1
    assert "done before, by optix" in CliRunner().invoke(app, ["warmup"]).stdout
    renders.device = "cpu"
    assert CliRunner().invoke(app, ["warmup", "--again"]).exit_code == 1


def test_scenes_ask_for_all_kernels() -> None:
    """One scene traces rays in a shader, and one moves while the shutter is open: OptiX compiles others for these."""
    worn, moving = scene("worn"), scene("moving")
    assert worn.objects[0].materials["body"].family == "painted_metal"
    assert moving.timing.shutter_s > 0 and any(moving.objects[0].velocity_m_s)
    assert scene("plain").timing.shutter_s == 0


@pytest.mark.render
def test_scenes_render() -> None:
    """Blender renders all of them, in one process."""
    assert warmup._render("cycles", "cpu", {}, 300.0, lambda: None) == "cpu"
    assert set(SCENES) == {"plain", "worn", "moving"}
