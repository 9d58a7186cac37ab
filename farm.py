"""Running many images: what a run is asked for, and what the render processes do that carry it out.

`python -m scenewright.farm` is a worker. The parent hands it image indices; the worker writes each finished image to
the dataset itself, so the records are the only progress there is, and killing anything at any time loses nothing else.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import psutil

from .assets.files import add_folder, locate, remember
from .assets.material import FileRef
from .datasets.files import sweep
from .datasets.folder import check_versions, export, lock, open_dataset
from .datasets.records import (
    TWINS,
    DatasetInfo,
    DepthFormat,
    image_paths,
    indices,
    map_paths,
    quarantine_folder,
    quarantined,
    read_info,
    read_record,
    record_path,
)
from .errors import DatasetError, RenderError, ScenewrightError, UsageError
from .pipeline import Engine, backend, engine_for, photograph, produce, produce_twin, versions
from .render.devices import Device
from .render.frame import Frame
from .render.supervisor import Limits, Outcome, Supervisor
from .render.worker import TIMEOUT_S, Worker, ask, serve
from .scenes.build import meshes_of
from .scenes.load import recipe_from_dict
from .scenes.outputs import Output
from .scenes.recipe import Recipe
from .scenes.scene import MeshRef, Scene

__all__ = ["Options", "Result", "add_twins", "generate", "render_scene"]

MODULE = "scenewright.farm"
RECYCLE_IMAGES = 400
MAX_IMAGES = 10_000_000
MAX_SEED = 2**53 - 1  # readers of JSON may keep numbers as doubles
MAX_TIMEOUT_S = 604_800.0  # a week; the kernel's own timers end at 24 days


@dataclass(frozen=True)
class Options:
    """How to run. Only `device` touches a pixel: GPUs round otherwise than CPUs do, so every record names its device.

    Attributes:
        workers: processes that render side by side; the cores are divided between them.
        device: "auto", "cpu", "cuda", "optix", "hip", "oneapi" or "metal".
        timeout_s: a render that takes longer is killed and tried again.
        recycle_images: a worker is replaced after so many images.
    """

    workers: int = 1
    device: str = "auto"
    timeout_s: float = TIMEOUT_S
    recycle_images: int = RECYCLE_IMAGES

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"a run needs at least one worker, got --workers {self.workers}")
        if self.recycle_images < 1:
            raise UsageError(f"a worker makes one image or more, got recycle_images={self.recycle_images}: raise it")
        _check_timeout(self.timeout_s)
        _check_device(self.device)

    def threads(self, images: int) -> int | None:
        """Cycles threads per worker in a run of so many images; None lets one worker use all."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = min(self.workers, images)
        return None if workers <= 1 else max(1, cores // workers)


@dataclass(frozen=True)
class Result:
    """What a run did: the dataset's state, and which of the images that it was asked for are not there.

    Attributes:
        rendered: images that this run has made.
        failed: index → reason of each image that could not be made.
        impossible: those of `failed` that fail the same way every time, with this recipe and seed.
        quarantined: images put aside, by this run or before it.
    """

    info: DatasetInfo
    folder: Path
    rendered: int
    failed: dict[int, str] = field(default_factory=dict)
    impossible: tuple[int, ...] = ()
    quarantined: tuple[int, ...] = ()

    @property
    def present(self) -> list[int]:
        """Indices of all finished images in the folder."""
        return indices(self.folder)

    @property
    def missing(self) -> int:
        """How many images that this run was asked for are not there."""
        return len(self.failed) + len(self.quarantined)

    @property
    def complete(self) -> bool:
        """Every image that this run was asked for is there."""
        return self.missing == 0


Progress = Callable[[Outcome], None]


def generate(
    recipe: Recipe, count: int, out: str | Path, seed: int = 0, options: Options | None = None,
    progress: Progress | None = None, order: Sequence[int] | None = None, begin: Callable[[int], None] | None = None,
) -> Result:  # fmt: skip
    """Make images 0 … count − 1 of a dataset in the folder `out`, or those that are still missing there.

    `begin` is told how many images there are to make, and then `progress` of every one as it ends; `order` renders the
    indices in another order, with the same result. An image in quarantine is left there; when its folder is deleted it
    is rendered again, and by the same versions on the same device it comes out the same.

    Raises:
        DatasetError: the folder is not this dataset's, or cannot be written.
        RenderError: workers do not start.
    """
    if not 1 <= count <= MAX_IMAGES:
        raise UsageError(f"a dataset has 1 to {MAX_IMAGES:,} images, got --count {count}")
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"the seed must be between 0 and {MAX_SEED}, got {seed}")
    if order is not None and sorted(order) != list(range(count)):
        raise UsageError(f"order must name each of 0 … {count - 1} once, got {len(order)} indices that do not")
    folder, options = Path(out), options or Options()
    with lock(folder):
        info = open_dataset(folder, recipe, seed, count, versions())
        done = {i for i in indices(folder) if _has_pictures(folder, i, info.outputs)} | set(quarantined(folder))
        todo = [i for i in (order if order is not None else range(count)) if i not in done]
        if begin is not None:
            begin(len(todo))
        try:
            lost = _run(folder, todo, options, progress or (lambda _: None), info.outputs)
        finally:
            for place in (folder, folder / TWINS):
                sweep(place)  # what a worker was writing when it was stopped
        info = export(folder, info)
    return _result(info, folder, todo, lost, [i for i in quarantined(folder) if i < count])


