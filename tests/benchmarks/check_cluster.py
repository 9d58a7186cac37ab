"""A Ray cluster of three nodes on this machine renders with Cycles while nodes, workers and drivers are killed.

Prints what was killed, and whether the dataset is byte for byte that of a single process and each image was rendered
once; ends with 1 if not.

    python tests/benchmarks/check_cluster.py --out out/cluster
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import scenewright as sw
from tests.cluster import Harm, run_under_fire
from tests.commands import content

RECIPE = ("hardware", "--preset", "draft", "--size", "160x120", "--device", "cpu")
CHANGES = ("render.preset=draft", "render.size=[160, 120]")


def main() -> int:
    """Run it; 1 when a byte differs, or an image was rendered more than once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/cluster"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims")
    asked = parser.parse_args()
    shutil.rmtree(asked.out, ignore_errors=True)
    asked.out.mkdir(parents=True)
    rng, n = np.random.default_rng(asked.seed), asked.count
    began = time.monotonic()
    options = sw.Options(device="cpu", threads=1)
    alone = sw.generate(sw.load("hardware", CHANGES), n, asked.out / "alone", options=options)
    print(f"one process: {len(alone.present)} images in {time.monotonic() - began:.0f} s", flush=True)
    harm = Harm(
        node_replaced=n // 4, node_lost=n // 2, drivers=(n // 3, 2 * n // 3),
        kills=sorted(int(k) for k in rng.integers(0, n - 4, asked.kills)),
    )  # fmt: skip
    began = time.monotonic()
    told = run_under_fire(RECIPE, n, asked.out / "fire", asked.out, harm, rng, timeout_s=3600)
    one, other = content(asked.out / "alone"), content(asked.out / "fire")
    begun, first, second = (told.of(what) for what in ("begun", "first", "second"))
    spent = time.monotonic() - began
    print(f"three nodes: {len(first)} images in {spent:.0f} s; the last driver ended with {told.last_code}")
    print(f"killed: {told.killed} workers, 2 nodes (one replaced), {told.starts - 1} drivers")
    print(f"finished renders of an image: {min(first.values())} to {max(first.values())}, begun {begun.total()} in all")
    print(f"renders of images that were finished already: {second.total()}")
    differing = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    print(f"files: {len(one)} alone, {len(other)} on the cluster, {len(differing)} differ")
    once = first == dict.fromkeys(range(n), 1) and not second
    return int(bool(differing) or not once or told.last_code != 0)


if __name__ == "__main__":
    sys.exit(main())
