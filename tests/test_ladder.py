"""The ladder takes the first try whose labels survived, tries more gently else, and ends with the render."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import cv2
import numpy as np
import numpy.typing as npt

from scenewright.diffusion.gate import Reference, reference
from scenewright.diffusion.jobs import Job, Refined
from scenewright.diffusion.ladder import Case, Inline, Outcome, climb, seed_of
from scenewright.errors import UsageError

Image = npt.NDArray[np.uint8]
Change = Callable[[Job], Image]
Refine = Callable[[Sequence[Job]], Sequence[Refined]]


def scene(seed: int = 0) -> tuple[Image, npt.NDArray[np.uint16]]:
    """Two bright, textured squares on darker ground, and their ids."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((128, 160), np.uint16)
    ids[20:70, 15:65], ids[60:110, 90:145] = 1, 2
    base = np.choose(np.minimum(ids, 2), [70, 165, 190])[..., None] + np.array([0, 6, -8])
    grain = cv2.GaussianBlur(rng.normal(0, 10, ids.shape).astype(np.float32), (0, 0), 1.0)
    return np.clip(base + grain[..., None], 0, 255).astype(np.uint8), ids


def moved(image: Image, by: int) -> Image:
    """The picture moved to the right."""
    return np.roll(image, by, axis=1)


def outcomes(
    cases: Sequence[tuple[Job, Reference]], refine: Refine, batch: int = 1, pool: Executor | None = None
) -> list[Outcome]:  # fmt: skip
    """What becomes of images, in their order."""
    ready = [Inline().submit(Case, job, measured) for job, measured in cases]
    made = dict(climb(ready, refine, batch, pool))
    return [outcome for k in range(len(cases)) if isinstance(outcome := made[k], Outcome)]


def climbed(change: Change, strength: float | None = 0.8, steps: int = 20) -> tuple[Outcome, list[Job]]:
    """The outcome for one image, and all jobs that were asked for."""
    image, ids = scene()
    asked: list[Job] = []

    def refine(jobs: Sequence[Job]) -> list[Refined]:
        asked.extend(jobs)
        return [Refined(change(job), int(job.steps * (job.strength or 1)), True) for job in jobs]

    job = Job(4, image, np.ones(ids.shape, np.float32), "", strength=strength, steps=steps, seed=9)
    return outcomes([(job, reference(image, ids))], refine)[0], asked


def test_what_survives_at_first_is_taken() -> None:
    """A harmless change is accepted as asked for, with one rung and the job's own seed and strength."""
    outcome, asked = climbed(lambda job: np.clip(job.image * 0.9 + 9, 0, 255).astype(np.uint8))
    assert outcome.status == "refined" and len(outcome.rungs) == 1
    assert [(j.strength, j.seed) for j in asked] == [(0.8, 9)]
    assert outcome.rungs[0].verdict is not None and outcome.rungs[0].verdict.accepted
    assert outcome.rungs[0].executed == 16


def test_what_does_not_is_tried_more_gently() -> None:
    """The strength falls to 0.7 and 0.5 of what was asked for, with other seeds; the first that holds stays."""
    outcome, asked = climbed(lambda job: job.image if (job.strength or 1) < 0.5 else moved(job.image, 6))
    assert outcome.status == "refined"
    assert [j.strength for j in asked] == [0.8, 0.56, 0.4]
    assert [j.seed for j in asked] == [9, seed_of(9, 1), seed_of(9, 2)] and len({j.seed for j in asked}) == 3
    assert [r.verdict is not None and r.verdict.accepted for r in outcome.rungs] == [False, False, True]


def test_one_lost_instance_is_pasted() -> None:
    """An instance that fails every time gets the render back, and the rest stays refined."""
    image, ids = scene()

    def erased(job: Job) -> Image:
        darker = np.clip(job.image * 0.9, 0, 255).astype(np.uint8)
        return np.where((ids == 1)[..., None], np.roll(darker, -50, axis=0), darker)

    outcome, _ = climbed(erased)
    assert outcome.status == "pasted" and outcome.rungs[-1].pasted == (1,) and len(outcome.rungs) == 4
    assert (outcome.image[ids == 1] == image[ids == 1]).all()
    assert (outcome.image != image).any()


