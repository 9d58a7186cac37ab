"""Smaller triangles where a defect changes the form: local, conforming, on any mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...errors import AssetError
from ..mesh import Mesh, snap

__all__ = ["FACES", "refined", "sliced"]

Vec = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: A refined mesh has at most so many faces more than before.
FACES = 120_000
#: An edge of a kilometre is a millimetre long after twenty halvings.
ROUNDS = 24
#: So near to a level, in shares of how far values reach, a vertex counts as on it.
LEVEL = 1e-3
#: Lengths are compared in this unit, metres: their last bits depend on the processor.
ROUNDING_M = 1e-11

#: (…, 3) corners of the triangles that a triangle is split into, by how many edges are cut. Corners 0 … 2 are its own,
#: 3 … 5 the middles of its edges 01, 12, 20. One: edge 01. Two: edges 01 and 12. Three: all.
ONE = ((0, 3, 2), (3, 1, 2))
TWO = ((3, 1, 4), (0, 3, 4), (0, 4, 2))
THREE = ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5))
#: By which edges are cut (bits 1, 2, 4): how often the corners are turned on so that a pattern above fits.
TURNS = {1: (ONE, 0), 2: (ONE, 1), 4: (ONE, 2), 3: (TWO, 0), 6: (TWO, 1), 5: (TWO, 2), 7: (THREE, 0)}


def refined(mesh: Mesh, longest_m: float, touched: Callable[[Vec], Bools], measure: Vec | None = None) -> Mesh:
    """The same surface, its triangles in a region split until none has an edge longer than `longest_m`.

    Edges are cut in the middle, and a triangle of which one edge is cut has its longest cut too, so that angles do not
    get ever sharper (Rivara 1984). Triangles on both sides of an edge agree about it, also where a file has two
    vertices at one place: there are no T-junctions. Parts, defects and texture coordinates are carried over.

    Args:
        longest_m: metres, unscaled mesh.
        touched: (n, 3, 3) corners of triangles, metres → (n,) which of them meet the region.
        measure: (3, 3) that space is stretched by before lengths are taken, where they matter in one direction only.

    Raises:
        AssetError: more than `FACES` new faces.
    """
    most = len(mesh.faces) + FACES
    for _ in range(ROUNDS):
        welded = _welded(mesh.vertices)
        keys, length = _edges(mesh, welded, measure)
        long = np.flatnonzero((length > longest_m).any(axis=1))
        long = long[touched(mesh.vertices[mesh.faces[long]])] if len(long) else long
        if not len(long):
            return mesh
        cut = np.unique(keys[long][length[long] > longest_m])
        mesh = _split(mesh, _has(keys, _closed(keys, length, cut)))
        if len(mesh.faces) > most:
            raise AssetError(
                f"the form would need triangles of {longest_m * 1000:.3g} mm, more than {FACES} of them: make the "
                "defect smaller"
            )
    return mesh


def sliced(mesh: Mesh, values: Vec, level: float) -> Mesh:
    """The same surface, cut along the line on which values of its vertices, (V,), pass a level.

    What is left of each triangle lies on one side of it. A vertex that is nearer to the level than `LEVEL` of how far
    the values reach from it counts as on it, for slivers cost more than they tell.
    """
    off = values - level
    off[np.abs(off) <= LEVEL * np.abs(off).max(initial=0.0)] = 0.0
    side = np.sign(off)[mesh.faces]
    marked = side * np.roll(side, -1, axis=1) < 0
    return _split(mesh, marked, off) if marked.any() else mesh


def _welded(vertices: Vec) -> Ints:
    """(V,) one number for all vertices at a place."""
    grid = np.ascontiguousarray(np.rint(vertices / 1e-9).astype(np.int64))
    rows = grid.view(np.dtype((np.void, grid.itemsize * 3))).reshape(-1)
    _, first, number = np.unique(rows, return_index=True, return_inverse=True)
    return np.asarray(first[number.reshape(-1)], dtype=np.int64)


def _edges(mesh: Mesh, welded: Ints, measure: Vec | None) -> tuple[Ints, Vec]:
    """(F, 3) a key for each of the edges 01, 12, 20, the same from both sides; (F, 3) their lengths as measured."""
    keys, count = _keys(welded[mesh.faces], len(mesh.vertices)), len(mesh.vertices)
    way = mesh.vertices[keys // count] - mesh.vertices[keys % count]
    length = np.linalg.norm(way if measure is None else way @ measure.T, axis=2)
    return keys, np.rint(length / ROUNDING_M) * ROUNDING_M


def _keys(ends: npt.NDArray[np.integer], count: int) -> Ints:  # type: ignore[type-arg]
    """(F, 3) a number for each of the edges 01, 12, 20 of faces among `count` vertices, whichever way they run."""
    start = ends.astype(np.int64)
    end = np.roll(start, -1, axis=1)
    return np.asarray(np.minimum(start, end) * count + np.maximum(start, end))


def _has(keys: Ints, chosen: Ints) -> Bools:
    """Which keys are among the chosen ones, sorted."""
    at = np.searchsorted(chosen, keys)
    return np.asarray(chosen[np.minimum(at, len(chosen) - 1)] == keys)


def _closed(keys: Ints, length: Vec, cut: Ints) -> Ints:
    """The cut edges and the longest edges of all faces that have one of them, and so on; sorted."""
    longest = np.zeros(len(keys), np.int64)
    for k in (1, 2):  # of two that are as long the one with the lower key
        row = np.arange(len(keys))
        best, here = length[row, longest], length[:, k]
        longest[(here > best) | ((here == best) & (keys[:, k] < keys[row, longest]))] = k
    need = keys[np.arange(len(keys)), longest]
    while True:
        more = np.unique(np.concatenate([cut, need[_has(keys, cut).any(axis=1)]]))
        if len(more) == len(cut):
            return cut
        cut = more


def _split(mesh: Mesh, marked: Bools, off: Vec | None = None) -> Mesh:
    """All faces that have a marked edge, (F, 3), split. Vertices at one place that were two stay two.

    Edges are cut where `off`, numbers of the vertices, (V,), is 0; in the middle without it.
    """
    count = len(mesh.vertices)
    own = _keys(mesh.faces, count)
    cut = np.unique(own[marked])
    low, high = cut // count, cut % count
    share = np.full(len(cut), 0.5) if off is None else np.round(off[low] / (off[low] - off[high]), 9)
    added = snap(mesh.vertices[low] + share[:, None] * (mesh.vertices[high] - mesh.vertices[low]))
    pattern = marked @ np.array([1, 2, 4])
    place = np.searchsorted(cut, own)
    middle = np.where(marked, count + place, 0)
    upward = mesh.faces < np.roll(mesh.faces, -1, axis=1)  # whether an edge runs as its key says
    along = np.where(marked, np.where(upward, share[place % len(cut)], 1 - share[place % len(cut)]), 0.0)
    uv = mesh.uv
    kept = pattern == 0
    faces, origins = [mesh.faces[kept]], [np.flatnonzero(kept)]
    uvs = None if uv is None else [uv[kept]]
    for bits, (children, turn) in TURNS.items():
        which = np.flatnonzero(pattern == bits)
        if not len(which):
            continue
        corner = [(k + turn) % 3 for k in range(3)]
        points = np.concatenate([mesh.faces[which][:, corner], middle[which][:, corner]], axis=1)
        faces += [points[:, child] for child in children]
        origins += [which] * len(children)
        if uv is not None and uvs is not None:
            at = uv[which][:, corner]
            at = np.concatenate([at, at + along[which][:, corner, None] * (np.roll(at, -1, axis=1) - at)], axis=1)
            uvs += [at[:, child] for child in children]
    origin = np.concatenate(origins)
    return replace(
        mesh,
        vertices=np.concatenate([mesh.vertices, added]),
        faces=np.concatenate(faces).astype(np.int32),
        face_part=mesh.face_part[origin],
        uv=None if uvs is None else np.concatenate(uvs).astype(np.float32),
        face_defect=None if mesh.face_defect is None else mesh.face_defect[origin],
    )
