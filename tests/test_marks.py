"""Kinds that change the look: what they draw is a function of the defect, grows with severity, and is its own label."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from scenewright.assets.defects.kinds import KINDS
from scenewright.assets.defects.layers import Layers
from scenewright.assets.defects.marks import MARKS
from scenewright.assets.materials import FAMILIES, material_rand
from scenewright.scenes.scene import Scene

from .marred import on_top, panel

DRAWN = [name for name, kind in MARKS.items() if kind.layers is not None]
LAID = [name for name, kind in KINDS.items() if kind.look is not None]
SEVERITIES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return panel()


def drawn(scene: Scene, kind: str, severity: float, seed: int = 5) -> tuple[Layers, float]:
    """What a defect draws, and the area of its mask in mm²."""
    (defect,) = on_top(scene, kind, severity, seed).objects[0].defects
    draw = KINDS[kind].layers
    assert draw is not None
    layers = draw(defect)
    h, w = layers.mask.shape
    return layers, float(np.count_nonzero(layers.mask >= 128)) * defect.size_mm[0] * defect.size_mm[1] / (w * h)


@pytest.mark.parametrize("kind", DRAWN)
def test_drawing_is_a_function_of_the_defect(scene: Scene, kind: str) -> None:
    """The same defect is drawn twice the same, and another seed gives another drawing."""
    one, again, other = (drawn(scene, kind, 0.6, seed)[0] for seed in (5, 5, 6))
    assert np.array_equal(one.mask, again.mask)
    assert one.mask.shape != other.mask.shape or not np.array_equal(one.mask, other.mask)


@pytest.mark.parametrize("kind", DRAWN)
def test_drawings_stay_on_their_patch(scene: Scene, kind: str) -> None:
    """A mask ends before its patch does, or the patch's border would cut it straight."""
    for seed in range(4):
        mask = drawn(scene, kind, 0.9, seed)[0].mask
        assert not mask[[0, -1]].any() and not mask[:, [0, -1]].any()
        assert np.mean(mask[[1, -2]] >= 128) < 0.25 and np.mean(mask[:, [1, -2]] >= 128) < 0.25


@pytest.mark.parametrize("kind", DRAWN)
def test_area_grows_with_severity(scene: Scene, kind: str) -> None:
    """At one place and seed a worse defect covers more."""
    for seed in range(3):
        areas = [drawn(scene, kind, severity, seed)[1] for severity in SEVERITIES]
        assert areas[0] > 0 and np.all(np.diff(areas) > 0), (seed, areas)


@pytest.mark.parametrize("kind", DRAWN)
def test_the_mask_is_where_something_changes(scene: Scene, kind: str) -> None:
    """Where the mask is, some layer is not nothing, and a texel away from it all layers are nearly nothing."""
    layers, _ = drawn(scene, kind, 0.8)
    inside = layers.mask >= 128
    beside = ~(cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0)
    changed = [np.abs(c) for c in (layers.strength, layers.height_mm) if c is not None]
    assert changed
    assert np.all(sum(c / c.max() for c in changed)[inside] > 0.02)
    for c in changed:
        assert c[beside].max(initial=0) <= 0.25 * c.max()


@pytest.mark.parametrize("kind", LAID)
def test_looks_fit_every_material_they_may_be_on(kind: str) -> None:
    """Every family on which a kind may occur gets a look whose numbers are in their limits, the same from one seed."""
    k = KINDS[kind]
    assert k.look is not None
    named = FAMILIES if k.families is None else k.families & set(FAMILIES)
    assert named
    for family in named:
        if FAMILIES[family].needs_texture:
            continue
        material = material_rand(np.random.default_rng(1), family, {})
        one, again = (k.look(np.random.default_rng(2), material, 0.5) for _ in range(2))
        assert one == again and all(0 <= c <= 1 for c in one.colour)


@pytest.mark.parametrize("kind", list(KINDS))
def test_values_grow_with_severity(kind: str) -> None:
    """Without chance every number of a kind goes from its mild to its severe value, one way."""
    for name, grows in KINDS[kind].values.items():
        row = [grows.at(s, 40.0) for s in SEVERITIES]
        assert np.all(np.diff(row) * np.sign(grows.severe - grows.mild) >= 0), name
        assert grows.least <= min(row) and max(row) <= grows.most
