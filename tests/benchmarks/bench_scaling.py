"""What more workers bring, and what it costs to hand out images.

    python tests/benchmarks/bench_scaling.py

Scaling: the same images of `hardware` by one worker with one thread, by two such workers, and by two runs at once that
know nothing of each other, which is all that this machine's two cores can do: they share caches, memory and whatever
else lives on the host. Images per second while all are busy, since starting Blender is a cost of a run and not of an
image. Overhead: what a run of `render.engine: flat` takes beyond what its images take in their
workers, for each image, locally and on an embedded Ray cluster that is there already.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import scenewright as sw
from scenewright.farm.beats import heartbeats
from scenewright.farm.executors import Executor, Local
from scenewright.farm.on_ray import Ray, connected
from scenewright.scenes.recipe import Recipe

FLAT = """
name: flat
objects: {count: 2, assets: [{category: box, shape: box}]}
render: {engine: flat, size: [64, 48]}
"""
LEAST_SCALING, MOST_OVERHEAD_MS = 1.9, 20.0


def making(folder: Path, workers: int) -> float:
    """Images per second while all workers are busy: each has made its first one, and none has run out of images."""
    times = sorted(path.stat().st_mtime for path in (folder / "records").iterdir())
    first, last = workers - 1, len(times) - workers
    return (last - first) / (times[last] - times[first])


def run(recipe: Recipe, images: int, workers: int, folder: Path) -> float:
    """Images per second of a run."""
    sw.generate(recipe, images, folder, options=sw.Options(workers=workers, threads=1, device="cpu"))
    return making(folder, workers)


def scaling(images: int, rounds: int, place: Path) -> tuple[float, float]:
    """Two workers against one, and two runs at once that know nothing of each other against one: medians."""
    recipe = sw.load("hardware", ["render.preset=draft", "render.size=[320, 240]"])
    ratios, limits = [], []
    for k in range(rounds):
        one = run(recipe, images, 1, place / f"{k}-one")
        two = run(recipe, images, 2, place / f"{k}-two")
        with ThreadPoolExecutor(2) as pool:
            apart = sum(pool.map(lambda n, k=k: run(recipe, images, 1, place / f"{k}-apart-{n}"), range(2)))
        ratios.append(two / one)
        limits.append(apart / one)
        print(
            f"round {k + 1}: 1 worker {one:.3f} images/s, 2 workers {two:.3f}: × {ratios[-1]:.2f}; "
            f"two runs apart {apart:.3f}: × {limits[-1]:.2f}", flush=True,
        )  # fmt: skip
    return statistics.median(ratios), statistics.median(limits)


def overhead(name: str, images: int, executor: Executor, place: Path) -> float:
    """Milliseconds of a run for each image that neither a worker's start nor the making of an image takes."""
    folder = place / name
    (place / "flat.yaml").write_text(FLAT)
    began = time.monotonic()
    sw.generate(sw.load(place / "flat.yaml"), images, folder, options=sw.Options(workers=1), executor=executor)
    spent = time.monotonic() - began
    beats = [seen.beat for seen in heartbeats(folder)]
    busy, starting = sum(b.busy_s for b in beats), sum(b.starting_s for b in beats)
    slots = 1 if isinstance(executor, Local) else 2
    each = 1000 * max(0.0, spent - (busy + starting) / slots) / images
    print(
        f"{name}: {images} images in {spent:.1f} s; {busy:.1f} s in the making, {starting:.1f} s of starts, on {slots}"
    )
    print(f"{name}: {each:.1f} ms an image for handing out, opening, and the annotations at the end", flush=True)
    return each


def main() -> int:
    """Measure; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flat", type=int, default=300)
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="scenewright-scaling-"))
    try:
        times, most = scaling(asked.images, asked.rounds, place)
        print(f"two workers of one core against one: × {times:.2f} (at least {LEAST_SCALING}); two apart × {most:.2f}")
        local = overhead("local", asked.flat, Local(), place)
        began = time.monotonic()
        with connected("local"):
            print(f"ray: the embedded cluster started in {time.monotonic() - began:.1f} s, which counts for no image")
            ray = overhead("ray", asked.flat, Ray("local"), place)
    finally:
        shutil.rmtree(place)
    print(f"overhead: {local:.1f} ms locally, {ray:.1f} ms on Ray (at most {MOST_OVERHEAD_MS:g})")
    return int(times < LEAST_SCALING or max(local, ray) > MOST_OVERHEAD_MS)


if __name__ == "__main__":
    sys.exit(main())
