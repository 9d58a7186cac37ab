"""Cartons against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from scenewright.assets.library import build
from scenewright.errors import AssetError

SIDES = {"x_m": 0.12, "y_m": 0.08, "z_m": 0.2}


@pytest.mark.parametrize("style", ["folding", "shipping"])
def test_size_and_volume(style: str) -> None:
    """A carton is closed and as large as asked, tape aside; seams and rounded edges take less than 1 % of it."""
    mesh = build("carton", {"style": style, **SIDES})
    body = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_part == 0], process=False, validate=True)
    assert body.is_watertight
    assert body.extents == pytest.approx([0.12, 0.08, 0.2], abs=1e-6)
    assert 0.99 < body.volume / (0.12 * 0.08 * 0.2) < 1


def test_every_side_shows_the_whole_print_the_right_way_up() -> None:
    """On each of the four sides u runs to the right as seen from outside, v up, each from 0 to 1."""
    mesh = build("carton", {"style": "folding", **SIDES})
    assert mesh.uv is not None
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    for normal in ([0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]):
        flat = normals @ normal > 0.999
        right = np.cross([0, 0, 1], normal)
        size = np.abs(right) @ [0.12, 0.08, 0.2]
        assert mesh.uv[flat][..., 0] == pytest.approx(corners[flat] @ right / size + 0.5, abs=1e-3)
        assert mesh.uv[flat][..., 1] == pytest.approx(corners[flat][..., 2] / 0.2 + 0.5, abs=1e-3)


def test_tape_lies_on_the_box() -> None:
    """The tape of a shipping carton adds its thickness at the top and at both ends, nowhere else."""
    mesh = build("carton", {"style": "shipping", **SIDES})
    assert mesh.extents == pytest.approx([0.12 + 2e-4, 0.08, 0.2 + 1e-4], abs=1e-6)
    tape = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_part == 1], process=False, validate=True)
    assert tape.is_watertight
    assert tape.extents[1] == pytest.approx(0.05, abs=1e-6)


def test_a_small_shipping_carton_is_refused() -> None:
    """Corrugated board has no room for tape and flaps on a side under 8 cm."""
    with pytest.raises(AssetError, match=r"sides of 0\.08 m at least"):
        build("carton", {"style": "shipping", "x_m": 0.05, "y_m": 0.1, "z_m": 0.1})
