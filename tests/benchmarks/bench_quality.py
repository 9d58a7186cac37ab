"""What the presets reach: PSNR of the 8-bit sRGB picture against 1024 samples per pixel, and their cost.

`python tests/benchmarks/bench_quality.py --images 2`. PSNR is 10·log10(255² / mean squared difference), over all
pixels and channels of an image, then averaged over the images. The reference has other noise, no threshold and the same
denoiser; what a denoiser does wrong at 1024 samples is thus not seen. `--raw` compares with the reference as it comes,
and its own noise counts too: no picture can come nearer to it than that. Cost is CPU seconds of all threads for the
beauty render alone. `--crop` renders only the middle of each image, where the objects are: the hardest part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.render import engine, passes
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import built_in_recipes, load
from scenewright.scenes.sample import PRESETS, sample
from scenewright.scenes.scene import RenderSettings, Scene

LIMIT_DB, LIMIT_COST = 40.0, 0.1
OTHER_NOISE = 1_000_000  # an index that no image here has: the noise follows the index


def psnr(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Decibels between two uint8 pictures; inf when they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * np.log10(255.0**2 / error) if error else np.inf


def middle(scene: Scene, crop: tuple[int, int]) -> Scene:
    """The same scene through the middle `crop` (width, height) pixels of its camera."""
    c = scene.camera
    moved = {"cx": c.cx - (c.width - crop[0]) / 2, "cy": c.cy - (c.height - crop[1]) / 2}
    return scene.replace(camera=c.model_copy(update={"width": crop[0], "height": crop[1], **moved}))


def at(scene: Scene, preset: str, denoise: bool = True, **sampling: Any) -> Scene:
    """The same scene with other samples; view transform, look and exposure stay."""
    fixed = {"min_samples": 0, "noise_threshold": 0.0}
    given = scene.render.model_dump() | fixed | {"preset": preset, "denoise": denoise} | sampling
    return scene.replace(render=RenderSettings(**given))


def measure(args: argparse.Namespace, recipe: str) -> Iterator[tuple[str, float, float]]:
    """Of every image: the name of each preset, PSNR in dB, CPU seconds as a part of the reference's."""
    loaded = load(recipe, [f"render.size=[{args.size[0]}, {args.size[1]}]"])
    cycles, watch = engine.Engine("cpu"), Stopwatch()
    watch.watch(passes, "render", "{}: render")
    watch.watch(passes, "labels", "labels")
    for index in range(args.first, args.first + args.images):
        scene = middle(sample(loaded, index, args.seed), args.crop or args.size)
        meshes = meshes_of(scene)
        other_noise = scene.replace(index=index + OTHER_NOISE)
        jobs = {"reference": at(other_noise, "reference", not args.raw, samples=args.reference)}
        jobs |= {p: at(scene, p, **PRESETS[p]) for p in args.presets}
        pictures = {}
        watch.spent.clear()
        for name, job in jobs.items():
            with watch.stage(name):
                pictures[name] = cycles.render(job, meshes).rgb
        full = watch.spent["reference: render"]
        for preset in args.presets:
            cost = watch.spent[f"{preset}: render"]
            found = psnr(pictures[preset], pictures["reference"])
            print(f"{recipe} {index} {preset}: {found:.2f} dB, {cost:.1f} of {full:.0f} CPU s", file=sys.stderr)
            yield preset, found, cost / full


def main() -> None:
    parser = argparse.ArgumentParser(description="PSNR and cost of the presets against a reference render")
    parser.add_argument("--recipes", nargs="+", default=list(built_in_recipes()))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="index of the first image")
    parser.add_argument("--size", type=size, default=(320, 240), metavar="WxH")
    parser.add_argument("--crop", type=size, metavar="WxH", help="render this much of each image's middle")
    parser.add_argument("--reference", type=int, default=1024, help="samples per pixel of the reference")
    parser.add_argument("--raw", action="store_true", help="do not denoise the reference")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    blender_quiet()
    rows = []
    for recipe in args.recipes:
        found = list(measure(args, recipe))
        for preset in args.presets:
            quality, cost = np.array([(db, part) for name, db, part in found if name == preset]).T
            limit = f"≥ {LIMIT_DB:g} dB, ≤ {LIMIT_COST:g}" if preset == "standard" else ""
            cells = (f"{np.mean(quality):.1f}", f"{min(quality):.1f}", f"{np.mean(cost):.3f}")
            rows.append((recipe, preset, *cells, limit))
    crop = f", middle {args.crop[0]}x{args.crop[1]}" if args.crop else ""
    print(f"{args.images} images of each recipe, {args.size[0]}x{args.size[1]}{crop}, against {args.reference} samples")
    table(("recipe", "preset", "mean dB", "worst dB", "of reference's cost", "limit"), rows)


if __name__ == "__main__":
    main()
