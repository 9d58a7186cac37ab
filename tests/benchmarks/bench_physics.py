"""Piles of mixed parts in a bin: time, redraws, real interpenetration, and the same result twice.

    python tests/benchmarks/bench_physics.py [--piles 20] [--parts 100]

A pile counts with what is dropped again and the check by the real meshes; cutting meshes into convex pieces, once for
each asset, is measured apart. Ends with 1 beyond a limit.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from scenewright.assets.convex import coarse_pieces
from scenewright.assets.library import build, interior, rand
from scenewright.scenes.arrange_pile import DROPS, pile
from scenewright.scenes.build import shape_mesh
from scenewright.scenes.penetration import deepest
from scenewright.scenes.physics_model import HULL_CORNERS, Body
from scenewright.scenes.pile_faults import OVERLAP_M
from scenewright.scenes.sample_container import PlacedContainer
from scenewright.scenes.scene import Fixture, matrix

KINDS = ("hex_bolt", "socket_screw", "nut", "washer", "gear", "bearing", "bracket", "spring", "die", "pipe_fitting")
EACH = 3
BIN = {"x_m": 0.4, "y_m": 0.3, "height_m": 0.17}
LIMIT_S = 3.0


def main() -> int:
    """Print a line for each pile, and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--piles", type=int, default=20)
    parser.add_argument("--parts", type=int, default=100)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    meshes = [build(kind, rand(rng, kind, {})) for kind in KINDS for _ in range(EACH)]
    start = time.process_time()
    pieces = sum(len(coarse_pieces(mesh, HULL_CORNERS)) for mesh in meshes)
    cutting = time.process_time() - start
    each = cutting / len(meshes) * 1e3
    print(f"{len(meshes)} assets into {pieces} convex pieces: {cutting:.2f} CPU s, {each:.0f} ms each")
    params = rand(np.random.default_rng(0), "bin", BIN)
    ref, walls = shape_mesh("bin", params)
    fixture = Fixture(name="bin", mesh=ref, materials={}, world_T_fixture=matrix(np.eye(4)))
    inside = PlacedContainer(fixture, interior("bin", params))
    times, depths, redrawn, again_count, same = [], [], 0, 0, True
    for k in range(args.piles):
        bodies = [Body(meshes[i], 1.0) for i in np.random.default_rng(k).integers(len(meshes), size=args.parts)]
        start = time.process_time()
        made = pile(0, k, "bench", bodies, DROPS["pile"], inside)
        times.append(time.process_time() - start)
        depths.append(deepest(bodies, np.array(made.poses), walls, OVERLAP_M))
        redrawn += made.redraws
        again_count += made.dropped_again
        if k < 3:
            twin = pile(0, k, "bench", bodies, DROPS["pile"], inside)
            same &= all((a == b).all() for a, b in zip(made.poses, twin.poses, strict=True))
        top = max(pose[2, 3] for pose in made.poses) * 1e3
        tries = f"{made.redraws} redraws, {made.dropped_again} parts dropped again"
        print(
            f"pile {k:2}: {times[-1]:5.2f} CPU s, {tries}, deepest {depths[-1] * 1e3:.3f} mm, {top:.0f} mm high",
            flush=True,
        )
    middle = sorted(times)[len(times) // 2]
    tries = f"{redrawn} redraws, {again_count} parts dropped again"
    print(f"median {middle:.2f} CPU s, longest {max(times):.2f}; {tries}; same twice: {same}")
    print(f"deepest {max(depths) * 1e3:.3f} mm")
    print(f"limits: {LIMIT_S:g} CPU s each, {OVERLAP_M * 1e3:g} mm, the same twice")
    return 0 if max(times) <= LIMIT_S and max(depths) <= OVERLAP_M and same else 1


if __name__ == "__main__":
    sys.exit(main())
