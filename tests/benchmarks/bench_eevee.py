"""EEVEE against Cycles: seconds of an image, and how far its picture is from a long Cycles render of the same scene.

`python tests/benchmarks/bench_eevee.py --device optix --size 640x480 --images 4`. Seconds are wall-clock time of a
whole frame: the scene's build, the picture, and the labels, which are the same for both. The first image of an engine,
which compiles kernels or shaders, is told apart. PSNR is 10·log10(255² / mean squared difference) of the 8-bit
picture, SSIM the structural similarity of its grey values (Wang et al. 2004, Gaussian window of 1.5 px); light is the
mean linear radiance over the reference's. `--out` keeps the pictures, the reference left. Labels of both engines must
be equal: exit code 1 when they are not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from common import blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.errors import ScenewrightError
from scenewright.pipeline import Engine, engine_for
from scenewright.render.frame import Frame
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings, Scene

Picture = npt.NDArray[np.uint8]  # (height, width, 3) sRGB
OTHER_NOISE = 1_000_000  # an index that no image here has: Cycles' noise follows the index
#: SSIM's two constants, for values from 0 to 255.
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Picture, b: Picture) -> float:
    """Decibels between two pictures; inf when they are equal."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return 10 * np.log10(255.0**2 / error) if error else np.inf


def ssim(a: Picture, b: Picture) -> float:
    """Mean structural similarity of two pictures' grey values, 1 when they are equal."""
    x, y = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (a, b))

    def mean(values: npt.NDArray[np.float64]) -> Any:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, xy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    return float(np.mean((2 * mx * my + C1) * (2 * xy + C2) / ((mx**2 + my**2 + C1) * (vx + vy + C2))))


def shot(engine: Engine, scene: Scene) -> tuple[Frame, float]:
    """The frame of a scene, and the wall-clock seconds that it took."""
    meshes, began = meshes_of(scene), time.perf_counter()
    frame = engine.render(scene, meshes, linear=True)
    return frame, time.perf_counter() - began


def same_labels(a: Frame, b: Frame) -> bool:
    """Whether ids, stuff and depth are equal, bit for bit."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("ids", "stuff", "depth_m"))


def scenes(args: argparse.Namespace, engine: str, preset: str) -> list[Scene]:
    """The scenes of all recipes, as that engine renders them."""
    given = [f"render.size=[{args.size[0]}, {args.size[1]}]", f"render.engine={engine}", f"render.preset={preset}"]
    recipes: list[Recipe] = [load(name, given) for name in args.recipes]
    return [sample(recipe, args.first + k, args.seed) for recipe in recipes for k in range(args.images)]


def reference(scene: Scene, samples: int) -> Scene:
    """The same scene with many samples everywhere, and other noise."""
    view = {name: getattr(scene.render, name) for name in ("view_transform", "look", "exposure_ev", "white_balance_k",
                                                           "white_balance_tint")}  # fmt: skip
    return scene.replace(index=scene.index + OTHER_NOISE, render=RenderSettings(samples=samples, **view))


def rows(args: argparse.Namespace, name: str, references: Sequence[Frame]) -> tuple[list[tuple[str, ...]], bool]:
    """A line of figures for each preset of an engine, and whether its labels are those of the references."""
    engine, good = engine_for(name, args.device, None), True
    out: list[tuple[str, ...]] = []
    for preset in args.presets:
        found = [shot(engine, scene) for scene in scenes(args, name, preset)]
        frames, spent = [frame for frame, _ in found], [seconds for _, seconds in found]
        good &= all(same_labels(a, b) for a, b in zip(frames, references, strict=True))
        pairs = list(zip(frames, references, strict=True))
        light = [f.linear.mean() / r.linear.mean() for f, r in pairs if f.linear is not None and r.linear is not None]
        decibels = [psnr(f.rgb, r.rgb) for f, r in pairs]
        out.append((
            engine.device, preset, f"{spent[0]:.2f}", f"{np.mean(spent[1:] or spent):.3f}", f"{np.mean(decibels):.1f}",
            f"{min(decibels):.1f}", f"{np.mean([ssim(f.rgb, r.rgb) for f, r in pairs]):.3f}", f"{np.mean(light):.2f}",
        ))  # fmt: skip
        print(" ".join(out[-1]), file=sys.stderr, flush=True)
        for k, (f, r) in enumerate(pairs) if args.out else ():
            both = np.hstack([r.rgb, f.rgb])[..., ::-1]
            cv2.imwrite(str(args.out / f"{args.recipes[k // args.images]}{k % args.images}_{name}_{preset}.png"), both)
    return out, good


def main() -> None:
    parser = argparse.ArgumentParser(description="seconds of an image and its quality, EEVEE against Cycles")
    parser.add_argument("--recipes", nargs="+", default=["hardware", "tabletop", "bin"])
    parser.add_argument("--engines", nargs="+", default=["cycles", "eevee"], choices=["cycles", "eevee"])
    parser.add_argument("--presets", nargs="+", default=["fast", "standard"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=2, help="of each recipe")
    parser.add_argument("--first", type=int, default=0, help="index of the first image")
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--reference", type=int, default=512, help="samples per pixel of the reference, by Cycles")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for pictures")
    args = parser.parse_args()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    blender_quiet()
    cycles = engine_for("cycles", args.device, None)
    references = [shot(cycles, reference(s, args.reference))[0] for s in scenes(args, "cycles", "standard")]
    lines, good = [], True
    for name in args.engines:
        try:
            found, same = rows(args, name, references)
        except ScenewrightError as e:
            found, same = [(name, str(e), *[""] * 6)], False
        lines += found
        good &= same
    print(f"{args.images} images of {', '.join(args.recipes)}, {args.size[0]}x{args.size[1]}, against {args.reference} "
          f"samples of {cycles.device}; labels {'equal' if good else 'DIFFER'}")  # fmt: skip
    head = ("device", "preset", "first, s", "s per image", "mean dB", "worst dB", "SSIM", "light")
    table(head, lines)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
