"""The edges of a mesh as a finger would feel them: also those that small facets or a fillet round off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .cache import Cache
from .mesh import Mesh

__all__ = ["SHARP_DEG", "Creases", "creases"]

Vec = npt.NDArray[np.float64]

#: Across an edge the surface turns by more than this.
SHARP_DEG = 40.0
#: Flatter joints between triangles are a curved surface.
JOINT_DEG = 8.0
#: What turns within so much, in shares of the second largest extent, is one edge; also the distance of the samples.
WIDTH = 0.025
#: Samples on one joint, and joints that can make up an edge, at most.
SAMPLES, ACROSS = 64, 16
CACHE_BYTES = 16 << 20


@dataclass(frozen=True)
class Creases:
    """Where a surface turns sharply, sampled, in the frame of its mesh.

    Attributes:
        points: (n, 3) on edges, metres.
        ways: (n, 3) unit directions of the edges.
        half_m: (n,) a sample stands for so much of its edge to each side.
        normals: (n, 3) unit, the mean across the edge.
        faces: (n, 2) the triangles on both sides.
        convex: (n,) whether the edge sticks out, as a cube's do.
        smooth: (F,) number of the smooth piece to which a triangle belongs: pieces end at sharp joints.
    """

    points: Vec
    ways: Vec
    half_m: Vec
    normals: Vec
    faces: npt.NDArray[np.int64]
    convex: npt.NDArray[np.bool_]
    smooth: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Size of the arrays, bytes."""
        return sum(a.nbytes for a in vars(self).values())


_known: Cache[bytes, Creases] = Cache(CACHE_BYTES, lambda found: found.nbytes)


def creases(mesh: Mesh) -> Creases:
    """The sharp edges of a mesh; treat the arrays as read-only."""
    return _known.get(mesh.exact, lambda: _creases(mesh))


@dataclass(frozen=True)
class _Joints:
    """Edges between two triangles: (n, 2) faces, (n, 2, 3) ends, (n,) turning angle in degrees, (n,) convex or not."""

    faces: npt.NDArray[np.int64]
    ends: Vec
    turn: Vec
    convex: npt.NDArray[np.bool_]


def _creases(mesh: Mesh) -> Creases:
    normals = _face_normals(mesh)
    joints = _joints(mesh, normals)
    flat = joints.faces[joints.turn <= SHARP_DEG]
    graph = coo_array((np.ones(len(flat), np.int8), (flat[:, 0], flat[:, 1])), shape=(len(mesh.faces),) * 2)
    smooth = connected_components(graph, directed=False)[1].astype(np.int32)
    width = WIDTH * float(np.sort(mesh.extents)[1])
    bent = np.flatnonzero(joints.turn > JOINT_DEG)
    length = np.linalg.norm(joints.ends[bent, 1] - joints.ends[bent, 0], axis=1)
    count = np.clip(np.ceil(np.round(length / width, 6)).astype(int), 1, SAMPLES)
    joint = np.repeat(bent, count)
    place = (np.arange(len(joint)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / np.repeat(count, count)
    a, b = joints.ends[joint, 0], joints.ends[joint, 1]
    points, ways = a + place[:, None] * (b - a), (b - a) / np.repeat(np.maximum(length, 1e-12), count)[:, None]
    mean, turn = _across(points, ways, normals[joints.faces[joint]], joints, joint, width)
    sharp = np.round(turn, 6) > SHARP_DEG
    half = np.repeat(length / count / 2, count)
    return Creases(
        points[sharp], ways[sharp], half[sharp], mean[sharp], joints.faces[joint][sharp], joints.convex[joint][sharp],
        smooth,
    )  # fmt: skip


def _face_normals(mesh: Mesh) -> Vec:
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    n = np.cross(b - a, c - a)
    return np.asarray(n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-300))


def _joints(mesh: Mesh, normals: Vec) -> _Joints:
    """Edges that two triangles share; vertices at one place are one."""
    _, first, welded = np.unique(np.rint(mesh.vertices / 1e-8), axis=0, return_index=True, return_inverse=True)
    corners = first[welded.reshape(-1)][mesh.faces]
    pairs = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    face, apex = np.tile(np.arange(len(corners)), 3), np.concatenate([corners[:, 2], corners[:, 0], corners[:, 1]])
    order = np.lexsort((face, pairs[:, 1], pairs[:, 0]))
    pairs, face, apex = pairs[order], face[order], apex[order]
    same = (pairs[1:] == pairs[:-1]).all(axis=1)
    alone = same & ~np.r_[False, same[:-1]] & ~np.r_[same[1:], False]  # where three meet nothing can be said
    k = np.flatnonzero(alone & (pairs[1:, 0] != pairs[1:, 1]))
    faces = np.stack([face[k], face[k + 1]], axis=1)
    n, m = normals[faces[:, 0]], normals[faces[:, 1]]
    turn = np.rad2deg(np.arctan2(np.linalg.norm(np.cross(n, m), axis=1), np.einsum("ij,ij->i", n, m)))
    ends = mesh.vertices[pairs[k]]
    convex = np.einsum("ij,ij->i", n, mesh.vertices[apex[k + 1]] - ends[:, 0]) < 0
    return _Joints(faces, ends, np.round(turn, 6), convex)


def _across(
    points: Vec, ways: Vec, normals: Vec, joints: _Joints, joint: npt.NDArray[np.intp], width: float
) -> tuple[Vec, Vec]:
    """(n, 3) mean normal across the edge at each sample, and (n,) how far the surface turns there, degrees.

    An edge is all joints of one sense (convex or not) that run along each other within `width`.
    """
    if len(points) == 0:
        return np.zeros((0, 3)), np.zeros(0)
    k = min(ACROSS, len(points))
    found = cKDTree(points).query(points, k=k, distance_upper_bound=width)
    far, near = (np.asarray(a).reshape(-1, k) for a in found)
    there = np.isfinite(far)
    near = np.where(there, near, 0)
    along = np.abs(np.einsum("nkj,nj->nk", ways[near], ways)) > 0.9
    there &= along & (joints.convex[joint][near] == joints.convex[joint][:, None])
    own = normals.sum(axis=1) * joints.turn[joint][:, None]
    mean = np.where(there[..., None], own[near], 0.0).sum(axis=1)
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-300)
    cosine = np.einsum("nkcj,nj->nkc", normals[near], mean).min(axis=2)
    least = np.where(there, cosine, 1.0).min(axis=1)
    return np.round(mean, 9), 2 * np.rad2deg(np.arccos(np.clip(least, -1, 1)))
