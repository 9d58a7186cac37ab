"""Refined images measured anew against the renders that they were made of: what their records say is not believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets.derived import Refinement
from ..datasets.files import inside, read_bytes
from ..datasets.png import decode_rgb
from ..datasets.records import TWINS, DatasetInfo, Record, indices, read_info, read_record, record_path
from ..datasets.validate import Finding
from ..diffusion.gate import judge
from ..diffusion.ladder import SHARES, seed_of
from ..diffusion.plan import Plan
from ..errors import ScenewrightError, UsageError
from .refining_worker import Prepared, prepare

__all__ = ["rejudge"]


def rejudge(folder: Path) -> Iterator[Finding]:
    """What is wrong with the pictures of a refined dataset, seen from its source; about 0.1 CPU s for each.

    Raises:
        UsageError: it was not refined, or its source is not where it was.
    """
    whole = read_info(folder).derived
    if whole is None or whole.kind != "refined":
        raise UsageError(f"{folder} was not refined: there is nothing that the label gate could measure again")
    source = folder / whole.source.folder
    if not (source / "dataset.json").is_file():
        raise UsageError(f"{folder} was made of {source}, which is not there: put it back to measure against it")
    info, plan = read_info(source), Plan.model_validate(whole.plan)
    for index in indices(folder):
        try:
            found = list(_messages(folder, source, index, info, plan))
        except ScenewrightError as error:
            found = [str(error)]
        yield from (Finding("error", f"records/{index:06d}.json", message) for message in found)


def _messages(folder: Path, source: Path, index: int, info: DatasetInfo, plan: Plan) -> Iterator[str]:
    """What is wrong with one image."""
    case = prepare(source, index, info, plan)
    record = read_record(record_path(folder, index))
    said = record.derived
    if not isinstance(said, Refinement):
        yield "says nothing of how it was refined: delete it and run the same command again"
        return
    if _asked(case, said) != _told(said):
        yield "names another prompt, seed, strength or share of free pixels than the plan gives it"
    pair = case.twin is not None
    shown = _picture(folder / TWINS, read_record(record_path(folder / TWINS, index))) if pair else None
    picture = _picture(folder, record)
    if shown is not None and case.marred is not None:
        kept = case.hold if said.status != "fallback" else np.ones_like(case.hold)
        if not np.array_equal(picture, np.where(kept[..., None], case.marred, shown)):
            yield "differs from its twin where the two renders do not"
    refined = picture if shown is None else shown
    if (refined != case.job.image)[case.job.level == 0].any():
        yield "was changed where nothing may change"
    verdict = judge(case.reference, refined)
    if not verdict.accepted:
        faults = [*verdict.faults, *(f"object {s.id}: {', '.join(s.faults)}" for s in verdict.instances if s.faults)]
        yield f"does not keep its labels, measured anew: {'; '.join(faults)}"


def _picture(folder: Path, record: Record) -> npt.NDArray[np.uint8]:
    return decode_rgb(read_bytes(inside(folder, record.image)), record.width, record.height)


def _asked(case: Prepared, said: Refinement) -> dict[str, Any]:
    """What the plan asks for, with as many tries as there were."""
    job, count = case.job, sum(t.status == "refined" for t in said.tries)
    strengths = [None if job.strength is None else round(job.strength * share, 6) for share in SHARES[:count]]
    return {
        "prompt": job.prompt, "negative_prompt": job.negative_prompt, "guidance": job.guidance, "seed": job.seed,
        "controls": case.controls, "frozen": case.reference.frozen_ids, "free": round(float((job.level > 0).mean()), 6),
        "tries": [(s, seed_of(job.seed, k)) for k, s in enumerate(strengths)],
    }  # fmt: skip


def _told(said: Refinement) -> dict[str, Any]:
    """The same, as the record tells it."""
    tries = [(t.strength, t.seed) for t in said.tries if t.status == "refined"]
    names = ("prompt", "negative_prompt", "guidance", "seed", "controls", "frozen", "free")
    return {name: getattr(said, name) for name in names} | {"tries": tries}
