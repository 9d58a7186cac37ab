"""Sim to real: a detector trained on synthetic images only, tested on photographs, beside one trained on photographs.

`python tests/benchmarks/bench_sim_to_real.py --synthetic out/dice --real ../shared/real/dice --seeds 3 --steps 1200`.
Both folders are COCO with the same categories. The photographs are cut in two halves in the order of their file names,
which is the order in which they were taken: bursts show the same dice in the same places, so halves that interleave
would test on near-duplicates of the training images. A detector is trained on each half and tested on the other; the
synthetic one is tested on the same halves and on all photographs. All have the same network, augmentation, number of
optimiser steps and seeds. Steps, crop size and augmentation were chosen while looking at the photographs. AP as COCO's
evaluation of boxes has it; class-agnostic AP50 keeps one detection at each place and ignores its class. Exit code 1 if
the synthetic mean AP50 is the lower one.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from centernet import CenterNet, Training, detect, train  # type: ignore[import-not-found]  # beside this script
from coco_crops import Crops, Images, read  # type: ignore[import-not-found]  # beside this script
from common import table  # type: ignore[import-not-found]  # beside this script
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

MEASURES = ("AP", "AP50", "any class AP50")
Scores = dict[str, float]


def score(net: CenterNet, test: Images) -> Scores:
    """AP and AP50 by class, and AP50 whatever the class, of a detector on images."""
    return {
        "AP": (by_class := _evaluate(net, test, True))[0],
        "AP50": by_class[1],
        "any class AP50": _evaluate(net, test, False)[1],
    }


def _evaluate(net: CenterNet, test: Images, by_class: bool) -> tuple[float, float]:
    categories = [c["id"] for c in test.coco["categories"]]
    found = [
        {"image_id": image["id"], "bbox": row[:4].tolist(), "score": row[4], "category_id": categories[int(row[5])]}
        for image, picture in zip(test.coco["images"], test.pictures, strict=True)
        for row in detect(net, picture, by_class)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy({"info": {}, **test.coco})
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), "bbox")
        run.params.useCats = int(by_class)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0]), float(run.stats[1])


def fit(images: Images, args: argparse.Namespace, seed: int, watch: Images | None = None) -> CenterNet:
    """A detector of these images; with `watch`, its scores there after each tenth of the steps are printed."""

    def report(step: int, net: CenterNet) -> None:
        if watch is not None and args.curve:
            scores = score(net.eval(), watch)
            net.train()
            print(f"    step {step}: " + ", ".join(f"{m} {scores[m]:.3f}" for m in MEASURES), flush=True)

    how = Training(args.steps, args.batch)
    return train(Crops(images, args.size), len(images.coco["categories"]), how, seed, report)


def runs(args: argparse.Namespace, real: Images, synthetic: Images | None) -> dict[str, list[Scores]]:
    """Scores of every seed by what was trained on and tested on."""
    cut = (len(real.pictures) + 1) // 2
    first, second = real.part(range(cut)), real.part(range(cut, len(real.pictures)))
    results: dict[str, list[Scores]] = defaultdict(list)

    def note(name: str, net: CenterNet, test: Images, began: float) -> None:
        results[name].append(score(net, test))
        line = ", ".join(f"{m} {results[name][-1][m]:.3f}" for m in MEASURES)
        seed = len(results[name]) - 1 + args.first_seed
        print(f"{name}, seed {seed}: {line} ({time.process_time() - began:.0f} CPU s)", flush=True)

    for seed in range(args.first_seed, args.first_seed + args.seeds):
        if synthetic is not None:
            began = time.process_time()
            net = fit(synthetic, args, seed, real)
            note("synthetic → all photographs", net, real, began)
            note("synthetic → first half", net, first, began)
            note("synthetic → second half", net, second, began)
        if args.skip_real:
            continue
        for train_on, test_on, name in (
            (second, first, "second half → first half"),
            (first, second, "first half → second half"),
        ):
            began = time.process_time()
            note(name, fit(train_on, args, seed, test_on), test_on, began)
    return results


def summary(results: dict[str, list[Scores]]) -> dict[str, dict[str, float]]:
    """Means over seeds, and of the two ways for what is compared: both detectors on the same images."""
    means = {name: {m: float(np.mean([s[m] for s in rows])) for m in MEASURES} for name, rows in results.items()}
    for title, names in (
        ("synthetic, mean of the halves", ("synthetic → first half", "synthetic → second half")),
        ("photographs, mean of the halves", ("second half → first half", "first half → second half")),
    ):
        if all(name in means for name in names):
            means[title] = {m: float(np.mean([means[name][m] for name in names])) for m in MEASURES}
    return means


def main() -> None:
    parser = argparse.ArgumentParser(description="train on synthetic images, test on photographs")
    parser.add_argument("--synthetic", type=Path, help="COCO folder of synthetic images; without it, photographs only")
    parser.add_argument("--real", type=Path, default=Path("../shared/real/dice"), help="COCO folder of photographs")
    parser.add_argument("--images", type=int, default=400, help="synthetic images to train on, the first ones")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1200, help="optimiser steps of every detector")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=128, help="side of training crops in pixels, a multiple of 16")
    parser.add_argument("--curve", action="store_true", help="print the scores ten times during each training")
    parser.add_argument("--skip-real", action="store_true", help="train on synthetic images only")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write all scores here")
    args = parser.parse_args()
    if not args.real.is_dir():
        print(f"skipped: no photographs at {args.real}; --real names a COCO folder of them")
        return
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    real = read(args.real)
    synthetic = None
    if args.synthetic is not None:
        synthetic = read(args.synthetic, real.pictures[0].shape[1])
        synthetic = synthetic.part(range(min(args.images, len(synthetic.pictures))))
        names = [[c["name"] for c in images.coco["categories"]] for images in (real, synthetic)]
        if names[0] != names[1]:
            sys.exit(f"the two sets differ in their categories: {names[0]} and {names[1]}")
    results = runs(args, real, synthetic)
    means = summary(results)
    table(
        ("trained → tested", "seeds", *MEASURES),
        [(n, len(results.get(n, [])) or "", *(f"{v[m]:.3f}" for m in MEASURES)) for n, v in means.items()],
    )
    if args.json is not None:
        options = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        args.json.write_text(json.dumps({"options": options, "seeds": results, "means": means}, indent=1) + "\n")
    a, b = (means.get(f"{who}, mean of the halves", {}).get("AP50") for who in ("synthetic", "photographs"))
    sys.exit(1 if a is not None and b is not None and a < b else 0)


if __name__ == "__main__":
    main()
