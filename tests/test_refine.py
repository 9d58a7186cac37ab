"""Smaller triangles: the surface stays what it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import trimesh

from scenewright.assets.defects.refine import refined, sliced
from scenewright.assets.library import build
from scenewright.assets.mesh import Mesh

from .damaged_parts import BOX, Vec, solid


@pytest.mark.parametrize(("shape", "spot"), [("box", (0.01, 0.0, 0.01)), ("gear", (0.006, 0.004, 0.0)), ("mug", None)])
def test_refining_keeps_the_surface(shape: str, spot: tuple[float, float, float] | None) -> None:
    """Small triangles in a region leave a closed mesh closed, and neither its volume nor its area changes."""
    mesh = build(shape, BOX if shape == "box" else {})
    middle = mesh.vertices[len(mesh.vertices) // 2] if spot is None else np.asarray(spot)

    def touched(corners: Vec) -> npt.NDArray[np.bool_]:
        at = corners.mean(axis=1)
        far = np.linalg.norm(corners - at[:, None], axis=2).max(axis=1)
        return np.asarray(np.linalg.norm(at - middle, axis=1) < 0.004 + far)

    fine = refined(mesh, 0.0006, touched)
    old, new = solid(mesh), solid(fine)
    assert len(fine.faces) > len(mesh.faces) and old.is_watertight and new.is_watertight
    assert new.volume == pytest.approx(old.volume, rel=1e-6) and new.area == pytest.approx(old.area, rel=1e-6)
    for part in range(len(mesh.part_names)):
        before, after = old.area_faces[mesh.face_part == part].sum(), new.area_faces[fine.face_part == part].sum()
        assert after == pytest.approx(before, rel=1e-6)
    near = touched(fine.vertices[fine.faces])
    edges = fine.vertices[fine.faces[near]] - np.roll(fine.vertices[fine.faces[near]], 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() <= 0.0006 + 1e-9


def test_refining_carries_texture_coordinates() -> None:
    """Coordinates that are an affine function of the place stay that function on all new triangles."""
    box = build("box", BOX)
    turned = np.array([[0.3, 0.1], [0.2, -0.4], [0.05, 0.6]])
    mapped = Mesh(box.vertices, box.faces, box.face_part, uv=(box.vertices[box.faces] @ turned).astype(np.float32))
    fine = refined(mapped, 0.003, lambda corners: corners[..., 2].max(axis=1) > 0.005)
    assert fine.uv is not None and len(fine.faces) > 500
    np.testing.assert_allclose(fine.uv, fine.vertices[fine.faces] @ turned, atol=1e-7)


def test_both_sides_of_a_seam_are_refined_alike() -> None:
    """A file that has its vertices twice along a seam gets no T-junction there."""
    box = build("box", BOX)
    split = Mesh(
        box.vertices[box.faces].reshape(-1, 3),
        np.arange(3 * len(box.faces), dtype=np.int32).reshape(-1, 3),
        box.face_part,
    )
    fine = refined(split, 0.002, lambda c: np.linalg.norm(c, axis=2).max(axis=1) > 0.03)
    assert len(fine.faces) > 200 and trimesh.Trimesh(fine.vertices, fine.faces, process=True).is_watertight


def test_slicing_leaves_no_triangle_on_both_sides() -> None:
    """A closed mesh cut along a level stays closed and keeps its surface, and texture coordinates stay linear."""
    box = build("box", BOX)
    plane = np.array([0.6, 0.64, 0.48])
    uv = (box.vertices[box.faces] @ np.array([[1.0, 0], [0, 1], [0.3, 0.2]])).astype(np.float32)
    cut = sliced(replace(box, uv=uv), box.vertices @ plane, 0.0021)
    off = (cut.vertices @ plane - 0.0021)[cut.faces]
    assert (np.minimum(off.max(axis=1), -off.min(axis=1)) < 2e-5).all()
    assert len(cut.faces) > len(box.faces)
    assert solid(cut).is_watertight
    assert solid(cut).area == pytest.approx(solid(box).area, rel=1e-9)
    assert cut.uv is not None
    assert np.allclose(cut.uv, cut.vertices[cut.faces] @ np.array([[1.0, 0], [0, 1], [0.3, 0.2]]), atol=1e-6)
