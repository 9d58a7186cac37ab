"""Fill a machine's kernel caches before its workers need them, once, however many ask for it at the same time.

On a GPU that Blender brings no machine code for, the driver compiles Cycles' kernels at first use; OptiX always does.
Eight workers that start together on a new machine would each compile the same for minutes.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

from ..errors import RenderError, UsageError
from ..render.gpus import Gpu, find, pin
from ..render.kernels import KernelCache, cuda_cache, gl_cache, optix_cache
from ..render.worker import TIMEOUT_S, Worker, expect
from ..scenes.load import recipe_from_dict
from ..scenes.sample import sample
from ..scenes.scene import Scene
from .options import check_device, check_timeout
from .render_worker import MODULE

__all__ = ["ENGINES", "SCENES", "Meanwhile", "Warmed", "caches", "scene", "warm_up", "warmed"]

ENGINES = ("cycles", "eevee")
#: In the CUDA cache, so that it goes when the kernels go.
MARKER, LOCK = "scenewright-warm.json", "scenewright.lock"
SIZE = [64, 48]
POLL_S = 0.2
_BOX: dict[str, Any] = {"category": "box", "shape": "box"}
#: OptiX compiles another set of kernels for shaders that trace rays, and another one for things that move; CUDA's are
#: the same for all. Together these scenes need all that recipes can ask for.
SCENES: Mapping[str, dict[str, Any]] = {
    "plain": {"objects": {"count": 1, "assets": [_BOX]}},
    "worn": {"objects": {"count": 1, "assets": [{**_BOX, "materials": "painted_metal"}]}},
    "moving": {
        "objects": {"count": 1, "assets": [{**_BOX, "materials": "painted_metal"}]},
        "motion": {"shutter_s": 0.01, "objects": {"velocity_m_s": [0.1, 0.0, 0.0]}},
    },
}


#: What a caller does while kernels are compiled; a RenderError from it ends that.
Meanwhile = Callable[[], object]


@dataclass(frozen=True)
class Warmed:
    """What became of one wish.

    Attributes:
        engine: "cycles" or "eevee".
        wish: the device that was asked for.
        gpu: the GPU's name, "" where none is known.
        device: what rendered, as records name it; "" when nothing did.
        seconds: what it took.
        already: whether an earlier run had done it, so that nothing was rendered now.
        problem: why it failed, "" when it did not.
    """

    engine: str
    wish: str
    gpu: str
    device: str
    seconds: float
    already: bool = False
    problem: str = ""


def caches() -> tuple[KernelCache, ...]:
    """Where NVIDIA's driver keeps what it compiles for Cycles and for EEVEE."""
    return cuda_cache(), optix_cache(), gl_cache()


def warm_up(
    devices: Sequence[str] = ("auto",), engines: Sequence[str] = ("cycles",), timeout_s: float = TIMEOUT_S,
    again: bool = False, waiting: Callable[[str], object] = lambda _: None, meanwhile: Meanwhile = lambda: None,
) -> list[Warmed]:  # fmt: skip
    """Render tiny scenes with each engine through each device, on one GPU of each model that this machine has.

    What is marked as done is left out, unless `again`. Others that ask meanwhile wait, told so through `waiting`, and
    then find it done. Where there is no NVIDIA GPU nothing is marked, since nothing is kept. It takes minutes, in which
    `meanwhile` is called five times a second; a RenderError from that ends it: drivers keep what is complete.

    Raises:
        UsageError: an engine or device that is none, or a time that cannot be meant.
        RenderError: what is compiled cannot be kept.
    """
    check_timeout(timeout_s)
    for device in devices:
        check_device(device)
    for engine in engines:
        if engine not in ENGINES:
            raise UsageError(f"{engine!r} compiles no kernels: choose from {', '.join(ENGINES)}")
    models = _models()
    wishes = [(engine, device) for engine in engines for device in devices]
    if not models:
        return [_made(engine, device, None, timeout_s, meanwhile) for engine, device in wishes]
    with _alone(waiting, meanwhile):
        return [_warm(*wish, gpu, timeout_s, again, meanwhile) for wish in wishes for gpu in models]


def warmed(device: str = "auto", engine: str = "cycles") -> bool:
    """Whether all NVIDIA GPUs of this machine have their kernels for this device, by what `warm_up` has left there.

    True where there is none, and for the CPU. Asks the driver, but neither Blender nor a GPU.
    """
    return device == "cpu" or {_key(engine, device, gpu) for gpu in _models()} <= _marks().keys()


def _models() -> list[Gpu]:
    """One GPU of each model of NVIDIA's: kernels are compiled for an architecture."""
    nvidia = [gpu for gpu in reversed(find().gpus) if gpu.vendor == "nvidia"]
    return list({(gpu.name, gpu.compute_capability): gpu for gpu in nvidia}.values())


