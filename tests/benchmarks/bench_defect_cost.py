"""What defects and twins cost: `python tests/benchmarks/bench_defect_cost.py --images 6`.

CPU seconds, from drawing the scene to the last file, of the same images of one recipe four times: without the key
`defects` (its noise threshold decides on samples), with it and a rate of 0 (a fixed number of samples, as sound images
of a dataset with defects have), with a defect on every object, and with its twin too. The four take turns in one
process, and what one has computed of a defect is forgotten before the next. Also counted: how often a Blender scene is
built, and how many pictures are rendered. Exit code 1 when defects add more than a tenth to what the same images cost
sound, or a twin needs a second build or more than one picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright import pipeline
from scenewright.assets import edges
from scenewright.assets.defects import damage, patch
from scenewright.datasets import folder as folders
from scenewright.scenes.load import load, recipe_from_dict
from scenewright.scenes.recipe import Recipe

LIMIT = 0.10
UNKEYED, SOUND, MARRED, TWINS = "without `defects`", "rate 0", "a defect on each object", "and its twin"
STAGES = (
    (pipeline, "sample", "draw the scene"),
    (pipeline, "meshes_of", "meshes"),
    (pipeline, "cast", "ray cast"),
    (pipeline, "label", "labels of objects"),
    (pipeline, "defect_labels", "labels of defects"),
    (pipeline, "compare_defects", "verification"),
)


def variants(name: str, options: list[str]) -> dict[str, Recipe]:
    """The recipe four times."""
    raw = load(name, options).model_dump(mode="json")
    usual = {**(raw["defects"] or {}), "count": 1}
    asked = {UNKEYED: None, SOUND: {"rate": 0.0, "twins": False}, MARRED: {"rate": 1.0, "twins": False},
             TWINS: {"rate": 1.0, "twins": True}}  # fmt: skip
    return {
        name: recipe_from_dict({**raw, "defects": more and {**usual, **more}}, None) for name, more in asked.items()
    }


def forget() -> None:
    """Empty the caches of what defects make of a mesh."""
    for cache in (damage._meshes, patch._layers, edges._known):
        cache.__init__(cache.limit_bytes, cache._size)  # type: ignore[misc]  # as new


def counted(module: Any, name: str, counts: Counter[str]) -> None:
    """Count the calls of `module.name`."""
    function: Callable[..., Any] = getattr(module, name)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        counts[name] += 1
        return function(*args, **kwargs)

    setattr(module, name, call)


def measure(args: argparse.Namespace) -> tuple[dict[str, Stopwatch], dict[str, Counter[str]], dict[str, list[float]]]:
    """Stages, calls, and CPU seconds of each image, by variant."""
    from scenewright.render import blender, label_scene, passes, probe
    from scenewright.render.engine import Engine

    recipes = variants(args.recipe, [f"render.size=[{args.size[0]}, {args.size[1]}]", f"render.preset={args.preset}",
                                     *args.set])  # fmt: skip
    engine, calls, now = Engine("cpu", args.threads), Counter[str](), Stopwatch()
    stages: dict[str, Stopwatch] = {name: Stopwatch() for name in recipes}
    for module, name in ((blender, "build"), (passes, "picture")):
        counted(module, name, calls)
    for module, name, stage in (*STAGES, (probe, "look", "small renders of the change"),
                                (blender, "build", "build in Blender"), (blender, "repair", "repair in Blender"),
                                (label_scene, "build", "label render"), (passes, "labels", "label render"),
                                (passes, "picture", "picture")):  # fmt: skip
        now.watch(module, name, stage)
    seconds, counts = defaultdict(list), {name: Counter[str]() for name in recipes}
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        infos = {}
        for name, recipe in recipes.items():
            out = Path(temporary) / name
            out.mkdir()
            infos[name] = folders.open_dataset(out, recipe, args.seed, args.images + 1, pipeline.versions())
        names = list(recipes)
        for n in range(args.images + 1):
            for k in range(len(names)):
                name = names[(n + k) % len(names)]
                forget()
                calls.clear()
                now.spent.clear()
                began = time.process_time()
                with now.stage("rest"):
                    pipeline.produce(recipes[name], infos[name], n, Path(temporary) / name, engine)
                if n:  # the first image pays for what Blender loads and compiles
                    seconds[name].append(time.process_time() - began)
                    counts[name].update(calls)
                    for stage, spent in now.spent.items():
                        stages[name].spent[stage] += spent
    return stages, counts, seconds


def main() -> int:
    """Print both tables; 1 beyond the limit."""
    parser = argparse.ArgumentParser(description="CPU cost of defects and of twins")
    parser.add_argument("--recipe", default="inspection")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    args = parser.parse_args()
    blender_quiet()
    stages, counts, seconds = measure(args)
    n, total = args.images, {name: sum(s) for name, s in seconds.items()}
    print(f"{n} images of {args.recipe}, {args.size[0]}x{args.size[1]}, {args.preset}; CPU s per image")
    names = sorted({s for watch in stages.values() for s in watch.spent}, key=lambda s: -stages[TWINS].spent[s])
    table(("stage", *stages), [(s, *(f"{w.spent[s] / n:.3f}" for w in stages.values())) for s in names])
    table(
        ("whole image", "CPU s", "of rate 0", "scenes built", "pictures"),
        [(name, f"{s / n:.3f}", f"{s / total[SOUND]:.3f}", counts[name]["build"] / n, counts[name]["picture"] / n)
         for name, s in total.items()],
    )  # fmt: skip
    each = sorted(m / s - 1 for m, s in zip(seconds[MARRED], seconds[SOUND], strict=True))
    adds = total[MARRED] / total[SOUND] - 1
    one_more = counts[TWINS]["picture"] <= counts[MARRED]["picture"] + n
    print(f"defects add {adds:.1%} (limit {LIMIT:.0%}), {each[0]:.1%} to {each[-1]:.1%} image by image; a twin adds "
          f"{(total[TWINS] - total[MARRED]) / total[SOUND]:.1%}")  # fmt: skip
    return 0 if adds <= LIMIT and one_more and counts[TWINS]["build"] == n else 1


if __name__ == "__main__":
    sys.exit(main())
