"""What the label gate and the bookkeeping cost beside models of real size: `bench_refine.py --renders out/refine`

CPU seconds on one core are measured: everything that `scenewright refine` does with an image except running the model,
on renders of a recipe (made where they are missing). A stand-in takes the model's place. Either it returns the render
with noise, so that the first try is accepted; or it returns it moved by 4 px, outlines not frozen, so that all three
tries are rejected, the render is pasted over what moved, and that is judged again.

GPU seconds are computed: the multiply-adds of published denoisers, counted for the same size of picture, times the
passes and steps of the default plan, over a rate. **The rate is an assumption** (`--tflops`): by default 200·10¹²
operations a second, sustained, for a GPU of the class of an H100 in bfloat16, and 40 for one of the class of an L4.
VAE, text encoders and ControlNets are left out, which makes all shares larger than they are.

Printed is how much longer an image takes than its model alone: with all work one after the other on one core, and as it
is done beside a GPU, where k processes read, measure and judge, a thread encodes and writes, and the process of the
model does the rest between two batches. Waiting for disks is not counted. Exit code 1 when, with the most processes, a
first try takes 10 % longer.
"""

from __future__ import annotations

import argparse
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import Stopwatch, size, table  # type: ignore[import-not-found]  # beside this script
from published_models import MODELS, tflop_of_a_pass  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.records import indices, read_info
from scenewright.diffusion import ladder
from scenewright.diffusion.change_map import Freedom, composite
from scenewright.diffusion.jobs import Job, Refined
from scenewright.diffusion.plan import Plan
from scenewright.errors import ScenewrightError
from scenewright.farm import refining_worker

LIMIT = 0.10
#: What processes beside that of the model do, what that one does itself, and what a thread of it does meanwhile.
READ, REFERENCE, JOB, VERDICT, HANDED = (
    "read and check files",
    "reference",
    "job, change map",
    "verdicts",
    "handed over",
)
COMPOSITE, LADDER, ENCODE, RECORD = "composite", "ladder", "encode PNG", "record, files"
BESIDE, ITSELF, WRITING = (READ, REFERENCE, JOB, VERDICT), (COMPOSITE, LADDER), (ENCODE, RECORD)
STAGES = (
    (refining_worker, "read_record", READ),
    (refining_worker, "read_image", READ),
    (refining_worker, "reference", REFERENCE),
    (ladder, "judge", VERDICT),
    (refining_worker, "encode_rgb", ENCODE),
)

StandIn = Callable[[Job], Any]


def noisy(job: Job) -> Any:
    """The render with a little noise."""
    noise = np.random.default_rng(job.index).normal(0, 3, job.image.shape)
    return np.clip(np.rint(job.image + noise), 0, 255).astype(np.uint8)


def moved(job: Job) -> Any:
    """The render, 4 px to the right."""
    return np.roll(job.image, 4, axis=1)


