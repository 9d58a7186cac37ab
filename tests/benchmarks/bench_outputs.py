"""What each optional annotation of one image costs: `python tests/benchmarks/bench_outputs.py [--size 640x480]`.

CPU seconds, the best of three, for making it and for encoding its PNG, and the size of that, on image 0 of `hardware`
with the flat engine. For normals this is the ray engine's cost; Cycles gets them in its label render, whose cost with
and without is what `--cycles` measures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from common import blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.maps import encode
from scenewright.render.flat import FlatEngine
from scenewright.render.labels import label
from scenewright.render.maps import maps
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.outputs import MAPS
from scenewright.scenes.rays import cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings


def spent(work: Callable[[], Any]) -> float:
    """CPU seconds of the fastest of three calls."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU cost of the optional annotations of one image")
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--cycles", action="store_true", help="also the label render with and without normals")
    args = parser.parse_args()
    blender_quiet()
    scene = sample(load("hardware", [f"render.size=[{args.size[0]}, {args.size[1]}]"]), 0)
    meshes = meshes_of(scene)
    frame = FlatEngine().render(scene.replace(outputs=tuple(sorted(MAPS))), meshes)
    rays = cast(scene, meshes)
    instances = label(scene, meshes, frame.ids, rays)
    rows = []
    for output in sorted(MAPS):
        asked = scene.replace(outputs=(output,))
        made = maps(asked, meshes, frame, instances)
        extra = spent(lambda: cast(scene, meshes, triangles=True)) - spent(lambda: cast(scene, meshes))
        making = spent(lambda s=asked: maps(s, meshes, frame, instances))  # type: ignore[misc]  # s is bound now
        making += max(extra, 0.0) if output == "normals" else 0.0
        files = {name: encode(name, stored) for name, stored in made.items()}
        coding = spent(lambda m=made: [encode(name, stored) for name, stored in m.items()])  # type: ignore[misc]
        rows.append((output, f"{making:.3f}", f"{coding:.3f}", f"{sum(map(len, files.values())) / 1024:.0f}"))
    boxed = scene.replace(outputs=("boxes3d",))
    plain, both = (spent(lambda s=s: label(s, meshes, frame.ids, rays)) for s in (scene, boxed))  # type: ignore[misc]
    rows.append(("boxes3d", f"{max(both - plain, 0.0):.3f}", "-", "-"))
    print(f"{len(scene.objects)} objects, {args.size[0]}x{args.size[1]}")
    table(("output", "CPU s", "PNG CPU s", "kB"), rows)
    if args.cycles:
        from scenewright.render import engine, passes

        cycles, costs = engine.Engine("cpu"), []
        quick = scene.replace(render=RenderSettings(samples=1, denoise=False))
        original = passes.labels

        def timed(*given: Any) -> Any:
            start = time.process_time()
            result = original(*given)
            costs.append(time.process_time() - start)
            return result

        passes.labels = timed  # type: ignore[assignment]  # a stopwatch around it
        for outputs in ((), ("normals",)) * 3:
            cycles.render(quick.replace(outputs=outputs), meshes)
        print(f"label render: {min(costs[::2]):.3f} CPU s, with normals {min(costs[1::2]):.3f} CPU s")


if __name__ == "__main__":
    main()