def test_what_cannot_be_mended_is_the_render() -> None:
    """A black picture ends with the render's own bytes, and its rungs say why."""
    outcome, _ = climbed(lambda job: np.zeros_like(job.image))
    assert outcome.status == "fallback" and (outcome.image == scene()[0]).all()
    assert all(r.verdict is not None and not r.verdict.accepted for r in outcome.rungs)


def test_what_the_safety_checker_blanked_is_not_judged() -> None:
    """A flagged picture is no success, and with nothing else there is nothing to paste into."""
    image, ids = scene()
    job = Job(0, image, np.ones(ids.shape, np.float32), "")
    (outcome,) = outcomes([(job, reference(image, ids))],
                          lambda jobs: [Refined(j.image, 5, True, flagged=True) for j in jobs])  # fmt: skip
    assert outcome.status == "fallback" and [r.verdict for r in outcome.rungs] == [None] * 3


def test_a_strength_that_leaves_no_step_is_left_out() -> None:
    """Of 2 steps at 0.6 half the strength is less than one step: that rung is not tried."""
    _, asked = climbed(lambda job: moved(job.image, 6), strength=0.6, steps=2)
    assert [j.strength for j in asked] == [0.6]
    _, asked = climbed(lambda job: moved(job.image, 6), strength=None)
    assert [j.strength for j in asked] == [None] * 3 and len({j.seed for j in asked}) == 3


def several(count: int) -> list[tuple[Job, Reference]]:
    """Jobs 0, 1, … with their references."""
    cases = []
    for k in range(count):
        image, ids = scene(k)
        job = Job(k, image, np.ones(ids.shape, np.float32), "", strength=0.8, steps=20, seed=k)
        cases.append((job, reference(image, ids)))
    return cases


def test_images_do_not_depend_on_each_other() -> None:
    """Of two images the one that holds is asked for once, and both come out as they do alone."""
    calls: list[list[int]] = []

    def refine(some: Sequence[Job]) -> list[Refined]:
        calls.append([j.index for j in some])
        return [Refined(moved(j.image, 6 * j.index), 1, True) for j in some]

    cases = several(2)
    both = outcomes(cases, refine, batch=2)
    assert calls == [[0, 1], [1], [1]] and [o.status for o in both] == ["refined", "fallback"]
    (alone,) = outcomes(cases[1:], refine)
    assert (alone.image == both[1].image).all() and alone.rungs == both[1].rungs


def test_those_that_fail_fill_batches() -> None:
    """Images that are to be tried again wait for each other while others are left, and none is tried twice at once."""
    calls: list[list[tuple[int, float | None]]] = []

    def refine(some: Sequence[Job]) -> list[Refined]:
        calls.append([(j.index, j.strength) for j in some])
        return [Refined(moved(j.image, 6 * (j.index % 2)), 1, True) for j in some]

    statuses = [o.status for o in outcomes(several(6), refine, batch=2)]
    assert statuses == ["refined", "fallback"] * 3
    assert [[k for k, _ in call] for call in calls[:3]] == [[0, 1], [2, 3], [4, 5]]
    assert all(len({s for _, s in call}) == 1 and len({k % 2 for k, _ in call}) == len(call) for call in calls)
    assert sorted(pair for call in calls[3:] for pair in call) == [(k, s) for k in (1, 3, 5) for s in (0.4, 0.56)]


def test_other_processes_may_judge() -> None:
    """Judged elsewhere, while the model goes on, everything comes out as it does here."""
    cases = several(3)

    def refine(some: Sequence[Job]) -> list[Refined]:
        return [Refined(moved(j.image, 6 * (j.index % 2)), 1, True) for j in some]

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = outcomes(cases, refine, pool=pool)
    for one, other in zip(there, outcomes(cases, refine), strict=True):
        assert (one.image == other.image).all() and (one.status, one.rungs) == (other.status, other.rungs)


def test_a_case_that_cannot_be_prepared_stops_no_other() -> None:
    """It comes out as its error, beside the outcomes of the rest."""
    image, ids = scene()
    job, ref = Job(0, image, np.ones(ids.shape, np.float32), ""), reference(image, ids)
    ready = [Inline().submit(Case, replace(job, image=scene(1)[0]), ref), Inline().submit(Case, job, ref)]
    made = dict(climb(ready, lambda jobs: [Refined(j.image, 1, True) for j in jobs], batch=2))
    assert isinstance(made[0], UsageError) and "image 0 is of another render" in str(made[0])
    assert isinstance(made[1], Outcome) and made[1].status == "refined"
