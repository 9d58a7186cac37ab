"""What lies on top decides the category: dice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from scenewright.assets.library import build, rand
from scenewright.errors import AssetError
from scenewright.scenes.build import meshes_of
from scenewright.scenes.load import recipe_from_dict
from scenewright.scenes.sample import sample
from scenewright.scenes.top import uppermost

FACES = {f"face_{k}": word for k, word in enumerate(("one", "two", "three", "four", "five", "six"), 1)}


def test_each_value_can_be_on_top() -> None:
    """Turning a die's face k upwards makes it k, leaning by what it is tilted."""
    die = build("die", rand(np.random.default_rng(0), "die", {}))
    for name in FACES:
        way = np.array(die.keypoints[name])
        turn, _ = Rotation.align_vectors([[0, 0, 1]], [way / np.linalg.norm(way)])
        tilted = Rotation.from_rotvec([np.deg2rad(7), 0, 0]) * turn
        found, lean = uppermost(die, list(FACES), tilted.as_matrix())
        assert found == name and lean == pytest.approx(7, abs=1e-3)


def test_unknown_faces_are_refused() -> None:
    """A face that the mesh does not have is an error with the key points that it has."""
    with pytest.raises(AssetError, match=r"names the key point 'face_7'; the mesh has face_1, face_2"):
        uppermost(build("die", rand(np.random.default_rng(0), "die", {})), ["face_7"], np.eye(3))


@pytest.mark.parametrize("mode", ["scatter", "roll"])
def test_dice_are_called_by_their_value(mode: str) -> None:
    """In scenes, an object's category is the face whose key point is highest in the world; ids follow `categories`."""
    words = list(FACES.values())
    recipe = recipe_from_dict(
        {
            "name": "d",
            "categories": words,
            "objects": {"count": 9, "assets": [{"category": "die", "shape": "die", "category_by_top": FACES}]},
            "placement": {"mode": mode, "area": [0.25, 0.25]},
        },
        None,
    )
    scene = sample(recipe, 0)
    meshes = meshes_of(scene)
    for item in scene.objects:
        heights = {word: float(item.pose[2, :3] @ meshes[item.id].keypoints[face]) for face, word in FACES.items()}
        assert item.category == max(heights, key=heights.__getitem__)
        assert item.category_id == words.index(item.category) + 1


def test_a_logo_changes_the_one_only() -> None:
    """The emblem is engraved into the face of the one, in the colour of the pips; other faces keep theirs."""
    params = rand(np.random.default_rng(2), "die", {})
    plain, marked = build("die", params), build("die", {**params, "logo": True})
    half = marked.extents[2] / 2
    painted = [m.vertices[m.faces[m.face_part == 1]].reshape(-1, 3) for m in (plain, marked)]
    on_top = [p[p[:, 2] > 0.9 * half] for p in painted]
    assert np.abs(on_top[1][:, :2]).max() > 2 * np.abs(on_top[0][:, :2]).max()
    below = [np.unique(np.round(p[p[:, 2] < 0.5 * half], 6), axis=0) for p in painted]
    assert np.array_equal(*below)
