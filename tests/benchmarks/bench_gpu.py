"""Images per second on GPUs beside a bare bpy loop, and what labels cost there.

`python tests/benchmarks/bench_gpu.py --out gpu.json` takes CUDA and OptiX on a machine with an NVIDIA GPU; on one
without, `--device cpu --size 160x120 --preset draft --seconds-per-case 10` tries all of it. `--device eevee` stands for
EEVEE, on whatever renders OpenGL. For every device:

- first use: seconds of the first render in a process, in which the driver may compile the kernels, beside the next;
- bare bpy loop: one process that builds and renders the pictures and has Blender write its PNG, and does nothing else;
- stages: the same scenes in the same process through the whole pipeline, in wall-clock seconds;
- `scenewright generate` with 1, 2, … workers on that GPU: records per second from the moment when every worker has
  made its first one, until the time is used. Start-up is given apart.

No case runs longer than its seconds after the start, and no case begins once `--total-seconds` are used. A first use
that compiles takes `--start-limit` at most: for a GPU that Blender brings no machine code for, that is many minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import Stopwatch, blender_quiet, size, table  # type: ignore[import-not-found]  # beside this script

ANSWER = "bench-gpu:"
SAMPLING, RENDER, BUILD, REST = "sample the scene", "Cycles, picture", "build in Blender", "rest"
LABELS = "label render"
#: What a bare loop has too; whatever else the pipeline does is the cost of labels.
SHARED = (SAMPLING, RENDER, BUILD, REST)


class Usage:
    """Mean utilisation in percent and the most memory in MiB of the GPUs that `nvidia-smi` shows while it is open."""

    QUERY = ("--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits")
    EVERY_S = 0.5

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(shutil.which("nvidia-smi"),), daemon=True)

    @property
    def result(self) -> dict[str, float]:
        """`gpu_percent` and `gpu_mib`; empty where no tool says anything."""
        if not self._seen:
            return {}
        busy, memory = zip(*self._seen, strict=True)
        return {"gpu_percent": sum(busy) / len(busy), "gpu_mib": max(memory)}

    def __enter__(self) -> Usage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(10)

    def _look(self, tool: str | None) -> None:
        while tool and not self._closed.wait(self.EVERY_S):
            told = subprocess.run([tool, *self.QUERY], stdout=subprocess.PIPE, text=True, check=False).stdout
            cells = [[cell.strip() for cell in line.split(",")] for line in told.splitlines()]
            self._seen += [(float(u), float(m)) for u, m in cells if u.isdecimal() and m.isdecimal()]


def loops(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """In a process of its own: first use, the bare loop and the pipeline, in turns over the same scenes."""
    import bpy

    from scenewright import pipeline
    from scenewright.datasets import folder as folders
    from scenewright.render import blender, label_scene, passes
    from scenewright.scenes.build import meshes_of
    from scenewright.scenes.load import load
    from scenewright.scenes.sample import sample

    recipe = load(args.recipe, overrides(args, device))
    ours, plain = Stopwatch(time.perf_counter), Stopwatch(time.perf_counter)
    for watch in (ours, plain):
        watch.watch(blender, "build", BUILD)
        watch.watch(blender, "clear", BUILD)
    for module, name, stage in (
        (passes, "labels", LABELS), (label_scene, "build", LABELS), (passes, "picture", RENDER),
        (pipeline, "cast", "ray cast"), (pipeline, "label", "labels, RLE"), (pipeline, "compare", "verification"),
        (pipeline, "encode_rgb", "encode"), (pipeline, "encode_depth", "encode"), (pipeline, "encode_ids", "encode"),
        (pipeline, "pixels_sha256", "encode"), (pipeline, "commit", "write files"), (pipeline, "store", "record"),
    ):  # fmt: skip
        ours.watch(module, name, stage)
    engine: Any = pipeline.engine_for(recipe.render.engine, cycles_device(device), None)

    def bare(scene: Any, path: Path) -> None:
        target = blender.build(scene, meshes_of(scene))
        engine.configure(target)
        target.render.image_settings.file_format, target.render.image_settings.color_mode = "PNG", "RGB"
        target.render.filepath = str(path)
        with plain.stage(RENDER):
            bpy.ops.render.render(scene=target.name, write_still=True)
        blender.clear()

    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        out = Path(temporary) / "dataset"
        out.mkdir()
        picture, first = Path(temporary) / "bare.png", sample(recipe, 0, 0)
        start = time.perf_counter()
        bare(first, picture)
        first_s = time.perf_counter() - start
        print(f"{device}: first render {first_s:.1f} s", file=sys.stderr, flush=True)
        start = time.perf_counter()
        bare(first, picture)
        again_s = time.perf_counter() - start
        info = folders.open_dataset(out, recipe, 0, 1_000_000, pipeline.versions())
        pipeline.produce(recipe, info, 0, Path(temporary) / "warm", engine)
        plain.spent.clear()
        images, until = 0, time.perf_counter() + args.seconds_per_case
        with Usage() as usage:
            while time.perf_counter() < until or not images:
                with ours.stage(SAMPLING):
                    scene = sample(recipe, images, 0)
                with ours.stage(REST):
                    meshes = meshes_of(scene)
                    pipeline.store(scene, meshes, engine.render(scene, meshes), info, out, engine.device)
                with plain.stage(REST):
                    bare(scene, picture)
                images += 1
    told = {"device": engine.device, "first_s": first_s, "again_s": again_s, "images": images}
    return {**told, "ours": dict(ours.spent), "bare": dict(plain.spent), **usage.result}


def in_child(args: argparse.Namespace, device: str) -> dict[str, Any]:
    """`loops` in a child process, which a GPU's driver may take down with it."""
    command = [sys.executable, __file__, "--child", device, *passed_on(args)]
    limit = args.start_limit + 3 * args.seconds_per_case
    try:
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {limit:.0f} s"}
    for line in child.stdout.splitlines():
        if line.startswith(ANSWER):
            answer: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
            return answer
    return {"error": f"ended with {child.returncode} and no result"}


