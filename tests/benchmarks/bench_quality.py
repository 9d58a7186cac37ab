"""What the presets reach: PSNR of the 8-bit sRGB picture against 1024 samples without denoiser, and their cost.

`python tests/benchmarks/bench_quality.py --images 4`. PSNR is 10·log10(255² / mean squared difference), over all
pixels and channels of an image, then averaged over the images. Only the middle of each image is rendered (`--crop`),
by a camera with a smaller sensor: the pixels are those of the full image, and the reference takes minutes, not an hour.
The reference is rendered twice with other noise; how far the two agree is printed too: nothing can be seen to be
closer. Cost is CPU seconds of all threads for the beauty render alone.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.render import engine
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


def with_samples(scene: Scene, preset: str, samples: int, denoise: bool) -> Scene:
    """The same scene at other settings; view transform, look and exposure stay."""
    given = scene.render.model_dump() | {"preset": preset, "samples": samples, "denoise": denoise}
    return scene.replace(render=RenderSettings(**given))


def measure(args: argparse.Namespace, recipe: str) -> dict[str, tuple[list[float], float]]:
    """Preset → PSNR of every image in dB, and CPU seconds per image; "reference" is compared with itself."""
    loaded = load(recipe, [f"render.size=[{args.size[0]}, {args.size[1]}]"])
    cycles, watch = engine.Engine("cpu"), Stopwatch()
    watch.watch(engine, "_render", "{}: render")
    watch.watch(engine, "_labels", "labels")
    found: dict[str, list[float]] = {name: [] for name in ("reference", *args.presets)}
    for index in range(args.images):
        scene = middle(sample(loaded, index, args.seed), args.crop)
        meshes = meshes_of(scene)
        jobs = {"reference": with_samples(scene, "reference", args.reference, False)}
        jobs |= {p: with_samples(scene, p, PRESETS[p], True) for p in args.presets}
        pictures = {}
        for name, job in jobs.items():
            with watch.stage(name):
                pictures[name] = cycles.render(job, meshes).rgb
        again = jobs["reference"].replace(index=scene.index + OTHER_NOISE)
        found["reference"].append(psnr(cycles.render(again, meshes).rgb, pictures["reference"]))
        for preset in args.presets:
            found[preset].append(psnr(pictures[preset], pictures["reference"]))
    return {name: (values, watch.spent[f"{name}: render"] / args.images) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="PSNR and cost of the presets against a reference render")
    parser.add_argument("--recipes", nargs="+", default=list(built_in_recipes()))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--crop", type=size, default=(240, 180), metavar="WxH", help="part of each image to render")
    parser.add_argument("--reference", type=int, default=1024, help="samples per pixel of the reference")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    blender_quiet()
    rows = []
    for recipe in args.recipes:
        found = measure(args, recipe)
        full = found["reference"][1]
        for preset, (values, cost) in found.items():
            limit = f"≥ {LIMIT_DB:g} dB, ≤ {LIMIT_COST:g}" if preset == "standard" else ""
            settings = f"{preset}, {PRESETS.get(preset, args.reference)} spp"
            quality = (f"{np.mean(values):.1f}", f"{min(values):.1f}")
            rows.append((recipe, settings, *quality, f"{cost:.2f}", f"{cost / full:.3f}", limit))
    print(f"{args.images} images of each recipe, {args.size[0]}x{args.size[1]}, middle {args.crop[0]}x{args.crop[1]}")
    table(("recipe", "settings", "mean dB", "worst dB", "CPU s/image", "of reference", "limit"), rows)


if __name__ == "__main__":
    main()
