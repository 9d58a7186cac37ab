"""Memory of one render process over many images: `python tests/benchmarks/check_memory.py --images 300`.

The process tells its resident memory with every answer. Growth is counted from the median of the images just after the
first few, which load what Blender loads once, to the median of the last ones. Exit code 1 beyond the limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import size, table  # type: ignore[import-not-found]  # beside this script

from scenewright.datasets.folder import open_dataset
from scenewright.farm.render_worker import MODULE
from scenewright.pipeline import versions
from scenewright.render.worker import Worker
from scenewright.scenes.load import load

LIMIT_MB = 100


def resident_mb(args: argparse.Namespace, folder: Path) -> Iterator[float]:
    """MB of resident memory after every image; the process is never recycled."""
    options = [f"render.size=[{args.size[0]}, {args.size[1]}]", f"render.preset={args.preset}"]
    open_dataset(folder, load(args.recipe, options), args.seed, args.images, versions())
    worker = Worker(MODULE, {"kind": "dataset", "folder": str(folder), "device": "cpu", "threads": None})
    try:
        answer = worker.receive()
        for index in range(args.images):
            if answer is not None:
                worker.send({"index": index})
                answer = worker.receive()
            if answer is None or answer["status"] == "fatal":
                raise SystemExit(worker.post_mortem() if answer is None else answer["reason"])
            yield answer["rss"] / 1e6
    finally:
        worker.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Growth of one render process over many images")
    parser.add_argument("--recipe", default="hardware")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=size, default=(64, 48), metavar="WxH")
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scenewright-") as folder:
        rss = list(resident_mb(args, Path(folder)))
    window = max(1, len(rss) // 10)
    early, late = statistics.median(rss[window : 2 * window] or rss), statistics.median(rss[-window:])
    marks = sorted({0, window, len(rss) // 2, len(rss) - 1})
    table(("image", "resident MB"), [(k, f"{rss[k]:.0f}") for k in marks])
    table(
        ("result", "MB", "limit"),
        [("growth", f"{late - early:.0f}", LIMIT_MB), ("growth, first image included", f"{late - rss[0]:.0f}", "")],
    )
    sys.exit(0 if late - early <= LIMIT_MB else 1)


if __name__ == "__main__":
    main()
