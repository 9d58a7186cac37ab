"""Plates with rounded edges: what is cut or stamped from sheet."""

from __future__ import annotations

from collections.abc import Sequence

import manifold3d
import numpy as np

from ...errors import AssetError
from ..mesh import snap
from .base import Points, Solid, loft

__all__ = ["rounded_extrude"]


def rounded_extrude(outer: Points, holes: Sequence[Points], thickness: float, edge: float, segments: int = 3) -> Solid:
    """A plate from z = 0 to z = `thickness` whose every edge, those of the holes too, is rounded with radius `edge`.

    `outer` runs counter-clockwise, each hole clockwise; (N, 2) metres. Outlines must be gentler than `edge`: the
    rounding moves each vertex along its mitre, so a curve tighter than `1.5 * edge` would fold over.
    """
    if not 0 < edge <= thickness / 2:
        raise AssetError(f"the edge radius must lie in (0, thickness / 2 = {thickness / 2:.6f}] m, got {edge:.6f}")
    t = np.linspace(0.0, np.pi / 2, segments + 1)
    inset = [1.5 * edge, *(edge * (1 - np.sin(t)))]
    height = [0.0, *(edge * (1 - np.cos(t)))]
    if thickness > 4 * edge:
        inset.append(0.0)
        height.append(1.5 * edge)
    levels = [
        *zip(inset, height, strict=True),
        *((i, thickness - z) for i, z in zip(inset[::-1], height[::-1], strict=True)),
    ]
    if thickness <= 2 * edge * (1 + 1e-9):
        del levels[len(inset)]
    pieces: list[Solid] = []
    caps: list[Points] = []
    bottom, top, used = [], [], 0
    for outline in (outer, *holes):
        n, mitre = len(outline), _mitres(outline)
        rings = np.array([np.column_stack([outline + mitre * i, np.full(n, z)]) for i, z in levels])
        v, f = loft(rings)
        pieces.append((v[:-2], f[: -2 * n] + used))
        caps.append(outline + mitre * inset[0])
        bottom.append(np.arange(n) + used)
        top.append(np.arange(n) + used + n * (len(levels) - 1))
        used += n * len(levels)
    cap = np.asarray(manifold3d.triangulate([np.ascontiguousarray(snap(c)) for c in caps]), dtype=np.int64)
    faces = [*(f for _, f in pieces), np.concatenate(bottom)[cap[:, ::-1]], np.concatenate(top)[cap]]
    return np.concatenate([v for v, _ in pieces]), np.concatenate(faces).astype(np.int32)


def _mitres(outline: Points) -> Points:
    """(N, 2) vectors that move each vertex of an outline so that both its sides move left by one unit."""
    ahead = np.roll(outline, -1, axis=0) - outline
    ahead = ahead / np.linalg.norm(ahead, axis=1)[:, None]
    left = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    before = np.roll(left, 1, axis=0)
    return np.asarray((left + before) / (1 + np.einsum("ij,ij->i", left, before))[:, None], dtype=np.float64)
