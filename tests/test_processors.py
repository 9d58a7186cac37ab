"""The same scene on every processor: a farm has many kinds, and a scene must be made again on any of them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from scenewright.assets.library import SHAPES, build, rand
from scenewright.assets.mesh import GRID_PER_M, snap
from scenewright.assets.shapes.base import Solid, to_manifold
from scenewright.scenes.load import load
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import matrix, steady

#: numpy says only here which instructions it was built for, and which it uses.
NUMPY = importlib.import_module("numpy.core._multiarray_umath")
#: Every instruction set beyond the baseline switched off in numpy, OpenBLAS and the C library: another processor.
OLD_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": " ".join(NUMPY.__cpu_dispatch__),
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-AVX512F,-AVX2_Usable,-FMA_Usable",
}
#: Recipe, number of objects, how many scenes, and whether each object has defects.
SCENES = [("hardware", 6, 3, False), ("tabletop", 4, 1, False), ("pegboard", 4, 2, False), ("hardware", 4, 2, True)]
DEFECTS = "defects={rate: 1, count: 2, clustered: 0.5, kinds: [{kind: stain, region: [edge, all]}, scratch, dent]}"


def everything() -> dict[str, str]:
    """The hash of a mesh of every shape, and the JSON of some scenes."""
    drawn = {name: rand(np.random.default_rng(0), name, {}) for name in SHAPES}
    meshes = {name: build(name, params).sha256 for name, params in drawn.items()}
    scenes: dict[str, str] = {}
    for name, count, images, marred in SCENES:
        recipe = load(name, [f"objects.count={count}", *([DEFECTS] if marred else [])])
        scenes |= {f"{name} {'marred ' if marred else ''}{i}": sample(recipe, i).to_json() for i in range(images)}
    return meshes | scenes


def test_scenes_and_meshes_do_not_depend_on_the_processor() -> None:
    """A machine without vector instructions makes the same meshes and the same scenes, to the last digit."""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__], env={**os.environ, **OLD_PROCESSOR}, stdout=subprocess.PIPE
    )
    here = everything()
    enabled, there = json.loads(child.communicate(timeout=300)[0])
    assert child.returncode == 0
    assert enabled == [], "the instructions are off there"
    assert [name for name in here if there[name] != here[name]] == []


@pytest.mark.parametrize(
    "name",
    [
        "bottle",
        "can",
        "cover_plate",
        "die",
        "flange",
        "hammer",
        "mug",
        "pipe_fitting",
        "pliers",
        "screwdriver",
        "spanner",
    ],
)
def test_booleans_do_not_see_the_last_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operands whose coordinates differ by the rounding of a sine give the same mesh, and no slivers."""
    params = SHAPES[name].rand(np.random.default_rng(3), {})
    mesh = SHAPES[name].build(params)
    module, rng = importlib.import_module(f"scenewright.assets.shapes.{name}"), np.random.default_rng(0)

    def noisy(solid: Solid) -> Any:
        return to_manifold((solid[0] + rng.integers(-1, 2, solid[0].shape) * 2.0**-59, solid[1]))

    monkeypatch.setattr(module, "to_manifold", noisy)
    assert SHAPES[name].build(params).sha256 == mesh.sha256
    sides = np.diff(mesh.vertices[mesh.faces][:, [0, 1, 2, 0]], axis=1)
    assert np.linalg.norm(sides, axis=2).min() > 1e-8


@pytest.mark.parametrize("x", [0.1, -0.05, 1 / 3, 0.0, 12.0])
def test_the_grid_is_finer_than_anything_and_takes_the_last_bits(x: float) -> None:
    """Snapping moves a point by less than 0.03 nm, and gives neighbours in floating point the same place."""
    assert abs(snap(x) - x) <= 0.5 / GRID_PER_M < 3e-11
    assert snap(np.nextafter(x, 99)) == snap(x) == snap(np.nextafter(x, -99)) == snap(snap(x))


def test_rounded_numbers_have_one_zero_and_nine_digits() -> None:
    """What a scene stores of a matrix or a computed number is the same for neighbours in floating point."""
    noisy = np.eye(4) + 1e-16 * np.array([-1, 1, -2, 3])
    assert str(matrix(noisy)) == str(matrix(np.eye(4)))
    assert steady(np.nextafter(1 / 3, 1)) == steady(1 / 3) == 0.333333333


if __name__ == "__main__":
    print(json.dumps([[name for name in NUMPY.__cpu_dispatch__ if NUMPY.__cpu_features__[name]], everything()]))