def passed_on(args: argparse.Namespace) -> list[str]:
    """The arguments that a child needs too."""
    named = {"--recipe": args.recipe, "--preset": args.preset, "--size": f"{args.size[0]}x{args.size[1]}",
             "--seconds-per-case": str(args.seconds_per_case)}  # fmt: skip
    return [text for pair in named.items() for text in pair]


def overrides(args: argparse.Namespace, device: str) -> list[str]:
    """The recipe's changes."""
    engine = ["render.engine=eevee"] if device == "eevee" else []
    return [f"render.size=[{args.size[0]}, {args.size[1]}]", f"render.preset={args.preset}", *engine]


def cycles_device(device: str) -> str:
    """What `--device` of a command gets."""
    return "auto" if device == "eevee" else device


@contextmanager
def generating(args: argparse.Namespace, device: str, workers: int, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`scenewright generate` of more images than there is time for; stopped at the end as a user would stop it."""
    command = [
        sys.executable, "-P", "-m", "scenewright", "generate", args.recipe, "--out", str(out), "--count", "100000",
        "--device", cycles_device(device), "--workers", str(workers), "--grace", "2",
        *(part for change in overrides(args, device) for part in ("--set", change)),
    ]  # fmt: skip
    with (out.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def generate(args: argparse.Namespace, device: str, workers: int) -> dict[str, Any]:
    """Records per second of `workers` processes once all of them work, and the seconds until then."""
    with tempfile.TemporaryDirectory(prefix="scenewright-") as temporary:
        out = Path(temporary) / "dataset"
        start = time.monotonic()
        with generating(args, device, workers, out) as process:
            warm = 0
            while warm < 2 * workers and process.poll() is None and time.monotonic() - start < args.start_limit:
                time.sleep(0.01)
                warm = count(out)
            began = time.monotonic()
            if warm < 2 * workers:
                return {"error": f"no start in {began - start:.0f} s: " + (out.parent / "log").read_text()[-600:]}
            with Usage() as usage:
                last, seen = began, warm
                while time.monotonic() - began < args.seconds_per_case and process.poll() is None:
                    time.sleep(0.01)
                    if (now := count(out)) > seen:
                        last, seen = time.monotonic(), now
        images = seen - warm
        rate = images / (last - began) if images else 0.0
        return {"images": images, "per_s": rate, "start_s": began - start, **usage.result}


def count(folder: Path) -> int:
    """How many images are finished."""
    records = folder / "records"
    return sum(1 for _ in records.rglob("*.json")) if records.is_dir() else 0


def caches() -> dict[str, int]:
    """Bytes in the folders where NVIDIA's driver keeps compiled kernels."""
    user = os.environ.get("USER") or "root"
    places = {
        "CUDA": Path(os.environ.get("CUDA_CACHE_PATH", Path.home() / ".nv" / "ComputeCache")),
        "OptiX": Path(os.environ.get("OPTIX_CACHE_PATH", f"/var/tmp/OptixCache_{user}")),
    }
    return {name: sum(p.stat().st_size for p in place.rglob("*") if p.is_file()) for name, place in places.items()}


def gpus() -> list[str]:
    """What `nvidia-smi` says is here."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader"]
    return subprocess.run(query, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All cases; each is printed as it ends, and written to `--out`."""
    deadline = time.monotonic() + args.total_seconds
    found: dict[str, Any] = {
        "gpus": gpus(), "cores": os.cpu_count(), "python": platform.python_version(), "recipe": args.recipe,
        "preset": args.preset, "size": args.size, "seconds_per_case": args.seconds_per_case, "devices": {},
    }  # fmt: skip
    for device in args.device:
        case: dict[str, Any] = {"caches_before": caches()}
        found["devices"][device] = case
        for name in ("loops", *(f"generate {n}" for n in args.workers)):
            if time.monotonic() > deadline:
                case[name] = {"error": f"skipped: the {args.total_seconds:.0f} s of --total-seconds are used"}
            elif name == "loops":
                case[name] = in_child(args, device)
            else:
                case[name] = generate(args, device, int(name.split()[1]))
            if name == "loops":
                case["caches_after"] = caches()
            print(f"{device}, {name}: {json.dumps(case[name])}", file=sys.stderr, flush=True)
            if args.out:
                args.out.write_text(json.dumps(found, indent=1))
    return found


def report(found: dict[str, Any]) -> None:
    """The tables; why a case has no number was printed as it ended."""
    width, height = found["size"]
    print(f"{found['recipe']}, {found['preset']}, {width}x{height}, {found['cores']} cores")
    print("; ".join(found["gpus"]) or "no NVIDIA GPU")
    rates, stages = [], []
    for device, case in found["devices"].items():
        loop = case["loops"]
        base = 0.0
        if "error" in loop:
            rates.append((device, "bare bpy loop", "none", "", "", "", ""))
        else:
            base = loop["images"] / sum(loop["bare"].values())
            whole = sum(loop["ours"].values())
            rates.append((device, "bare bpy loop", f"{base:.3f}", "1.00", *usage(loop), ""))
            own = loop["images"] / whole
            rates.append((device, "pipeline, the same process", f"{own:.3f}", f"{own / base:.2f}", *usage(loop), ""))
            first = f"{loop['first_s']:.2f} s, then {loop['again_s']:.2f} s"
            grown = {k: case["caches_after"][k] - v for k, v in case["caches_before"].items()}
            print(f"{loop['device']}: first render {first}; kernel caches grew by {grown} bytes")
            stages += [(device, *row) for row in shares(loop)]
        for name, result in case.items():
            if not name.startswith("generate"):
                continue
            if "error" in result:
                rates.append((device, name, "none", "", "", "", ""))
                continue
            ratio = f"{result['per_s'] / base:.2f}" if base else ""
            start = f"{result['start_s']:.1f}"
            rates.append((device, name, f"{result['per_s']:.3f}", ratio, *usage(result), start))
    table(("device", "case", "images/s", "of bare", "GPU %", "GPU MiB", "start s"), rates)
    table(("device", "stage", "s/image", "share"), stages)


def usage(result: dict[str, Any]) -> tuple[str, str]:
    """Two cells of the table."""
    return tuple(f"{result[k]:.0f}" if k in result else "" for k in ("gpu_percent", "gpu_mib"))  # type: ignore[return-value]  # two keys


def shares(loop: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Seconds per image of every stage of the pipeline, and its share; then all that labels add, and the bare loop."""
    images, whole = loop["images"], sum(loop["ours"].values())
    rows = sorted(loop["ours"].items(), key=lambda row: -row[1])
    labels = sum(s for stage, s in rows if stage not in SHARED)
    bare = sum(loop["bare"].values())
    rows += [("all that labels add", labels), ("whole", whole), ("bare loop", bare)]
    return [(stage, f"{s / images:.4f}", f"{s / whole:.1%}") for stage, s in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description="images per second on GPUs, and what labels cost there")
    parser.add_argument("--recipe", default="hardware")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--size", type=size, default=(640, 480), metavar="WxH")
    parser.add_argument("--device", action="append", help="repeatable; default: cuda and optix")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seconds-per-case", type=float, default=20.0)
    parser.add_argument("--total-seconds", type=float, default=420.0, help="no case begins after so long")
    parser.add_argument(
        "--start-limit", type=float, default=1800.0, help="seconds for the first render, kernels compiled included"
    )
    parser.add_argument("--out", type=Path, help="JSON file, written after every case")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        blender_quiet()
        print(ANSWER + json.dumps(loops(args, args.child)))
        return
    args.device = args.device or ["cuda", "optix"]
    report(measure(args))


if __name__ == "__main__":
    main()
