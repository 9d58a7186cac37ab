"""Stacks, things on things, and things in the air."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np
import pytest
import shapely

from scenewright.assets.library import build
from scenewright.errors import PlacementError, RecipeError
from scenewright.scenes import physics_model
from scenewright.scenes.arrange_pile import table
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.penetration import overlaps
from scenewright.scenes.physics_model import Body, Drop
from scenewright.scenes.placement import Item
from scenewright.scenes.sample import sample
from scenewright.scenes.scene import Scene
from scenewright.scenes.standing import TOUCH_M, balanced_on, standing

BOX = {"x_m": 0.04, "y_m": 0.03, "z_m": 0.02, "edge_m": 0.0005}
WIDE = {"x_m": 0.2, "y_m": 0.15, "z_m": 0.03, "edge_m": 0.001}


def scene(mode: str, assets: list[dict[str, Any]], count: int, **more: Any) -> Scene:
    placement: Mapping[str, Any] = {"mode": mode, "pose": "upright", "area": [0.5, 0.4], **more.pop("placement", {})}
    raw = {"name": "a", "objects": {"count": count, "assets": assets}, "placement": placement, **more}
    return sample(recipe_from_dict(raw, None), 2)


def bodies(made: Scene) -> list[Body]:
    meshes = meshes_of(made)
    return [Body(meshes[o.id], o.scale) for o in made.objects]


def bottoms(made: Scene) -> list[float]:
    meshes = meshes_of(made)
    return [float((meshes[o.id].vertices @ o.pose[2, :3]).min() * o.scale + o.pose[2, 3]) for o in made.objects]


def drift(made: Scene) -> float:
    """How far the thing that moves most gets in a second of physics, metres."""
    things, poses = bodies(made), np.array([o.pose for o in made.objects])
    free = np.ones(len(things), dtype=bool)
    model, _ = physics_model.build_model(things, table((1.6, 1.2), (1.6, 1.2)), poses, Drop(), free)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    start = data.xpos[1:].copy()
    mujoco.mj_step(model, data, nstep=round(1 / physics_model.STEP_S))
    return float(np.linalg.norm(data.xpos[1:] - start, axis=1).max() / physics_model.UNITS_PER_M)


def cube(side_m: float) -> Item:
    shape = {"x_m": side_m, "y_m": side_m, "z_m": side_m, "edge_m": side_m / 1000}
    return Item(build("box", shape), 1.0, "cube", "upright")


@pytest.mark.parametrize("index_of_mass", [0.0, 0.35, 0.45, 0.55])
def test_a_cube_stays_while_its_middle_is_above_the_one_below(index_of_mass: float) -> None:
    """A cube pushed sideways by a share of its side stays up to 0.5, less the margin."""
    below = standing(np.random.default_rng(0), cube(0.02))
    above = below.moved(0.0, np.array([index_of_mass * 0.02, 0.0, 0.02]))
    margin = 0.1 * np.sqrt(1 - index_of_mass)
    assert balanced_on(below.top, above) == (index_of_mass < 0.5 - margin)


def test_what_a_thing_carries_counts() -> None:
    """Three cubes, each 0.3 sides farther out: each stays on the one below, the upper two together do not."""
    low = standing(np.random.default_rng(0), cube(0.02))
    middle, high = (low.moved(0.0, np.array([k * 0.3 * 0.02, 0.0, k * 0.02])) for k in (1, 2))
    assert balanced_on(low.top, middle) and balanced_on(middle.top, high)
    assert not balanced_on(low.top, middle, (high,))


def test_the_middle_of_a_ring_carries_nothing() -> None:
    """A cube that is smaller than the hole of a washer touches nothing there, and lies on its rim beside it."""
    washer = {"size": "M12"}
    ring = standing(np.random.default_rng(0), Item(build("washer", washer), 4.0, "washer", "upright"))
    small = standing(np.random.default_rng(0), cube(0.01))
    assert ring.top.area > 0 and not ring.top.contains(shapely.Point(0, 0))
    assert not balanced_on(ring.top, small.moved(0.0, np.array([0.0, 0.0, ring.height])))


def test_stacks_stand() -> None:
    """Things in stacks of at most three are 0.01 mm apart, none floats, and physics moves none by 0.5 mm."""
    made = scene(
        "stack", [{"category": "box", "shape": "box", "params": BOX}, {"category": "die", "shape": "die"}], 11,
        placement={"stack_height": 3},
    )  # fmt: skip
    poses = np.array([o.pose for o in made.objects])
    assert overlaps(bodies(made), poses, None, 2e-4) == {}
    low = np.array(bottoms(made))
    assert (low < 1e-6).sum() == 4, "eleven things in stacks of three"
    meshes = meshes_of(made)
    tops = [float((meshes[o.id].vertices @ o.pose[2, :3]).max() * o.scale + o.pose[2, 3]) for o in made.objects]
    for z in low[low > 1e-6]:
        assert min(abs(z - TOUCH_M - top) for top in tops) < 1e-7
    assert drift(made) < 5e-4


def test_round_things_are_not_stacked() -> None:
    """A ball carries nothing and is carried by nothing: each begins a stack of its own."""
    made = scene("stack", [{"category": "ball", "shape": "sphere", "params": {"radius_m": 0.01}}], 5)
    assert np.allclose(bottoms(made), 0, atol=1e-6)


def test_small_things_lie_on_a_wide_one() -> None:
    """Dice lie on the one wide box, apart from each other, and stay there in physics."""
    book = {"count": 1, "assets": [{"category": "book", "shape": "box", "params": WIDE}]}
    made = scene("on_top", [{"category": "die", "shape": "die"}], 9, distractors=book)
    assert [z < 1e-6 for z in bottoms(made)] == [False] * 9 + [True]
    assert overlaps(bodies(made), np.array([o.pose for o in made.objects]), None, 2e-4) == {}
    assert drift(made) < 5e-4


def test_what_cannot_be_carried_is_refused() -> None:
    """More than a top holds, and a ball on top, are errors that say what to change."""
    dice = [{"category": "die", "shape": "die", "params": {"size_m": 0.016}}]
    with pytest.raises(PlacementError, match=r"die finds no room on the flat tops of die in 500 attempts each: lower"):
        scene("on_top", dice, 3)
    ball = [{"category": "ball", "shape": "sphere", "params": {"radius_m": 0.01}}]
    with pytest.raises(PlacementError, match=r"ball has no level face to lie on"):
        scene("on_top", ball, 2)


def test_distractors_fly_clear_of_everything() -> None:
    """Flying distractors touch nothing and are between the area and the camera; they move no object."""
    dice = [{"category": "die", "shape": "die"}]
    extra = {"distractors": {"count": 6, "assets": [{"category": "nut", "shape": "nut"}]}}
    made = scene("scatter", dice, 8, placement={"distractors": "fly"}, camera={"distance": 0.8}, **extra)
    alone = scene("scatter", dice, 8, camera={"distance": 0.8})
    assert [o.world_T_object for o in made.objects[:8]] == [o.world_T_object for o in alone.objects]
    assert overlaps(bodies(made), np.array([o.pose for o in made.objects]), None, 2e-4) == {}
    eye = np.linalg.inv(made.camera.extrinsics)[:3, 3]
    for o in made.objects[8:]:
        share = o.pose[2, 3] / eye[2]
        foot = (o.pose[:3, 3] - share * eye) / (1 - share)  # where the line from the camera through it meets the table
        assert 0.1 < share < 0.65 and (np.abs(foot[:2]) < [0.27, 0.22]).all()
    assert min(bottoms(made)[8:]) > 5e-4


def test_a_full_sky_says_so() -> None:
    """Things that find no room in the air are refused, and so is a way to the camera that ends before it begins."""
    big = [{"category": "box", "shape": "box", "params": WIDE}]
    with pytest.raises(PlacementError, match=r"things fly, then box \(\d+ mm\) found no free place in the air"):
        scene("fly", big, 40, camera={"distance": 0.6})
    with pytest.raises(RecipeError, match="air: the first share must be below the second"):
        scene("fly", big, 1, placement={"air": [0.5, 0.5]})


def test_a_stack_fits_under_the_board_above_it() -> None:
    """A stack that is higher than the space between two boards of a shelf is refused, with both heights."""
    high = [{"category": "box", "shape": "box", "params": {**BOX, "z_m": 0.2}}]
    shelf = {"kind": "shelf", "params": {"levels": 2, "spacing_m": 0.3}}
    with pytest.raises(PlacementError, match=r"\d+ mm high under a board at \d+ mm: lower placement.stack_height"):
        scene("stack", high, 4, container=shelf)