class Bench:
    """A stopwatch around the parts of `scenewright refine`."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        for module, name, stage in STAGES:
            self.watch.watch(module, name, stage)

    def __call__(self, dataset: Path, stand_in: StandIn) -> dict[str, float]:
        """CPU seconds of an image, the mean by stage."""
        self.watch.spent.clear()
        plan = Plan(freedom=Freedom(band=0.0 if stand_in is noisy else 1.0))
        info, found = read_info(dataset), indices(dataset)
        with tempfile.TemporaryDirectory(prefix="scenewright-") as folder:
            for index in found:
                with self.watch.stage(JOB):
                    case = refining_worker.prepare(dataset, index, info, plan)
                self._one(case, dataset, Path(folder), stand_in)
        return {stage: seconds / len(found) for stage, seconds in self.watch.spent.items()}

    def _one(self, case: refining_worker.Prepared, dataset: Path, folder: Path, stand_in: StandIn) -> None:
        def refine(jobs: Sequence[Job]) -> list[Refined]:
            with self.watch.stage("stand-in"):
                pictures = [stand_in(job) for job in jobs]
            with self.watch.stage(COMPOSITE):
                return [
                    Refined(composite(job.image, p, job.level), int(job.steps * (job.strength or 1)), True)
                    for job, p in zip(jobs, pictures, strict=True)
                ]

        self._handed(case)
        future: Future[refining_worker.Prepared] = Future()
        future.set_result(case)
        with self.watch.stage(LADDER):
            ((_, outcome),) = ladder.climb([future], refine)
        if isinstance(outcome, ScenewrightError):
            raise outcome
        if len(outcome.rungs) != (1 if stand_in is noisy else 4):
            raise SystemExit(f"image {case.job.index} ended as {outcome.status} after {len(outcome.rungs)} verdicts")
        for _ in outcome.rungs:
            self._handed((case.reference, outcome.image))
        with self.watch.stage(RECORD):
            refining_worker.store(case, outcome, dataset, folder, 64 * "0")

    def _handed(self, thing: Any) -> None:
        """From one process to another: half of this falls to either."""
        with self.watch.stage(HANDED):
            pickle.loads(pickle.dumps(thing))


def made(folder: Path, recipe: str, picture: tuple[int, int], count: int) -> Path:
    """Renders of a recipe; a folder that is there is taken as it is."""
    text = f"{picture[0]}x{picture[1]}"
    out = folder / f"{recipe}_{text}"
    if not out.exists():
        options = {"--out": out, "--count": count, "--seed": 21, "--size": text, "--preset": "draft"}
        words = [str(word) for option in options.items() for word in option]
        command = [sys.executable, "-m", "scenewright", "generate", recipe, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def steps_of(plan: Plan, shares: Sequence[float]) -> int:
    """Steps that are executed in tries at these shares of the strength."""
    assert plan.strength is not None
    return sum(int(plan.steps * round(plan.strength * share, 6)) for share in shares)


def longer(gpu_s: float, spent: dict[str, float], processes: int) -> float:
    """By which share an image takes longer than its model; 0 processes: everything one after the other."""
    beside, itself, writing = (sum(spent.get(stage, 0.0) for stage in parts) for parts in (BESIDE, ITSELF, WRITING))
    if not processes:
        return (beside + itself + writing) / gpu_s
    half = spent[HANDED] / 2
    return max(gpu_s + itself + half, (beside + half) / processes, writing) / gpu_s - 1


def report(picture: tuple[int, int], paths: dict[str, dict[str, float]], args: argparse.Namespace) -> bool:
    """Print the tables of one picture size; whether every first try keeps to the limit."""
    print(f"\n{picture[0]}x{picture[1]}, {args.recipe}, {args.images} images")
    stages = (*BESIDE, *ITSELF, *WRITING, HANDED)
    rows = [[stage, *(f"{1000 * spent.get(stage, 0):.1f}" for spent in paths.values())] for stage in stages]
    table(["CPU ms an image", *paths], rows)
    print()
    plan, lines, good = Plan(), [], True
    for model in MODELS:
        tflop = tflop_of_a_pass(model, picture)
        for rate in args.tflops:
            for (name, spent), shares in zip(paths.items(), ((1.0,), ladder.SHARES), strict=True):
                steps = steps_of(plan, shares)
                gpu_s = tflop * model.passes * steps / rate
                found = [longer(gpu_s, spent, k) for k in (0, *args.processes)]
                fine = shares != (1.0,) or found[-1] <= LIMIT
                good &= fine
                cells = [f"{tflop:.2f}", f"{model.passes}x{steps}", f"{rate:g}", f"{gpu_s:.2f}"]
                lines.append([model.name, name, *cells, *(f"{100 * s:.1f} %" for s in found), "" if fine else "missed"])
    heads = ["TFLOP a pass", "passes x steps", "TFLOP/s", "GPU s", "serial", *(f"k={k}" for k in args.processes)]
    table(["model", "", *heads, ""], lines)
    return good


def main() -> int:
    """Run as described at the top."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renders", type=Path, required=True)
    parser.add_argument("--recipe", default="hardware")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--sizes", type=size, nargs="+", default=[(640, 480), (512, 512)], metavar="WxH")
    parser.add_argument("--tflops", type=float, nargs="+", default=[200.0, 40.0], help="assumed rates of GPUs")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 3, 7], metavar="K")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    bench, good = Bench(), True
    for picture in args.sizes:
        dataset = made(args.renders, args.recipe, picture, args.images)
        bench(dataset, noisy)  # what is loaded and allocated once is not counted
        paths = {"first try": bench(dataset, noisy), "three tries, pasted": bench(dataset, moved)}
        good &= report(picture, paths, args)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
