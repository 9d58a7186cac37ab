"""What the presets reach: PSNR of the 8-bit sRGB picture against 1024 samples per pixel, and their cost.

`python tests/benchmarks/bench_quality.py --images 4`. PSNR is 10·log10(255² / mean squared difference), over all
pixels and channels of an image, then averaged over the images. The reference has other noise and no threshold. It is
compared twice: after the same denoiser, so that what a denoiser does wrong at 1024 samples is not seen, and raw, where
its own noise counts too and no picture can come nearer than that noise. Cost is CPU seconds of all threads for the
beauty render alone. `--crop` renders only the middle of each image, where the objects are: the hardest part.
Exit code 1 when `standard` misses its limits in any recipe.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import cv2
import numpy as np
import numpy.typing as npt
from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.render import blender, engine, passes
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import built_in_recipes, load
from scenewright.scenes.sample import PRESETS, sample
from scenewright.scenes.scene import RenderSettings, Scene

LIMIT_DB, LIMIT_COST = 40.0, 0.1
Picture = npt.NDArray[np.uint8]  # (height, width, 3) sRGB
OTHER_NOISE = 1_000_000  # an index that no image here has: the noise follows the index


def psnr(a: Picture, b: Picture) -> float:
    """Decibels between two pictures; inf when they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * np.log10(255.0**2 / error) if error else np.inf


def middle(scene: Scene, crop: tuple[int, int]) -> Scene:
    """The same scene through the middle `crop` (width, height) pixels of its camera."""
    c = scene.camera
    moved = {"cx": c.cx - (c.width - crop[0]) / 2, "cy": c.cy - (c.height - crop[1]) / 2}
    return scene.replace(camera=c.model_copy(update={"width": crop[0], "height": crop[1], **moved}))


def at(scene: Scene, preset: str, **sampling: Any) -> Scene:
    """The same scene with other samples; view transform, look and exposure stay."""
    fixed = {"min_samples": 0, "noise_threshold": 0.0}
    given = scene.render.model_dump() | fixed | {"preset": preset} | sampling
    return scene.replace(render=RenderSettings(**given))


def undenoised(target: bpy.types.Scene, folder: Path) -> Picture:
    """The last render as it was before the denoiser, through the same view transform."""
    rgb = passes.channels(target, bpy.data.images["Render Result"], folder / "passes.exr")["Noisy Image"][..., :3]
    height, width = rgb.shape[:2]
    image = bpy.data.images.new("raw", width, height, float_buffer=True)
    image.pixels.foreach_set(np.insert(rgb[::-1], 3, 1.0, axis=2).ravel())  # RGBA, rows from the bottom
    settings = target.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    image.save_render(str(folder / "raw.png"), scene=target)
    bpy.data.images.remove(image)
    bgr = cv2.imread(str(folder / "raw.png"))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1])


def take(cycles: engine.Engine, scene: Scene, raw: bool) -> list[Picture]:
    """The picture of a scene, and without the denoiser where `raw` asks for it."""
    target = blender.build(scene, meshes_of(scene))
    cycles.configure(target)
    target.view_layers[0].cycles.denoising_store_passes = raw
    with tempfile.TemporaryDirectory() as folder:
        rgb, _ = passes.picture(target, Path(folder), False)
        return [rgb, undenoised(target, Path(folder))] if raw else [rgb]


def measure(args: argparse.Namespace, recipe: str) -> Iterator[tuple[str, float, float, float]]:
    """Of every image: the name of each preset, PSNR in dB (denoised, raw reference), cost over the reference's."""
    loaded = load(recipe, [f"render.size=[{args.size[0]}, {args.size[1]}]"])
    cycles, watch = engine.Engine("cpu"), Stopwatch()
    watch.watch(passes, "render", "{}: render")
    for index in range(args.first, args.first + args.images):
        scene = middle(sample(loaded, index, args.seed), args.crop or args.size)
        reference = at(scene.replace(index=index + OTHER_NOISE), "reference", samples=args.reference)
        watch.spent.clear()
        with watch.stage("reference"):
            references = take(cycles, reference, raw=True)
        full = watch.spent["reference: render"]
        for preset in args.presets:
            with watch.stage(preset):
                (rgb,) = take(cycles, at(scene, preset, **PRESETS[preset]), raw=False)
            cost, (smooth, raw) = watch.spent[f"{preset}: render"], (psnr(rgb, r) for r in references)
            said = f"{smooth:.2f} dB, {raw:.2f} against raw, {cost:.1f} of {full:.0f} CPU s"
            print(f"{recipe} {index} {preset}: {said}", file=sys.stderr)
            yield preset, smooth, raw, cost / full


def main() -> None:
    parser = argparse.ArgumentParser(description="PSNR and cost of the presets against a reference render")
    parser.add_argument("--recipes", nargs="+", default=list(built_in_recipes()))
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="index of the first image")
    parser.add_argument("--size", type=size, default=(320, 240), metavar="WxH")
    parser.add_argument("--crop", type=size, metavar="WxH", help="render this much of each image's middle")
    parser.add_argument("--reference", type=int, default=1024, help="samples per pixel of the reference")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    blender_quiet()
    rows, good = [], True
    for recipe in args.recipes:
        found = list(measure(args, recipe))
        for preset in args.presets:
            smooth, raw, cost = np.array([figures for name, *figures in found if name == preset]).T
            limit = f"≥ {LIMIT_DB:g} dB, ≤ {LIMIT_COST:g}" if preset == "standard" else ""
            good &= not limit or bool(np.mean(smooth) >= LIMIT_DB and np.mean(cost) <= LIMIT_COST)
            cells = (f"{np.mean(smooth):.1f}", f"{min(smooth):.1f}", f"{np.mean(raw):.1f}", f"{np.mean(cost):.3f}")
            rows.append((recipe, preset, *cells, limit))
    crop = f", middle {args.crop[0]}x{args.crop[1]}" if args.crop else ""
    print(f"{args.images} images of each recipe, {args.size[0]}x{args.size[1]}{crop}, against {args.reference} samples")
    table(("recipe", "preset", "mean dB", "worst dB", "raw, mean dB", "of reference's cost", "limit"), rows)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
