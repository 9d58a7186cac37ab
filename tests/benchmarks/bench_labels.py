"""Labels of one crowded image: `python tests/benchmarks/bench_labels.py --objects 300`.

CPU seconds of all threads for everything that the ray engine and `render.labels` do: visible and amodal masks, RLE,
boxes, depth, poses, key points. `--cycles` adds the label render, which is the second witness of the same ids.
"""

from __future__ import annotations

import argparse

from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.assets.mesh import Mesh
from scenewright.render.labels import compare, label
from scenewright.render.rle import encode_ids
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


def label_render(watch: Stopwatch, scene: Scene, meshes: dict[int, Mesh]) -> tuple[str, str]:
    """Render the scene with one sample, charge the label part alone; what `compare` says to its ids."""
    from scenewright.render import engine

    cycles = engine.Engine("cpu")
    one = scene.replace(render=RenderSettings(samples=1, denoise=False))
    watch.watch(engine, "_labels", "label render")
    with watch.stage("beauty render"):
        frame = cycles.render(one, meshes)
    del watch.spent["beauty render"]
    verdict = compare(frame.ids, cast(scene, meshes).ids)
    return "engines agree in", f"{verdict.agreement:.4%}"


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU cost of all labels of one crowded image")
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--cycles", action="store_true", help="render the label image too (needs bpy)")
    args = parser.parse_args()
    blender_quiet()
    watch = Stopwatch()
    with watch.stage("sampling"):
        scene = crowd(args.objects, args.size)
        meshes = meshes_of(scene)
    sampling = watch.spent.pop("sampling")
    with watch.stage("ray cast"):
        view = cast(scene, meshes)
    with watch.stage("labels"):
        labels = label(scene, meshes, view.ids, view)
    total = sum(watch.spent.values())
    with watch.stage("  of which RLE of visible masks"):
        encode_ids(view.ids)
    verdict = [label_render(watch, scene, meshes)] if args.cycles else []
    faces = sum(len(m.faces) for m in meshes.values())
    seen = sum(i.area > 0 for i in labels)
    print(f"{args.objects} objects ({seen} visible), {faces:,} triangles, {args.size[0]}x{args.size[1]}")
    table(
        ("stage", "CPU s"),
        [*((k, f"{s:.3f}") for k, s in watch.spent.items()), ("(sampling the scene)", f"{sampling:.1f}"), *verdict],
    )
    table(("result", "CPU s", "limit"), [("labels of one image", f"{total:.2f}", f"{LIMIT_S:g}")])


if __name__ == "__main__":
    main()