def _warm(engine: str, wish: str, gpu: Gpu, timeout_s: float, again: bool, meanwhile: Meanwhile) -> Warmed:
    key = _key(engine, wish, gpu)
    if not again and key in (marks := _marks()):
        return Warmed(engine, wish, gpu.name, marks[key], 0.0, already=True)
    made = _made(engine, wish, gpu, timeout_s, meanwhile)
    if not made.problem and wish != "cpu" and made.device == "cpu":
        return replace(made, problem=f"Cycles does not use {gpu.name}: `scenewright doctor` says why")
    if not made.problem:
        _mark(key, made.device)
    return made


def _made(engine: str, wish: str, gpu: Gpu | None, timeout_s: float, meanwhile: Meanwhile) -> Warmed:
    start, device, problem = time.monotonic(), "", ""
    try:
        device = _render(engine, wish, pin(gpu) if gpu else {}, timeout_s, meanwhile)
    except RenderError as e:
        problem = str(e)
    return Warmed(engine, wish, gpu.name if gpu else "", device, time.monotonic() - start, problem=problem)


def _render(engine: str, device: str, environment: Mapping[str, str], timeout_s: float, meanwhile: Meanwhile) -> str:
    """All scenes in one process; gives the device as records name it."""
    setup: dict[str, Any] = {"kind": "scene", "engine": engine, "device": device, "threads": None, "files": []}
    worker, busy = Worker(MODULE, setup, environment), True
    try:
        told: str = _expect(worker, "to start", timeout_s, meanwhile)["device"]
        for name in SCENES:
            worker.send({"scene": scene(name, engine).to_json(), "target": None, "linear": False})
            answer = _expect(worker, f"for the scene {name!r}", timeout_s, meanwhile)
            if answer["status"] != "ok":
                raise RenderError(answer["reason"])
        busy = False
        return told
    finally:
        worker.stop(busy)


def _expect(worker: Worker, what: str, timeout_s: float, meanwhile: Meanwhile) -> dict[str, Any]:
    """`expect`, with something to do meanwhile."""
    readable, until = select.poll(), time.monotonic() + timeout_s
    readable.register(worker.fileno(), select.POLLIN)
    while not readable.poll(1000 * POLL_S) and time.monotonic() < until:
        meanwhile()
    return expect(worker, what, max(0.0, until - time.monotonic()))


def scene(name: str, engine: str = "cycles") -> Scene:
    """One of `SCENES`."""
    render = {"engine": engine, "preset": "draft", "size": SIZE}
    return sample(recipe_from_dict({"name": name, **SCENES[name], "render": render}, None), 0, 0)


def _key(engine: str, device: str, gpu: Gpu) -> str:
    """Kernels are compiled for a GPU, by a driver, from what a version of Blender brings."""
    version = importlib.metadata.version("bpy")
    return " | ".join((engine, device, gpu.name, gpu.compute_capability, gpu.driver, version))


def _marks() -> dict[str, str]:
    """What was done before → the device that did it. A mark counts no more once its kernels have been deleted."""
    try:
        marks: dict[str, dict[str, str]] = json.loads((cuda_cache().path / MARKER).read_text())
        optix = optix_cache()
        kept = {str(optix.path)} if optix.bytes else set()
        return {
            key: mark["device"]
            for key, mark in marks.items()
            if not mark["device"].startswith("optix") or mark["optix"] in kept
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none yet, or no file of ours
        return {}


def _mark(key: str, device: str) -> None:
    path, optix = cuda_cache().path / MARKER, str(optix_cache().path)
    marks = {old: {"device": what, "optix": optix} for old, what in _marks().items()}
    fresh = path.with_suffix(".new")
    with _kept():
        fresh.write_text(json.dumps({**marks, key: {"device": device, "optix": optix}}, indent=1))
        fresh.replace(path)


@contextmanager
def _alone(waiting: Callable[[str], object], meanwhile: Meanwhile) -> Iterator[None]:
    """Nobody else fills this machine's caches meanwhile. The lock goes with the process, however that ends.

    Raises:
        RenderError: the folder cannot be written or locked, or its use is switched off; or `meanwhile` raised it.
    """
    cache = cuda_cache()
    if problem := cache.off or cache.unwritable():
        remedy = cache.remedy or "export CUDA_CACHE_PATH=/a/writable/folder"
        raise RenderError(f"kernels that are compiled must be kept, but {problem}: {remedy}")
    with _kept():
        cache.path.mkdir(parents=True, exist_ok=True)
        file = (cache.path / LOCK).open("w")
    with file:
        if not _locked(file):
            waiting(f"another process fills {cache.path}: waiting for it")
            while not _locked(file):
                meanwhile()
                time.sleep(POLL_S)
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the lock is ours; some network file systems, as Lustre and NFS, may know no locks at all."""
    with _kept():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def _kept() -> Iterator[None]:
    """A folder in which kernels cannot be kept is a RenderError: workers render all the same, only later."""
    try:
        yield
    except OSError as e:
        raise RenderError(
            f"kernels that are compiled must be kept, but {cuda_cache().path} cannot be used ({e.strerror}): free "
            "space there, or choose a folder on a local disk by export CUDA_CACHE_PATH=/a/local/folder"
        ) from e