def _result(
    info: DatasetInfo, folder: Path, todo: Sequence[int], lost: dict[int, Outcome], aside: Sequence[int]
) -> Result:
    rendered = len(todo) - len(lost) - len(set(aside) & set(todo))
    failed = {i: outcome.reason or "" for i, outcome in sorted(lost.items())}
    impossible = tuple(i for i in failed if lost[i].status == "impossible")
    return Result(info, folder, rendered, failed, impossible, tuple(aside))


def add_twins(
    out: str | Path, options: Options | None = None, progress: Progress | None = None,
    begin: Callable[[int], None] | None = None,
) -> Result:  # fmt: skip
    """Render the sound twin of every image in the dataset `out` that shows defects and has none yet.

    They make up a dataset of their own in its folder `twins/`, where an image has the index of the one that it is the
    twin of. `progress` and `begin` are as for `generate`. The device of a twin is that of its image: `options.device`
    "auto" takes what the record names.

    Raises:
        DatasetError: no dataset, one whose recipe knows no defects, one of other versions, it cannot be written, or
            another device made an image.
        RenderError: workers do not start.
    """
    folder, options = Path(out), options or Options()
    info = read_info(folder)
    if info.derived is not None:
        raise DatasetError(f"{folder} holds no renders: add the twins to {info.derived.source.folder}, seen from there")
    if not info.defect_categories:
        raise DatasetError(f"the recipe of {folder} has no defects, so all its images are sound: nothing has a twin")
    with lock(folder):
        check_versions(info.versions, versions(), folder)
        records = (read_record(record_path(folder, i)) for i in indices(folder))
        having = {r.index: backend(r) for r in records if any(o.defects for o in r.scene.objects)}
        place = folder / TWINS
        done = {i for i in indices(place) if _has_pictures(place, i, info.outputs)} | set(quarantined(place))
        todo = [i for i in having if i not in done]
        devices = {i: having[i] if options.device == "auto" else options.device for i in todo}
        if begin is not None:
            begin(len(todo))
        lost: dict[int, Outcome] = {}
        try:
            for device in sorted(set(devices.values())):
                some, there = [i for i in todo if devices[i] == device], replace(options, device=device)
                lost |= _run(place, some, there, progress or (lambda _: None), info.outputs, "twins")
        finally:
            sweep(place)
        info = export(folder, info)
    return _result(info, place, todo, lost, [i for i in quarantined(place) if i in having])


def render_scene(scene: Scene, device: str = "auto", linear: bool = False, timeout_s: float = TIMEOUT_S) -> Frame:
    """Render one scene in a child process of its own.

    Raises:
        RenderError: Blender failed, or took longer than `timeout_s`; the message ends with what it said last.
    """
    _check_timeout(timeout_s)
    _check_device(device)
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        target = Path(temporary) / "frame.npz"
        files = [str(locate(ref)) for ref in _files(scene)]
        setup = {"kind": "scene", "engine": scene.render.engine, "device": device, "threads": None, "files": files}
        request = {"scene": scene.to_json(), "target": str(target), "linear": linear}
        answer = ask(MODULE, setup, request, timeout_s)
        if answer["status"] != "ok":
            raise RenderError(answer["reason"])
        with np.load(target) as arrays:
            return Frame(**{name: arrays[name] for name in arrays.files})


