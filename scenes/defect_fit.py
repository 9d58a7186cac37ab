"""Whether a defect fits where it is put: how much of what it draws lands on its part, and on defects that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..assets.defect import Defect
from ..assets.defects.patch import layers_of, on_patch
from .defect_spots import Ground, Spot
from .scene import matrix
from .tracing import Tracer

__all__ = ["Landing", "Sheet", "Target", "patch"]

Vec = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Places of a mask that stand for all of it.
PLACES = 256
#: A sheet reaches so far from itself at most, in shares of its longer side, and so far at least, of its shorter one;
#: on rough ground it is not asked what hangs together, only what lies so near.
REACH, LEAST, ROUGH = 0.6, 0.03, 0.25
#: What is lowered stays within reach when it is lowered by so many of its depths.
DEPTHS = 1.2
#: A ray that asks for the far side of a wall starts so far in it.
BELOW_MM = 0.01
#: Rays along each side of a feature, to see of which part it is.
GRID = 9


def patch(spot: Spot, turn: float, scale: float) -> Vec:
    """(4, 4) from the unscaled mesh, metres, to a sheet at a spot, millimetres; `turn` about its normal, radians."""
    z = spot.normal / np.linalg.norm(spot.normal)
    side = np.cross(np.eye(3)[np.abs(np.round(z, 6)).argmin()], z)
    side /= np.linalg.norm(side)
    x = np.cos(turn) * side + np.sin(turn) * np.cross(z, side)
    to_patch = np.eye(4)
    to_patch[:3, :3] = np.stack([x, np.cross(z, x), z]) * scale * 1000
    to_patch[:3, 3] = -to_patch[:3, :3] @ spot.point
    return np.asarray(matrix(to_patch))


@dataclass(frozen=True)
class Sheet:
    """Places on a defect's sheet, (n, 2) mm, that it changes."""

    places: Vec
    size_mm: tuple[float, float]

    @classmethod
    def of(cls, rng: np.random.Generator, defect: Defect) -> Sheet:
        """Places of a defect's mask; for one that draws nothing those of the ellipse that fills its sheet."""
        layers, size_mm = layers_of(defect), defect.size_mm
        if layers is None:
            radius, angle = np.sqrt(rng.random(PLACES)) / 2, rng.uniform(0, 2 * np.pi, PLACES)
            share = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        else:
            h, w = layers.mask.shape
            there = np.flatnonzero(layers.mask >= 128)
            there = there if len(there) else np.arange(h * w)
            texel = there[(rng.random(PLACES) * len(there)).astype(np.int64)]
            share = np.stack([(texel % w + 0.5) / w - 0.5, (texel // w + 0.5) / h - 0.5], axis=1)
        return cls(share * size_mm, size_mm)


@dataclass(frozen=True)
class Landing:
    """What became of a sheet.

    Attributes:
        share: of its places, those that land on the surface around the spot, without steps between.
        reach_mm: how far it must reach for that.
        points: (n, 3) where they land, metres, unscaled mesh.
    """

    share: float
    reach_mm: float
    points: Vec

    def covered(self, others: Sequence[Defect]) -> float:
        """The share of it that lies on other defects."""
        taken = np.zeros(len(self.points), bool)
        for defect in others:
            at, layers = on_patch(defect, self.points), layers_of(defect)
            uv = at[:, :2] / defect.size_mm + 0.5
            on = (np.abs(at[:, 2]) <= defect.reach_mm) & ((uv >= 0) & (uv <= 1)).all(axis=1)
            taken |= on if layers is None else on & layers.label.covers(uv.astype(np.float32))
        return float(taken.mean()) if len(taken) else 0.0


class Target:
    """The sound mesh of one object, to throw sheets at."""

    def __init__(self, ground: Ground) -> None:
        self.ground, self.scale = ground, ground.item.scale

    @cached_property
    def _tracer(self) -> Tracer:
        return Tracer(self.ground.mesh.vertices.astype(np.float32), self.ground.mesh.faces)

    def land(self, sheet: Sheet, to_patch: Vec, spot: Spot, facing: float, depth_mm: float = 0.0) -> Landing:
        """Throw a sheet along its −z.

        What counts is the first surface of the spot's part that faces the sheet. The sheet reaches as far as the smooth
        surface around the spot bends away below it, so it does not mark what lies behind a step; and farther by the
        depth to which it moves the surface.
        """
        far, mesh = REACH * max(sheet.size_mm), self.ground.mesh
        starts, down, met, face = self._below(sheet.places, to_patch, far)
        n, on = self.ground.normals[face], mesh.vertices[mesh.faces[face, 0]]
        slope = np.einsum("ij,ij->i", n, down)
        met &= (np.round(-slope / np.linalg.norm(down[0]), 9) >= max(facing, 0.02)) & (
            mesh.face_part[face] == mesh.face_part[spot.faces[0]]
        )
        # Once more in double precision: the reach is stored.
        away = np.einsum("ij,ij->i", n, on - starts) / np.where(met, slope, 1)
        height = np.where(met, np.abs(far - away), np.inf)
        smooth = self.ground.creases.smooth
        if spot.rough:
            around = height <= ROUGH * min(sheet.size_mm)
        else:
            around = np.isin(smooth[face], smooth[list(spot.faces)]) & (height <= far)
        bend = float(height[around].max()) if around.any() else 0.0
        reach = max(1.1 * bend, LEAST * min(sheet.size_mm))
        landed = height <= reach
        return Landing(
            share=float((landed & around).mean()),
            reach_mm=float(f"{reach + DEPTHS * depth_mm:.3g}"),
            points=starts[landed] + away[landed, None] * down[landed],
        )

    def thickness(self, to_patch: Vec) -> float:
        """How far the material goes on below the middle of a sheet, mm; inf where nothing ends it."""
        back = np.linalg.inv(to_patch)
        start, down = back[:3, 3] - BELOW_MM * back[:3, 2], -back[:3, 2]
        (away,), _ = self._tracer.first_faces(down[None].astype(np.float32), start[None].astype(np.float32))
        return round(float(away) + BELOW_MM, 4)

    def part_below(self, size_mm: tuple[float, float], reach_mm: float, to_patch: Vec) -> str:
        """The part of which a sheet covers most; "" where it covers nothing."""
        at = (np.arange(GRID) + 0.5) / GRID - 0.5
        places = np.stack(np.meshgrid(at * size_mm[0], at * size_mm[1]), axis=-1).reshape(-1, 2)
        _, _, met, face = self._below(places, to_patch, reach_mm)
        parts = np.bincount(self.ground.mesh.face_part[face[met]], minlength=len(self.ground.mesh.part_names))
        return self.ground.mesh.part_names[int(parts.argmax())] if met.any() else ""

    def _below(self, places: Vec, to_patch: Vec, far: float) -> tuple[Vec, Vec, Bools, npt.NDArray[np.int64]]:
        """Rays along −z from `far` mm above the places of a sheet.

        (n, 3) starts, and ways of a millimetre, in the mesh's frame; (n,) whether they meet anything, and which face.
        """
        back = np.linalg.inv(to_patch)
        starts = np.column_stack([places, np.full(len(places), far)]) @ back[:3, :3].T + back[:3, 3]
        down = np.tile(-back[:3, 2], (len(starts), 1))
        away, face = self._tracer.first_faces(down.astype(np.float32), starts.astype(np.float32))
        met = np.isfinite(away)
        return starts, down, met, np.where(met, face, 0).astype(np.int64)
