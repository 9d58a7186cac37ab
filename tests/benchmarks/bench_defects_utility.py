"""Are defects of these renders found on others? `python tests/benchmarks/bench_defects_utility.py --out out/utility`

A small U-Net is trained on renders of a recipe with one half of its materials and panoramas, and tested on renders
with the other half, another seed and so other defects. Both datasets are made by this script, or named by --train and
--test (folders of Scenewright). Per kind of defect: the average precision of pixels, positives being the pixels of that
kind and negatives those of labelled parts without any defect, beside that of local contrast, the distance in CIELAB
between a picture and itself smoothed. Which smoothing is decided on the training images, over all their kinds; the best
that any smoothing reaches for a kind, chosen on the test images themselves, is given too. Exit code 1 when the
network's mean over kinds is not above that of local contrast, or the datasets share a material, a panorama or the seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import size, table  # type: ignore[import-not-found]  # beside this script
from defect_images import Crops, Marked, read  # type: ignore[import-not-found]  # beside this script
from pixel_scores import CONTRASTS, Contrast, average_precision  # type: ignore[import-not-found]  # beside this script

import scenewright as sw
from scenewright.datasets.records import read_info
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.recipe import Recipe

#: Families that the network never sees; the rest of what a recipe names is trained on.
HELD_OUT = frozenset({
    "turned", "zinc", "black_oxide", "brass", "powder_coat", "leather", "ceramic", "cardboard", "marbled", "felt",
    "concrete", "anodised",
})  # fmt: skip
PANORAMAS = {"train": ("studio", "interior", "sunset", "courtyard"), "test": ("city", "forest", "sunrise")}
SEEDS = {"train": 0, "test": 1}
#: A kind with fewer images that show it is in the table but not in the means.
FEWEST = 3
Mask = npt.NDArray[np.bool_]
Score = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


def half(name: str, which: str, options: Sequence[str]) -> Recipe:
    """The recipe with the materials and panoramas of one half; assets of which nothing is left are left out."""
    raw = sw.load(name, options).model_dump(mode="json")
    left = []
    for asset in raw["objects"]["assets"]:
        parts = asset["materials"] or {}
        if not parts:
            raise SystemExit(f"{name}: asset {asset['category']} names no materials: half of none cannot be held out")
        for part, specs in parts.items():
            parts[part] = [s for s in specs if (s["family"] in HELD_OUT) == (which == "test")]
        if all(parts.values()):
            left.append(asset)
    if not left:
        raise SystemExit(f"{name}: no asset has materials for {which}")
    raw["objects"]["assets"] = left
    raw["world"]["hdri"] = {"dist": "choice", "options": dict.fromkeys(PANORAMAS[which], 1)}
    return recipe_from_dict(raw, None)


def dataset(args: argparse.Namespace, which: str, count: int) -> Path:
    """The folder of one half, rendered as far as it is missing."""
    given: Path | None = getattr(args, which)
    if given is not None:
        return given
    out: Path = args.out / which
    options = [f"render.size=[{args.size[0]}, {args.size[1]}]", f"render.preset={args.preset}",
               f"defects.rate={args.rate}", "defects.twins=false", *args.set]  # fmt: skip
    result = sw.generate(half(args.recipe, which, options), count, out, SEEDS[which], sw.Options(workers=args.workers))
    if not result.present:
        raise SystemExit(f"no image of {out} could be made")
    return out


def precisions(score: Score, images: Sequence[Marked]) -> dict[str, float]:
    """Average precision of pixels by kind, and of all kinds together ("any")."""
    values = np.concatenate([score(image.picture)[image.counts] for image in images])
    order = np.argsort(-values, kind="stable")  # sorted once: what follows sorts what is sorted
    values = values[order]

    def truth(masks: Iterable[Mask]) -> Mask:
        out: Mask = np.concatenate([m[i.counts] for m, i in zip(masks, images, strict=True)])[order]
        return out

    found, marred = {}, truth(i.defects for i in images)
    for kind in kinds_of(images):
        mask = truth(i.kinds.get(kind, np.zeros_like(i.counts)) for i in images)
        apart = mask | ~marred
        found[kind] = average_precision(values[apart], mask[apart])
    return found | {"any": average_precision(values, marred)}


def kinds_of(images: Sequence[Marked]) -> list[str]:
    """All kinds that the images show."""
    return sorted({kind for image in images for kind in image.kinds})


def chosen(images: Sequence[Marked]) -> Contrast:
    """The smoothing that finds most on images."""
    means = {c: np.nanmean(list(precisions(c, images).values())) for c in CONTRASTS}
    return max(means, key=lambda c: means[c])


def shared(train: Sequence[Marked], test: Sequence[Marked], folders: dict[str, Path]) -> list[str]:
    """What both datasets have that only one may have."""
    found: set[str] = set.intersection(
        *({*f} for f in ([x for i in part for x in i.families] for part in (train, test)))
    )
    found |= {i.hdri for i in train} & {i.hdri for i in test}
    seeds = {which: read_info(folder).seed for which, folder in folders.items()}
    return sorted(found) + ([f"seed {seeds['train']}"] if seeds["train"] == seeds["test"] else [])


def networks(args: argparse.Namespace, train: Sequence[Marked]) -> list[Score]:
    """One trained network for each seed, or those of `--nets`."""
    import torch
    from defect_net import Training, UNet, apply  # type: ignore[import-not-found]  # beside this script
    from defect_net import train as fit

    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    nets, crops = [], Crops(train, args.crop)
    for path in args.nets:
        nets.append(UNet().eval())
        nets[-1].load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    for seed in range(0 if nets else args.seeds):
        began = time.process_time()

        def report(step: int, loss: float, began: float = began) -> None:
            print(f"  step {step}: loss {loss:.3f} ({time.process_time() - began:.0f} CPU s)", flush=True)

        nets.append(fit(crops, Training(args.steps, args.batch, device=args.device), seed, report))
        if args.save is not None:
            args.save.mkdir(parents=True, exist_ok=True)
            torch.save(nets[-1].state_dict(), args.save / f"net_{seed}.pt")
    print(f"{sum(p.numel() for p in nets[0].parameters()):,} parameters")
    return [lambda picture, net=net: apply(net, picture) for net in nets]  # type: ignore[misc]  # net is bound now


def main() -> int:
    """Make what is missing, train, test, print."""
    parser = argparse.ArgumentParser(description="defects found on renders with other materials and light")
    parser.add_argument("--recipe", default="surface")
    parser.add_argument("--train", type=Path, help="a dataset, instead of making one")
    parser.add_argument("--test", type=Path, help="a dataset, instead of making one")
    parser.add_argument("--out", type=Path, default=Path("out/defects_utility"))
    parser.add_argument("--images", type=int, default=240, help="to train on")
    parser.add_argument("--test-images", type=int, default=120)
    parser.add_argument("--size", type=size, default=(224, 168), metavar="WxH")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--rate", type=float, default=0.9, help="share of parts that have a defect")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="networks to train")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=128, help="side of training crops in pixels, a multiple of 8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where networks are trained")
    parser.add_argument("--save", type=Path, help="keep the trained networks in this folder")
    parser.add_argument("--nets", type=Path, nargs="+", default=[], help="networks kept by --save, instead of training")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    args = parser.parse_args()
    folders = {"train": dataset(args, "train", args.images), "test": dataset(args, "test", args.test_images)}
    train, test = (read(folder) for folder in folders.values())
    for which, images in (("train", train), ("test", test)):
        print(f"{which}: {len(images)} images, {', '.join(sorted({f for i in images for f in i.families}))}; "
              f"{', '.join(sorted({i.hdri for i in images}))}")  # fmt: skip
    both = shared(train, test, folders)
    nets, contrast = networks(args, train), chosen(train)
    runs = [precisions(net, test) for net in nets]
    floor, each = precisions(contrast, test), [precisions(c, test) for c in CONTRASTS]
    rows, means = summary(train, test, runs, floor, each)
    print(f"pixel AP on held-out materials, panoramas and seed; local contrast: {contrast}")
    table(("kind", "images", "in training", "share", "network", "contrast", "best contrast"), rows)
    if both:
        print(f"not held out: both datasets have {', '.join(both)}")
    if args.json is not None:
        args.json.write_text(json.dumps({"runs": runs, "contrast": floor, "means": means}, indent=1) + "\n")
    return 0 if means["network"] > means["contrast"] and not both else 1


def summary(
    train: Sequence[Marked], test: Sequence[Marked], runs: list[dict[str, float]], floor: dict[str, float],
    each: list[dict[str, float]],
) -> tuple[list[tuple[object, ...]], dict[str, float]]:  # fmt: skip
    """Rows of the table, and the means over kinds."""
    chance = precisions(lambda picture: np.zeros(picture.shape[:2], np.float32), test)
    rows, counted = [], []
    for kind in (*kinds_of(test), "any"):
        shown, known = (sum(kind == "any" or kind in i.kinds for i in part) for part in (test, train))
        values = {"network": float(np.mean([run[kind] for run in runs])), "contrast": floor[kind],
                  "best": max(e[kind] for e in each)}  # fmt: skip
        rows.append((kind, shown, known, f"{chance[kind]:.4f}", *(f"{v:.3f}" for v in values.values())))
        if kind != "any" and shown >= FEWEST:
            counted.append(values)
    if not counted:
        raise SystemExit(f"no kind of defect shows on {FEWEST} test images: make more, by --test-images")
    means = {name: float(np.mean([v[name] for v in counted])) for name in ("network", "contrast", "best")}
    rows.append(("mean over kinds", "", "", "", *(f"{v:.3f}" for v in means.values())))
    return rows, means


if __name__ == "__main__":
    sys.exit(main())
