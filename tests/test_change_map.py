"""Where a picture may be changed: the band around outlines, what is frozen, and the composite."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewright.diffusion.change_map import Freedom, change_map, composite, outline_band
from scenewright.errors import UsageError

SIDE = 64


def disc(x: float, y: float, radius: float) -> npt.NDArray[Any]:
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    return np.asarray((u - x) ** 2 + (v - y) ** 2 < radius**2)


@pytest.fixture
def ids() -> npt.NDArray[Any]:
    """Two discs that touch nothing."""
    return (disc(20, 20, 12) * 1 + disc(45, 45, 10) * 2).astype(np.uint16)


@pytest.mark.parametrize(("reach", "each_side"), [(3, 3), (1, 1), (0.5, 1), (0, 0), (2.4, 2)])
def test_a_straight_outline_has_so_many_pixels_on_each_side(reach: float, each_side: int) -> None:
    """The band of ±3 px around a straight outline is three pixels wide on either side."""
    labels = np.zeros((8, 40), np.uint16)
    labels[:, 20:] = 7
    expected = np.zeros(40, bool)
    expected[20 - each_side : 20 + each_side] = True
    assert (outline_band(labels, reach) == expected).all()


def test_the_band_follows_a_circle() -> None:
    """Around a disc the band is the ring of pixels within its reach of the circle, but for half a pixel of raster."""
    labels = disc(32, 32, 18)
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    off = np.abs(np.hypot(u - 32, v - 32) - 18)
    band = outline_band(labels, 3)
    assert band[off < 2.2].all() and not band[off > 3.8].any()


def test_levels(ids: npt.NDArray[Any]) -> None:
    """Background, inside of objects and band each get what they are given, also between objects that touch."""
    level = change_map(ids, Freedom(background=1.0, objects=0.5))
    assert level.dtype == np.float32 and level[0, 63] == 1 and level[20, 20] == 0.5
    assert (level[outline_band(ids, 3)] == 0).all()
    touching = np.ones((20, 20), np.uint16)
    touching[:, 10:] = 2
    assert (change_map(touching, Freedom())[:, 7:13] == 0).all()


def test_uncheckable_instances_are_frozen_with_their_band(ids: npt.NDArray[Any]) -> None:
    """An instance that cannot be judged stays as rendered wholly; others do not care."""
    level, free = change_map(ids, Freedom(band=0.3), frozen=[2]), change_map(ids, Freedom(band=0.3))
    around = (ids == 2) | outline_band(ids == 2, 3)
    assert (level[around] == 0).all() and (level[~around] == free[~around]).all()
    assert (free[around] > 0).all()


def test_what_is_held_stays(ids: npt.NDArray[Any]) -> None:
    """A labelled defect inside a free object stays as rendered, with a band around it."""
    defect = disc(20, 20, 3)
    level = change_map(ids, Freedom(), hold=defect)
    kept = defect | outline_band(defect, 3)
    assert (level[kept] == 0).all() and level[20, 25] == 0 and level[20, 27] == np.float32(0.6)


def test_no_objects_no_band() -> None:
    """A picture without objects is free."""
    assert (change_map(np.zeros((9, 9), np.uint16), Freedom()) == 1).all()


@pytest.mark.parametrize("wrong", [{"background": 1.1}, {"objects": -0.1}, {"band": 2}, {"band_px": 65}])
def test_freedom_has_limits(wrong: dict[str, float]) -> None:
    """Shares outside 0 … 1 and absurd bands are errors."""
    with pytest.raises(UsageError):
        Freedom(**wrong)


def test_the_composite_keeps_frozen_bytes() -> None:
    """Where the map is 0 the render's bytes come back, elsewhere those of the refined picture, or both mixed."""
    rng = np.random.default_rng(1)
    render, refined = rng.integers(0, 256, (2, 8, 9, 3), dtype=np.uint8)
    level = rng.choice([0, 0.25, 1], (8, 9)).astype(np.float32)
    hard, mixed = composite(render, refined, level), composite(render, refined, level, mixed=True)
    for made in (hard, mixed):
        assert (made[level == 0] == render[level == 0]).all() and (made[level == 1] == refined[level == 1]).all()
    part = level == 0.25
    assert (hard[part] == refined[part]).all()
    assert np.abs(mixed[part] - (0.75 * render[part] + 0.25 * refined[part])).max() <= 0.5
    with pytest.raises(UsageError, match="do not fit"):
        composite(render, refined, level[:4])
