"""The triangle mesh that both label engines see, and its content hash."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .cutouts import Cutout

__all__ = ["Feature", "Mesh", "Region", "snap"]

#: Vertices are hashed on this grid (metres), so that the last bits of a sine do not change a mesh's name.
HASH_GRID_M = 1e-7

#: Points per metre of the grid that geometry is snapped to: 2⁻³⁴ m is 0.06 nm, and a power of two divides exactly.
GRID_PER_M = 2.0**34


def snap(points: npt.ArrayLike, per_metre: float = GRID_PER_M) -> npt.NDArray[np.float64]:
    """Points (metres) on a grid, so that the same part is the same on every processor.

    The last bits of a sine or of a matrix product depend on the vector instructions of the machine. Whatever decides by
    comparing such numbers (a triangulation, a boolean, a hull) must not see them.
    """
    return np.asarray(np.rint(np.asarray(points, dtype=np.float64) * per_metre) / per_metre + 0.0)  # no -0.0


@dataclass(frozen=True)
class Feature:
    """One thing on a part that can be missing, such as a tooth, a pip or a screw.

    Attributes:
        sort: what it is, for people: "tooth", "pip", "screw".
        how: "cut": it is broken off where the frame's plane z = 0 lies; "fill": a recess that was never made, filled up
            to that plane; "remove": a closed body of its own, left out.
        frame: (4, 4) rigid, from the feature's frame to the mesh's, metres; z points out of the material.
        size_m: width and height of what it takes up in the frame's x and y, centred.
        reach_m: it lies within so much of the plane z = 0, on either side.
    """

    sort: str
    how: Literal["cut", "fill", "remove"]
    frame: npt.NDArray[np.float64]
    size_m: tuple[float, float]
    reach_m: float


#: A region of a part that has a name: the corners of a box in the mesh's frame, metres.
Region = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in metres, in its object frame (right-handed, z up), origin at the centre of its bounding box.

    Attributes:
        vertices: (V, 3) float64, metres.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        face_part: (F,) uint8, index into `part_names`; each part takes its own material.
        part_names: names of the parts, for example ("body", "pips").
        uv: (F, 3, 2) float32, one texture coordinate per face corner, or None.
        keypoints: name → (3,) point in metres, object frame.
        cutouts: name of a part → where it is there, by `uv`; a part that is not named has no holes.
        smooth_angle: radians; edges sharper than this are shaded as edges, the others as a smooth surface.
        face_defect: (F,) uint16, id of the defect that made or moved a face, 0 for sound ones; None without such faces.
        nominal_m: (3,) size that the part was meant to have, where a defect has changed it; see `extents`.
        moved: (V, 3) metres by which a deformation has moved each vertex, None without one: the grain of a material
            goes with it, so patterns are those of where the vertex was.
        features: what may be missing, by name; regions: named places, "thread" for example.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]
    face_part: npt.NDArray[np.uint8]
    part_names: tuple[str, ...] = ("body",)
    uv: npt.NDArray[np.float32] | None = None
    keypoints: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    smooth_angle: float = np.deg2rad(30.0)
    cutouts: Mapping[str, Cutout] = field(default_factory=dict)
    face_defect: npt.NDArray[np.uint16] | None = None
    nominal_m: tuple[float, float, float] | None = None
    moved: npt.NDArray[np.float64] | None = None
    features: Mapping[str, Feature] = field(default_factory=dict)
    regions: Mapping[str, Region] = field(default_factory=dict)

    def __post_init__(self) -> None:
        v, f = self.vertices, self.faces
        if v.ndim != 2 or v.shape[1:] != (3,) or f.ndim != 2 or f.shape[1:] != (3,):
            raise AssetError(f"a mesh needs (V, 3) vertices and (F, 3) faces, got {v.shape} and {f.shape}")
        if len(f) == 0:
            raise AssetError("the mesh has no faces: export it as triangles, not as points or curves")
        if not np.isfinite(v).all():
            bad = int((~np.isfinite(v)).any(axis=1).sum())
            raise AssetError(f"{bad} of {len(v)} vertices are NaN or infinite: repair the file in its source program")
        if f.min() < 0 or f.max() >= len(v):
            raise AssetError(f"faces name vertex {int(f.max())}, but the mesh has {len(v)}: the file is damaged")
        if self.face_part.shape != (len(f),) or int(self.face_part.max()) >= len(self.part_names):
            raise AssetError("face_part must give every face an index into part_names")
        if self.uv is not None and self.uv.shape != (len(f), 3, 2):
            raise AssetError(f"uv must have shape ({len(f)}, 3, 2), got {self.uv.shape}")
        if self.face_defect is not None and self.face_defect.shape != (len(f),):
            raise AssetError(f"face_defect must have shape ({len(f)},), got {self.face_defect.shape}")
        if self.moved is not None and self.moved.shape != v.shape:
            raise AssetError(f"moved must have shape {v.shape}, got {self.moved.shape}")

    @property
    def extents(self) -> npt.NDArray[np.float64]:
        """(3,) size of the axis-aligned box in the object frame, metres; a damaged part's is that of the sound one.

        Poses, boxes in space and normalised coordinates are about the part as it was meant to be.
        """
        if self.nominal_m is not None:
            return np.asarray(self.nominal_m, dtype=np.float64)
        return np.asarray(np.ptp(self.vertices, axis=0), dtype=np.float64)

    def within(self, parts: Collection[str]) -> npt.NDArray[np.bool_]:
        """(F,) which faces belong to the named parts."""
        return np.isin(self.face_part, [k for k, name in enumerate(self.part_names) if name in parts])

    @property
    def nbytes(self) -> int:
        """Size of the arrays in memory, bytes."""
        arrays = (self.vertices, self.faces, self.face_part, self.uv, self.face_defect, self.moved)
        masks = sum(cutout.alpha.nbytes for cutout in self.cutouts.values())
        return masks + sum(array.nbytes for array in arrays if array is not None)

    @cached_property
    def exact(self) -> bytes:
        """Hash of the geometry to its last bit, for caches of what is computed from it.

        `sha256` does not serve there: meshes less than its grid apart share it, and a cache that gives one of them what
        belongs to the other makes a scene depend on the scenes that the process has drawn before.
        """
        h = hashlib.blake2b(self.vertices.tobytes(), digest_size=16)
        h.update(self.faces.tobytes())
        return h.digest()

    @cached_property
    def sha256(self) -> str:
        """Hash of everything that a picture or a label can depend on; vertices on a 0.1 µm grid. Computed once."""
        h = hashlib.sha256()
        h.update(np.rint(self.vertices / HASH_GRID_M).astype("<i8").tobytes())
        h.update(self.faces.astype("<i4").tobytes())
        h.update(self.face_part.astype("<u1").tobytes())
        h.update("\0".join(self.part_names).encode())
        if self.uv is not None:
            h.update(np.rint(self.uv * 1e5).astype("<i4").tobytes())
        for name in sorted(self.keypoints):
            h.update(name.encode() + np.rint(np.asarray(self.keypoints[name]) / HASH_GRID_M).astype("<i8").tobytes())
        h.update(f"{self.smooth_angle:.6f}".encode())
        for name in sorted(self.cutouts):
            h.update(name.encode() + self.cutouts[name].sha256)
        if self.face_defect is not None:
            h.update(self.face_defect.astype("<u2").tobytes())
        if self.moved is not None:
            h.update(np.rint(self.moved / HASH_GRID_M).astype("<i8").tobytes())
        return h.hexdigest()
