"""What exact labels cost: CPU seconds beside a bare bpy loop that renders the same scenes to PNG in the same process.

`python tests/benchmarks/bench_cost.py --images 8 --repeats 2`. Both loops take the same sampled scenes and meshes,
build them with the same code and render with the same settings; they alternate, so a busy machine hurts both alike.
The share is the sum of the stages that the bare loop does not have, its own PNG writing not taken off. The difference
of the whole loops is printed too; it carries the noise of two long renders. Exit code 1 beyond the limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import bpy
from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright import pipeline
from scenewright.datasets import folder as folders
from scenewright.render import blender, engine, label_scene, passes
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene

LIMIT = 0.05
READ, LABELS = "picture: out of Blender", "label render: scene, out of Blender"
STAGES = (
    (passes, "picture", READ),
    (passes, "labels", LABELS),
    (passes, "render", "{}: Cycles"),
    (blender, "build", "build in Blender"),
    (label_scene, "build", LABELS),
    (blender, "clear", "build in Blender"),
    (pipeline, "cast", "ray cast"),
    (pipeline, "label", "labels, RLE"),
    (pipeline, "compare", "verification"),
    (pipeline, "encode_rgb", "encode PNG, picture"),
    (pipeline, "encode_depth", "encode PNG, depth"),
    (pipeline, "encode_ids", "encode PNG, ids"),
    (pipeline, "pixels_sha256", "hashes"),
    (pipeline, "labels_sha256", "hashes"),
    (pipeline, "scene_sha256", "hashes"),
    (pipeline, "commit", "write files"),
    (pipeline, "store", "record"),
    (folders, "export", "COCO"),
)
#: Stages that the bare loop has too.
SHARED = (f"{READ}: Cycles", "build in Blender", "rest")


def bare(cycles: engine.Engine, scene: Scene, path: Path) -> None:
    """What somebody would write who wants pictures only."""
    target = blender.build(scene, meshes_of(scene))
    cycles.configure(target)  # the same device and threads
    target.render.image_settings.file_format, target.render.image_settings.color_mode = "PNG", "RGB"
    target.render.filepath = str(path)
    bpy.ops.render.render(scene=target.name, write_still=True)
    blender.clear()


def measure(args: argparse.Namespace) -> tuple[dict[str, float], float, int]:
    """CPU seconds by stage of this project's loop, of the bare loop, and the number of images in either."""
    width, height = args.size
    options = [f"render.size=[{width}, {height}]", f"render.preset={args.preset}", f"objects.count={args.objects}"]
    recipe = load(args.recipe, options)
    scenes = [sample(recipe, i, args.seed) for i in range(args.images)]
    cycles = engine.Engine("cpu")
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        folder = Path(temporary)
        bare(cycles, scenes[0], folder / "warm.png")  # compiles and loads what the first render would pay for
        ours, plain = Stopwatch(), Stopwatch()
        for module, name, stage in STAGES:
            ours.watch(module, name, stage)
        for repeat in range(args.repeats):
            out = folder / f"dataset {repeat}"
            out.mkdir()
            info = folders.open_dataset(out, recipe, args.seed, args.images, pipeline.versions())
            for scene in scenes:
                with ours.stage("rest"):
                    pipeline.store(scene, meshes_of(scene), cycles.render(scene, meshes_of(scene)), info, out, "cpu")
                with plain.stage("bare"):
                    bare(cycles, scene, folder / f"{scene.index}.png")
            with ours.stage("rest"):
                folders.export(out, info)
    return dict(ours.spent), plain.spent["bare"], args.images * args.repeats


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU cost of labels beside a bare bpy loop")
    parser.add_argument("--recipe", default="hardware")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--objects", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    blender_quiet()
    spent, plain, images = measure(args)
    extra = {stage: s for stage, s in spent.items() if stage not in SHARED}
    both = [(stage, s) for stage, s in spent.items() if stage in SHARED]
    rows = both + sorted(extra.items(), key=lambda row: -row[1])
    print(f"{images} images of {args.recipe}, {args.size[0]}x{args.size[1]}, {args.preset}, {args.objects} objects")
    table(
        ("stage", "CPU s/image", "of bare loop"),
        [(stage, f"{s / images:.4f}", "" if stage in SHARED else f"{s / plain:.2%}") for stage, s in rows],
    )
    total, whole = sum(extra.values()), sum(spent.values())
    table(
        ("result", "CPU s/image", "of bare loop", "limit"),
        [
            ("bare bpy loop", f"{plain / images:.3f}", "", ""),
            ("all that labels add", f"{total / images:.3f}", f"{total / plain:.2%}", f"{LIMIT:.0%}"),
            ("whole loop minus bare loop", f"{(whole - plain) / images:.3f}", f"{whole / plain - 1:.2%}", ""),
        ],
    )
    sys.exit(0 if total <= LIMIT * plain else 1)


if __name__ == "__main__":
    main()
