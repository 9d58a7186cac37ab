"""Labels of one crowded image: `python tests/benchmarks/bench_labels.py --objects 300`.

CPU seconds of all threads for all that makes labels: the label render (ids and depth by Cycles), the ray cast (the
second witness of the same ids, and the amodal masks), boxes, RLE, poses, key points, and the comparison of both.
`--rays` leaves Cycles out, for a look at the rest without Blender. Exit code 1 beyond the limit.
"""

from __future__ import annotations

import argparse
import sys

from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.assets.mesh import Mesh
from scenewright.render.frame import Frame
from scenewright.render.labels import compare, label
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import load
from scenewright.scenes.rays import cast
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import RenderSettings, Scene

LIMIT_S = 3.0


def crowd(objects: int, image: tuple[int, int]) -> Scene:
    """Parts of the `hardware` recipe on an area that grows with their number, all in view."""
    side = 0.045 * objects**0.5
    options = [
        f"render.size=[{image[0]}, {image[1]}]", f"objects.count={objects}", "camera.focal_mm=50",
        f"placement.area=[{1.2 * side:.3f}, {0.9 * side:.3f}]", "placement.density=uniform",
        f"camera.distance={2.0 * side:.3f}", "camera.elevation_deg=55", "camera.azimuth_deg=270",
    ]  # fmt: skip
    return sample(load("hardware", options), 0, 0)


def label_render(watch: Stopwatch, scene: Scene, meshes: dict[int, Mesh]) -> Frame:
    """Render the scene with one sample; only what comes after the picture is charged."""
    from scenewright.render import engine, label_scene, passes

    cycles = engine.Engine("cpu")
    for module, name in ((label_scene, "build"), (passes, "labels")):
        watch.watch(module, name, "label render")
    with watch.stage("picture"):
        frame = cycles.render(scene.replace(render=RenderSettings(samples=1, denoise=False)), meshes)
    del watch.spent["picture"]
    return frame


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU cost of all labels of one crowded image")
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--rays", action="store_true", help="without the label render, which needs bpy")
    args = parser.parse_args()
    blender_quiet()
    watch = Stopwatch()
    with watch.stage("sampling"):
        scene = crowd(args.objects, args.size)
        meshes = meshes_of(scene)
    sampling = watch.spent.pop("sampling")
    ids = None if args.rays else label_render(watch, scene, meshes).ids
    with watch.stage("ray cast"):
        view = cast(scene, meshes)
    with watch.stage("boxes, RLE, amodal masks"):
        labels = label(scene, meshes, view.ids if ids is None else ids, view)
    with watch.stage("comparison"):
        verdict = compare(view.ids if ids is None else ids, view.ids)
    faces = sum(len(m.faces) for m in meshes.values())
    seen = sum(i.area > 0 for i in labels)
    print(f"{args.objects} objects ({seen} visible), {faces:,} triangles, {args.size[0]}x{args.size[1]}")
    table(
        ("stage", "CPU s"),
        [
            *((k, f"{s:.3f}") for k, s in watch.spent.items()),
            ("(sampling the scene)", f"{sampling:.1f}"),
            *([] if args.rays else [("engines agree in", f"{verdict.agreement:.4%}")]),
        ],
    )
    name = "labels of one image" + (", without the label render" if args.rays else "")
    total = sum(watch.spent.values())
    table(("result", "CPU s", "limit"), [(name, f"{total:.2f}", f"{LIMIT_S:g}")])
    sys.exit(0 if total <= LIMIT_S else 1)


if __name__ == "__main__":
    main()
