"""Running many images: supervised worker processes, and the call that makes a dataset with them.

`python -m scenewright.farm` is a worker. The parent hands it image indices; the worker writes each finished image to
the dataset itself, so the records are the only progress there is, and killing anything at any time loses nothing else.
"""

from __future__ import annotations

import os
import selectors
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import psutil

from .assets.files import add_folder, locate, remember
from .datasets.folder import export, lock, open_dataset
from .datasets.records import DatasetInfo, image_paths, indices, quarantined, read_info
from .errors import DatasetError, RenderError, ScenewrightError, UsageError
from .pipeline import Outcome, engine_for, produce, versions
from .render.devices import Device
from .render.frame import Frame
from .render.worker import Worker, ask, serve
from .scenes.build import meshes_of
from .scenes.load import recipe_from_dict
from .scenes.recipe import Recipe
from .scenes.scene import MeshRef, Scene

__all__ = ["Options", "Result", "generate", "render_scene"]

MODULE = "scenewright.farm"
RECYCLE_IMAGES = 400
RECYCLE_BYTES = 3 << 30
MAX_CRASHES = 3
MAX_IMAGES = 10_000_000
MAX_SEED = 2**53 - 1  # readers of JSON may keep numbers as doubles


@dataclass(frozen=True)
class Options:
    """How to run; nothing here changes a pixel.

    Attributes:
        workers: processes that render side by side; the cores are divided between them.
        device: "auto", "cpu", "cuda", "optix", "hip", "oneapi" or "metal".
        timeout_s: a render that takes longer is killed and tried again.
        recycle_images: a worker is replaced after so many images.
    """

    workers: int = 1
    device: str = "auto"
    timeout_s: float = 1800.0
    recycle_images: int = RECYCLE_IMAGES

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if not self.timeout_s > 0:
            raise UsageError(f"an image needs more than 0 seconds, got --timeout {self.timeout_s:g}")
        _check_device(self.device)

    def threads(self) -> int | None:
        """Cycles threads per worker; None lets one worker use all."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return None if self.workers == 1 else max(1, cores // self.workers)


@dataclass(frozen=True)
class Result:
    """What a run did: the dataset's state, and the images that could not be made with the reason for each."""

    info: DatasetInfo
    folder: Path
    rendered: int
    failed: dict[int, str] = field(default_factory=dict)
    quarantined: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Every requested image is there."""
        return self.info.counts.images >= self.info.counts.requested


Progress = Callable[[Outcome], None]


def generate(
    recipe: Recipe, count: int, out: str | Path, seed: int = 0, options: Options | None = None,
    progress: Progress | None = None, order: Sequence[int] | None = None,
) -> Result:  # fmt: skip
    """Make images 0 … count − 1 of a dataset in the folder `out`, or those that are still missing there.

    `progress` is told of every image as it ends; `order` renders the indices in another order, with the same result.

    Raises:
        DatasetError: the folder is not this dataset's, or cannot be written.
        RenderError: workers do not start.
    """
    if not 1 <= count <= MAX_IMAGES:
        raise UsageError(f"a dataset has 1 to {MAX_IMAGES:,} images, got --count {count}")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed must be between 0 and {MAX_SEED}, got {seed}")
    folder, options = Path(out), options or Options()
    with lock(folder):
        info = open_dataset(folder, recipe, seed, count, versions())
        done = {i for i in indices(folder) if _has_pictures(folder, i)} | set(quarantined(folder))
        todo = [i for i in (order if order is not None else range(count)) if i not in done]
        failed = _run(folder, todo, options, progress or (lambda _: None))
        info = export(folder, info)
    bad = tuple(quarantined(folder))
    return Result(info, folder, len(todo) - len(failed) - len(set(bad) & set(todo)), failed, bad)


def render_scene(scene: Scene, device: str = "auto", linear: bool = False) -> Frame:
    """Render one scene in a child process of its own.

    Raises:
        RenderError: Blender failed; the message ends with what it said last.
    """
    _check_device(device)
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        target = Path(temporary) / "frame.npz"
        files = [str(locate(ref)) for ref in _files(scene)]
        setup = {"kind": "scene", "engine": scene.render.engine, "device": device, "threads": None, "files": files}
        answer = ask(MODULE, setup, {"scene": scene.to_json(), "target": str(target), "linear": linear})
        if answer["status"] != "ok":
            raise RenderError(answer["reason"])
        with np.load(target) as arrays:
            return Frame(**{name: arrays[name] for name in arrays.files})


def _has_pictures(folder: Path, index: int) -> bool:
    """Whether the pictures of a recorded image are still there; one that somebody deleted is rendered again."""
    return all((folder / path).is_file() for path in image_paths(index).values())


def _check_device(name: str) -> None:
    if name not in get_args(Device):
        raise UsageError(f"{name!r} is no device: choose from {', '.join(get_args(Device))}")


def _files(scene: Scene) -> Iterable[Any]:
    refs: list[MeshRef] = [o.mesh for o in scene.objects]
    yield from (r.file for r in refs if r.file is not None)
    yield from (m.texture for o in scene.objects for m in o.materials.values() if m.texture is not None)
    if not isinstance(scene.world.hdri, str):
        yield scene.world.hdri


# --- the parent's side -----------------------------------------------------------------------------------------------


@dataclass
class _Slot:
    """A place for a worker: what it does and until when."""

    worker: Worker
    index: int | None = None
    ready: bool = False
    deadline: float = float("inf")
    served: int = 0


def _run(folder: Path, todo: Sequence[int], options: Options, progress: Progress) -> dict[int, str]:
    """Render all of `todo`; gives index → reason for those that failed."""
    if not todo:
        return {}
    supervisor = _Supervisor(folder, todo, options, progress)
    try:
        supervisor.loop()
    finally:
        supervisor.stop()
    return supervisor.failed


class _Supervisor:
    """Hands indices to workers, replaces workers that die, hang or have grown old."""

    def __init__(self, folder: Path, todo: Sequence[int], options: Options, progress: Progress) -> None:
        self.folder, self.options, self.progress = folder, options, progress
        self.waiting = deque(todo)
        self.crashes: dict[int, int] = {}
        self.failed: dict[int, str] = {}
        self.started_once = False
        self.selector = selectors.DefaultSelector()
        self.slots: list[_Slot] = []
        for _ in range(min(options.workers, len(todo))):
            self._open()

    def loop(self) -> None:
        """Until nothing waits and nobody works."""
        while self.slots:
            now = time.monotonic()
            nearest = min(s.deadline for s in self.slots)
            for key, _ in self.selector.select(None if nearest == float("inf") else max(0.0, nearest - now)):
                self._answer(key.data)
            for slot in [s for s in self.slots if s.deadline <= time.monotonic()]:
                self._crashed(slot, f"took longer than {self.options.timeout_s:g} s")

    def stop(self) -> None:
        """End every worker."""
        for slot in list(self.slots):
            self._close(slot)
        self.selector.close()

    def _open(self) -> None:
        setup = {
            "kind": "dataset",
            "folder": str(self.folder.absolute()),
            "device": self.options.device,
            "threads": self.options.threads(),
        }
        slot = _Slot(Worker(MODULE, setup), deadline=time.monotonic() + self.options.timeout_s)
        self.slots.append(slot)
        self.selector.register(slot.worker.fileno(), selectors.EVENT_READ, slot)

    def _close(self, slot: _Slot) -> None:
        self.selector.unregister(slot.worker.fileno())
        self.slots.remove(slot)
        slot.worker.stop()

    def _answer(self, slot: _Slot) -> None:
        answer = slot.worker.receive()
        if answer is None:
            self._crashed(slot, slot.worker.post_mortem())
            return
        if "ready" in answer:
            slot.ready = self.started_once = True
        else:
            self._ended(slot, answer)
        self._next(slot, int(answer.get("rss", 0)))

    def _ended(self, slot: _Slot, answer: dict[str, Any]) -> None:
        assert slot.index is not None
        if answer["status"] == "fatal":
            raise DatasetError(answer["reason"])
        if answer["status"] == "failed":
            self.failed[slot.index] = answer["reason"]
        self.progress(Outcome(slot.index, answer["status"], answer.get("reason")))
        slot.index, slot.served = None, slot.served + 1

    def _next(self, slot: _Slot, rss: int) -> None:
        old = slot.served >= self.options.recycle_images or rss > RECYCLE_BYTES
        if not self.waiting or old:
            self._close(slot)
            if self.waiting:
                self._open()
            return
        slot.index = self.waiting.popleft()
        slot.deadline = time.monotonic() + self.options.timeout_s
        slot.worker.send({"index": slot.index})

    def _crashed(self, slot: _Slot, reason: str) -> None:
        self._close(slot)
        if not slot.ready and not self.started_once:
            raise RenderError(
                f"the render process did not start: {reason}\nrun `scenewright doctor` to see what is missing"
            )
        index = slot.index
        # A death before the first image is counted on the index -1, so that a machine gone bad does not spin for ever.
        key = -1 if index is None else index
        self.crashes[key] = self.crashes.get(key, 0) + 1
        if self.crashes[key] < MAX_CRASHES:
            if index is not None:
                self.waiting.appendleft(index)
        elif index is None:
            raise RenderError(f"workers died {MAX_CRASHES} times while starting: {reason}")
        else:
            self.failed[index] = f"tried {MAX_CRASHES} times: {reason}"
            self.progress(Outcome(index, "failed", self.failed[index]))
        if self.waiting and len(self.slots) < self.options.workers:
            self._open()


# --- the worker's side -----------------------------------------------------------------------------------------------


def _start(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if setup["kind"] == "scene":
        for path in setup["files"]:
            remember(Path(path))
        engine = engine_for(setup["engine"], setup["device"], setup["threads"])
        return lambda request: _guard(lambda: _render_scene(engine, request))
    folder = Path(setup["folder"])
    info = read_info(folder)
    recipe = recipe_from_dict(info.recipe, None)
    if (folder / "assets").is_dir():
        add_folder(folder / "assets")
    engine = engine_for(recipe.render.engine, setup["device"], setup["threads"])

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            outcome = produce(recipe, info, request["index"], folder, engine)
            return {"status": outcome.status, "reason": outcome.reason}

        return {"index": request["index"], "rss": psutil.Process().memory_info().rss, **_guard(make)}

    return handle


def _render_scene(engine: Any, request: dict[str, Any]) -> dict[str, Any]:
    scene = Scene.from_json(request["scene"])
    frame = engine.render(scene, meshes_of(scene), linear=request["linear"])
    arrays = {name: value for name, value in vars(frame).items() if value is not None}
    np.savez(request["target"], **arrays)
    return {"status": "ok"}


def _guard(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Deliberate errors become answers; a dataset that cannot be written ends the run. Anything else is a crash."""
    try:
        return work()
    except DatasetError as e:
        return {"status": "fatal", "reason": str(e)}
    except ScenewrightError as e:
        return {"status": "failed", "reason": str(e)}


if __name__ == "__main__":
    serve(_start)