def _run(
    folder: Path, todo: Sequence[int], options: Options, progress: Progress, outputs: tuple[Output, ...],
    kind: str = "dataset",
) -> dict[int, Outcome]:  # fmt: skip
    """Render all of `todo` into `folder`, as images of a "dataset" or as "twins" of the one above the folder.

    Gives those, by index, that failed or are impossible.
    """
    setup = {
        "kind": kind,
        "folder": str(folder.absolute()),
        "device": options.device,
        "threads": options.threads(len(todo)),
    }
    limits = Limits(options.workers, options.timeout_s, options.recycle_images)
    return Supervisor(
        lambda: Worker(MODULE, setup), todo, limits, lambda index: _outcome(folder, index, outputs), progress
    ).run()


def _outcome(folder: Path, index: int, outputs: tuple[Output, ...]) -> Outcome | None:
    """What a worker has finished of an image; None when it did not get so far."""
    aside = quarantine_folder(folder, index) / "record.json"
    if aside.is_file():
        return Outcome(index, "quarantined", read_record(aside).reason)
    if record_path(folder, index).is_file() and _has_pictures(folder, index, outputs):
        return Outcome(index, "ok")
    return None


def _has_pictures(folder: Path, index: int, outputs: tuple[Output, ...]) -> bool:
    """Whether the pictures of a recorded image are still there; one that somebody deleted is rendered again."""
    extra = map_paths(index, outputs).values()
    return any(
        all((folder / path).is_file() for path in (*image_paths(index, form).values(), *extra))
        for form in get_args(DepthFormat)
    )


def _check_device(name: str) -> None:
    if name not in get_args(Device):
        raise UsageError(f"{name!r} is no device: choose from {', '.join(get_args(Device))}")


def _check_timeout(seconds: float) -> None:
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise UsageError(f"an image may take more than 0 and up to {MAX_TIMEOUT_S:,.0f} s, got --timeout {seconds:g}")


def _files(scene: Scene) -> Iterable[Any]:
    refs: list[MeshRef] = [o.mesh for o in scene.objects]
    yield from (ref for r in refs for ref in (r.file, r.library) if ref is not None)
    made = [m for o in scene.objects for m in o.materials.values()]
    made += [m for fixture in scene.fixtures for m in fixture.materials.values()]
    made += [scene.surface.material] if scene.surface is not None else []
    yield from (ref for m in made if m.texture is not None for ref in m.texture.maps.values())
    if isinstance(scene.world.hdri, FileRef):
        yield scene.world.hdri
    if scene.backplate is not None:
        yield scene.backplate.image


# --- the worker's side -----------------------------------------------------------------------------------------------


def _start(setup: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if setup["kind"] == "scene":
        for path in setup["files"]:
            remember(Path(path))
        engine = engine_for(setup["engine"], setup["device"], setup["threads"])
        return lambda request: _guard(lambda: _render_scene(engine, request))
    twins = setup["kind"] == "twins"
    folder = Path(setup["folder"]).parent if twins else Path(setup["folder"])
    info = read_info(folder)
    recipe = recipe_from_dict(info.recipe, None)
    if (folder / "assets").is_dir():
        add_folder(folder / "assets")
    engine = engine_for(recipe.render.engine, setup["device"], setup["threads"])

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            index = request["index"]
            outcome = (
                produce_twin(info, index, folder, engine) if twins else produce(recipe, info, index, folder, engine)
            )
            return {"status": outcome.status, "reason": outcome.reason}

        return {"index": request["index"], **_guard(make), "rss": _resident()}

    return handle


def _resident() -> int:
    """Bytes of memory that this process holds, once the C library has given back the freed blocks that it keeps.

    glibc keeps them in pieces between images of different size: at 640×640 that had grown to a third of a worker.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None  # glibc alone has it
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def _render_scene(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    scene = Scene.from_json(request["scene"])
    frame, _ = photograph(scene, meshes_of(scene), engine, linear=request["linear"])
    arrays = {name: value for name, value in vars(frame).items() if value is not None}
    np.savez(request["target"], **arrays)
    return {"status": "ok"}


def _guard(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Deliberate errors become answers; a dataset that cannot be written ends the run. Anything else is a crash.

    Whether another try may help: Blender's troubles pass, what else is refused depends on (recipe, seed, index) alone.
    """
    try:
        return work()
    except DatasetError as e:
        return {"status": "fatal", "reason": str(e)}
    except RenderError as e:
        return {"status": "failed", "reason": str(e)}
    except ScenewrightError as e:
        return {"status": "impossible", "reason": str(e)}


if __name__ == "__main__":
    serve(_start)
