"""The ladder: refine, judge, and where labels did not survive try again more gently, down to the render itself.

First as asked for; then with less strength and new seeds; then the render pasted back over the instances that failed;
last the render, untouched. Every rung leaves its scores, whether it was accepted or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .gate import Reference, judge
from .gate_outlines import wider
from .jobs import Job, Refined
from .tries import Rung, Status

__all__ = ["SHARES", "Outcome", "climb", "seed_of"]

Refine = Callable[[Sequence[Job]], Sequence[Refined]]
Image = npt.NDArray[np.uint8]

#: Shares of the strength that was asked for, one after the other.
SHARES = (1.0, 0.7, 0.5)
#: A pasted instance brings so many pixels around it along.
PASTED_PX = 3


@dataclass(frozen=True)
class Outcome:
    """What became of an image, and the tries that led there; the last one was accepted, unless `status` is fallback."""

    image: Image
    status: Status
    rungs: tuple[Rung, ...]


def seed_of(seed: int, attempt: int) -> int:
    """The seed of an attempt: that of the job at first, then others that depend on it alone."""
    if attempt == 0:
        return seed
    return int.from_bytes(hashlib.blake2b(f"{seed} {attempt}".encode(), digest_size=8).digest(), "little") >> 1


def climb(
    jobs: Sequence[Job], references: Sequence[Reference], refine: Refine, shares: Sequence[float] = SHARES
) -> list[Outcome]:  # fmt: skip
    """Refine images so that their labels stay true; `references` are their renders, measured by the gate.

    `refine` is called once for each share, with the jobs that are left: what comes out for a job must not depend on
    the others, as with `Refiner.refine`. A share that leaves the model no denoising step is left out.

    Raises:
        UsageError: as many references as jobs are needed, and they must be of the same renders.
    """
    if len(jobs) != len(references):
        raise UsageError(f"{len(jobs)} jobs need as many references, got {len(references)}")
    for job, reference in zip(jobs, references, strict=True):
        if not np.array_equal(job.image, reference.render):
            raise UsageError(f"the reference of image {job.index} is of another render")
    rungs: list[list[Rung]] = [[] for _ in jobs]
    images: list[Image | None] = [None] * len(jobs)
    done: dict[int, Outcome] = {}
    for attempt, share in enumerate(shares):
        left = {k: t for k in range(len(jobs)) if k not in done and (t := _try(jobs[k], attempt, share)) is not None}
        for (k, job), made in zip(left.items(), refine(list(left.values())) if left else [], strict=True):
            verdict = None if made.flagged else judge(references[k], made.image)
            rungs[k].append(Rung("refined", job.strength, job.seed, made.steps, made.flagged, (), verdict))
            if verdict is not None:
                images[k] = made.image  # the last one, which is the gentlest, is what pasting starts from
                if verdict.accepted:
                    done[k] = Outcome(made.image, "refined", tuple(rungs[k]))
    for k, (reference, image) in enumerate(zip(references, images, strict=True)):
        if k not in done:
            done[k] = _pasted(reference, image, rungs[k])
    return [done[k] for k in range(len(jobs))]


def _try(job: Job, attempt: int, share: float) -> Job | None:
    """The job of an attempt; None where its strength would leave no step."""
    seed = seed_of(job.seed, attempt)
    if job.strength is None:
        return replace(job, seed=seed)
    strength = round(job.strength * share, 6)
    if attempt and int(job.steps * strength) < 1:
        return None
    return replace(job, seed=seed, strength=strength)


def _pasted(reference: Reference, image: Image | None, rungs: list[Rung]) -> Outcome:
    """The last image with the render pasted over what failed, if that is accepted; else the render."""
    last = next((r.verdict for r in reversed(rungs) if r.verdict is not None), None)
    if image is not None and last is not None and last.failed_ids:
        failed = last.failed_ids
        mask = wider(np.isin(reference.ids, np.array(failed)), PASTED_PX)
        mended = np.where(mask[..., None], reference.render, image)
        verdict = judge(reference, mended)
        rungs.append(Rung("pasted", None, None, 0, False, failed, verdict))
        if verdict.accepted:
            return Outcome(mended, "pasted", tuple(rungs))
    return Outcome(reference.render, "fallback", tuple(rungs))
