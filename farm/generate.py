"""Many images: a dataset made, or what is missing of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from ..datasets.files import sweep
from ..datasets.folder import check_versions, export, lock, open_dataset
from ..datasets.records import (
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
from ..errors import DatasetError, UsageError
from ..pipeline import backend, versions
from ..render.supervisor import Limits, Outcome, Supervisor
from ..render.worker import Worker
from ..scenes.outputs import Output
from ..scenes.recipe import Recipe
from .options import Options
from .render_worker import MODULE

__all__ = ["Options", "Result", "add_twins", "generate"]

MAX_IMAGES = 10_000_000
MAX_SEED = 2**53 - 1  # readers of JSON may keep numbers as doubles


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
