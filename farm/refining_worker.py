"""A worker of `refining`: loads the model once, and makes the images of the shares that it is handed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..datasets.derived import Origin, Refinement, card_sha256
from ..datasets.derived_folder import copy_beside
from ..datasets.files import write_bytes_atomic
from ..datasets.png import encode_rgb, pixels_sha256
from ..datasets.presence import is_there
from ..datasets.records import TWINS, DatasetInfo, Record, read_info, read_record, record_path, write_record
from ..datasets.stored import StoredImage, read_image
from ..diffusion.control import Truth
from ..diffusion.gate import reference
from ..diffusion.jobs import Job, Refined
from ..diffusion.ladder import Case, Inline, Outcome, climb
from ..diffusion.load import Model
from ..diffusion.plan import Plan, job_of
from ..errors import DatasetError, ModelError, ScenewrightError, UsageError
from ..render.rle import decode
from ..render.worker import die_with, serve
from ..scenes.cameras import pixel_directions
from .refining import REQUEST

__all__ = ["Prepared", "prepare", "store"]

#: A pixel belongs to the difference of a pair where a channel differs by more: below lie traces of the denoiser.
FAINT = 2

Mask = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prepared(Case):
    """A case, with what its records will be made of.

    `twin` is the record of the sound twin, which is what the model is shown then; `marred` is the image's own picture,
    and `hold` (h, w) where it keeps it.
    """

    record: Record
    twin: Record | None
    marred: Picture | None
    hold: Mask
    controls: tuple[str, ...]


def prepare(source: Path, index: int, info: DatasetInfo, plan: Plan) -> Prepared:
    """Read an image, or its twin, measure it as the gate does, and say what the model is to do.

    Raises:
        DatasetError: a file of it is missing or damaged.
    """
    record = read_record(record_path(source, index))
    image = read_image(source, record, info)
    shown, twin, marred = image, None, None
    hold = _defects(record)
    if record_path(source / TWINS, index).is_file():
        twin, marred = read_record(record_path(source / TWINS, index)), image.rgb
        shown = read_image(source / TWINS, twin, info)
        hold |= (np.abs(image.rgb.astype(np.int16) - shown.rgb).max(axis=2) > FAINT) | (image.ids != shown.ids)
    measured = reference(shown.rgb, shown.ids, plan.gate)
    job = job_of(plan, (twin or record).scene, _truth(shown, record, info), measured, hold)
    return Prepared(job, measured, record, twin, marred, hold, plan.controls)


def _defects(record: Record) -> Mask:
    """(h, w) what labels of defects cover: these stay as rendered."""
    size = record.height, record.width
    masks = [m for d in record.defects for m in (d.rle, d.absent_rle) if m]
    return np.asarray(np.any([np.zeros(size, bool), *(decode(m, size) for m in masks)], axis=0))


def _truth(image: StoredImage, record: Record, info: DatasetInfo) -> Truth:
    return Truth(
        image.ids, image.depth_m, pixel_directions(record.scene.camera),
        info.depth_unit_m if info.depth_format == "png" else 0.0, image.normals, image.semantic,
    )  # fmt: skip


def store(case: Prepared, outcome: Outcome, source: Path, folder: Path, model: str) -> None:
    """Write a finished image, and its twin before it."""
    if case.twin is not None and case.marred is not None:
        _write(case, case.twin, outcome.image, outcome, source / TWINS, folder / TWINS, model)
        kept = case.hold if outcome.status != "fallback" else np.ones_like(case.hold)
        picture = np.where(kept[..., None], case.marred, outcome.image)
    else:
        picture = outcome.image
    _write(case, case.record, picture, outcome, source, folder, model)


def _write(
    case: Prepared, record: Record, picture: Picture, outcome: Outcome, source: Path, folder: Path, model: str
) -> None:  # fmt: skip
    copy_beside(record, source, folder)
    write_bytes_atomic(folder / record.image, encode_rgb(picture))
    hashes = record.hashes
    refinement = Refinement(
        generation=1, model=model, status=outcome.status, tries=outcome.rungs,
        origin=Origin(rgb=hashes.rgb, ids=hashes.ids, labels=hashes.labels, twin=case.twin is not None),
        prompt=case.job.prompt, negative_prompt=case.job.negative_prompt, guidance=case.job.guidance,
        controls=case.controls, control_scale=case.job.control_scale if case.controls else None, seed=case.job.seed,
        frozen=case.reference.frozen_ids,
        held=tuple(d.id for d in record.defects if d.rle or d.absent_rle),
        free=round(float((case.job.level > 0).mean()), 6),
    )  # fmt: skip
    hashes = hashes.model_copy(update={"rgb": pixels_sha256(picture)})
    write_record(folder, record.model_copy(update={"hashes": hashes, "derived": refinement}))


# --- the process -----------------------------------------------------------------------------------------------------


def _start(setup: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Iterator[dict[str, Any]]], dict[str, Any]]:
    """Load the model; gives what answers requests, and the model's card."""
    from ..diffusion.load import load
    from ..diffusion.placing import share_of
    from ..diffusion.refiner import Refiner

    plan, source, folder = Plan.model_validate(setup["plan"]), Path(setup["source"]), Path(setup["folder"])
    request = REQUEST.validate_python(setup["request"])
    request = replace(request, placing=share_of(request.placing, setup["number"], setup["workers"], setup["cores"]))
    refiner = Refiner(load(request), plan.batch)
    _check(refiner.model, plan)
    info, model, asked = read_info(source), card_sha256(refiner.model.card), set(setup["asked"])
    pool, writer = _pool(refiner.model.device, setup["cores"] // setup["workers"]), ThreadPoolExecutor(1)

    def share(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        start = request["index"]
        todo = [i for i in range(start, start + setup["span"]) if i in asked and not is_there(folder, i, info)]
        cases: list[Future[Prepared]] = [pool.submit(prepare, source, i, info, plan) for i in todo]
        written: list[tuple[dict[str, Any], Future[None]]] = []
        for number, outcome in climb(cases, Careful(refiner.refine), plan.batch, pool):
            told: dict[str, Any] = {"partial": True, "index": todo[number]}
            if isinstance(outcome, ScenewrightError):
                yield told | {"status": "failed", "reason": str(outcome)}
                continue
            # Beside the model's next batch: encoding a picture takes as long as judging it.
            told |= {"status": "ok", "outcome": outcome.status, "tries": len(outcome.rungs)}
            written.append((told, writer.submit(store, cases[number].result(), outcome, source, folder, model)))
            while written and written[0][1].done():
                yield _done(written.pop(0))
        while written:
            yield _done(written.pop(0))
        yield {"status": "ok"}

    def guarded(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        try:
            yield from share(request)
        except (DatasetError, ModelError, UsageError) as error:  # an image alone ends in `share`; this would stop all
            yield {"status": "fatal", "reason": str(error), "error": type(error).__name__}

    return guarded, {"card": refiner.model.card.model_dump(mode="json")}


def _check(model: Model, plan: Plan) -> None:
    """UsageError where plan and model do not go together, before an image does."""
    spec, title = model.spec, model.family.title
    sees = len(model.card.controlnets) if "control" in spec.knobs else 0
    if len(plan.controls) != sees:
        raise UsageError(
            f"the ControlNets of {title} (as {spec.name}) see {sees} control pictures, and --controlnet names "
            f"{len(plan.controls)}: write KIND=MODEL for those, picture=MODEL where it sees the picture itself"
        )
    if (plan.strength is None) == ("strength" in spec.knobs):
        has = (
            "has a strength: give --strength above 0 up to 1" if plan.strength is None else "has no strength: say none"
        )
        raise UsageError(f"{title} (as {spec.name}) {has}")


class Careful:
    """Has a model refine; images on which it fails are told apart, unless it fails on all of its first ones."""

    def __init__(self, refine: Callable[[Sequence[Job]], Sequence[Refined]]) -> None:
        self._refine, self._works = refine, False

    def __call__(self, jobs: Sequence[Job]) -> Sequence[Refined | ModelError]:
        """What became of each job.

        Raises:
            ModelError: the model has never worked.
        """
        made = self._each(jobs)
        self._works |= any(isinstance(one, Refined) for one in made)
        if not self._works and isinstance(made[0], ModelError):
            raise made[0]
        return made

    def _each(self, jobs: Sequence[Job]) -> Sequence[Refined | ModelError]:
        try:
            return self._refine(jobs)
        except ModelError as error:
            return [error] if len(jobs) == 1 else [one for job in jobs for one in self._each([job])]


def _done(written: tuple[dict[str, Any], Future[None]]) -> dict[str, Any]:
    """What is to be told of an image once it is there."""
    written[1].result()
    return written[0]


def _pool(device: str, cores: int) -> Executor:
    """Where images are read and judged: beside a GPU in processes of their own, which keep up with it."""
    if device == "cpu" or cores < 3:
        return Inline()
    return ProcessPoolExecutor(cores - 1, get_context("spawn"), _settle, (os.getpid(),))


def _settle(parent: int) -> None:
    """A process of the pool ends with its worker, and takes one core."""
    die_with(parent)
    cv2.setNumThreads(1)


if __name__ == "__main__":
    serve(_start)
