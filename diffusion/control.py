"""Control pictures from ground truth, as ControlNets expect them from their estimators.

Estimators guess depth, normals and edges from a picture; a dataset knows them. All functions are pure: arrays of one
height and width in, (h, w, 3) uint8 out. Depth is metres along the optical axis, inf where nothing is; ids are 0 where
no object is; normals are as `render.normals` has them: unit vectors in the camera frame (x right, y down, z forward),
towards the camera, 0 where nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .depth_normals import normals_of

__all__ = [
    "CONTROLS",
    "Control",
    "Truth",
    "control_picture",
    "depth_picture",
    "edge_picture",
    "normal_picture",
    "palette",
    "segment_picture",
]

Control = Literal["depth", "normals", "edges", "segments"]
CONTROLS: tuple[Control, ...] = get_args(Control)

Picture = npt.NDArray[np.uint8]
Depth = npt.NDArray[np.float32]
Normals = npt.NDArray[np.float32]
Ids = npt.NDArray[Any]

#: The share of the range of depths that lies between the farthest surface and nothing.
VOID = 0.1
#: Two neighbouring pixels are a step apart when the inverse depth between them changes by this share more than beside.
STEP = 0.01
#: Two neighbouring pixels are on two sides of a crease when their normals differ by more, degrees.
CREASE_DEG = 30.0
#: Powers of 1 / g, where g⁴ = g + 1.
R3 = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


@dataclass(frozen=True)
class Truth:
    """What a dataset keeps of an image, from which control pictures are made.

    Attributes:
        ids: (h, w) instance ids.
        depth_m: (h, w) float32.
        toward: (h, w, 3) directions through the pixels' centres, `scenes.cameras.pixel_directions`.
        unit_m: the step that the depth is rounded to, 0 for none.
        normals: (h, w, 3), or None where the dataset keeps none: they are fitted to the depth then.
        stuff: (h, w), or None where the dataset keeps none.
        colors: instance id → colour of its segment; empty for `palette`.
    """

    ids: Ids
    depth_m: Depth
    toward: npt.NDArray[np.float64]
    unit_m: float = 0.0
    normals: Normals | None = None
    stuff: Ids | None = None
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)


def control_picture(kind: Control, truth: Truth) -> Picture:
    """A control picture (h, w, 3) of one kind."""
    if kind == "depth":
        return depth_picture(truth.depth_m)
    if kind == "segments":
        return segment_picture(truth.ids, truth.colors or palette(int(k) for k in np.unique(truth.ids)))
    normals = truth.normals
    if normals is None:
        normals = normals_of(truth.toward, truth.depth_m, truth.ids, truth.unit_m)
    if kind == "normals":
        return normal_picture(normals)
    return edge_picture(truth.ids, truth.depth_m, normals, truth.stuff, truth.unit_m)


def depth_picture(depth_m: Depth) -> Picture:
    """Inverse depth, near is bright, from the farthest surface (0) to the nearest (255), as MiDaS gives it.

    Where nothing is, it is 0, and the farthest surface is then a little brighter. One depth all over is 255.
    """
    seen = np.isfinite(depth_m) & (depth_m > 0)
    if not seen.any():
        return np.zeros((*depth_m.shape, 3), np.uint8)
    inverse = np.where(seen, 1 / np.where(seen, depth_m, 1).astype(np.float64), 0)
    low, high = inverse[seen].min(), inverse[seen].max()
    low -= 0 if seen.all() else VOID * (high - low)
    share = (inverse - low) / (high - low) if high > low else np.ones_like(inverse)
    return _grey(np.rint(255 * np.where(seen, share, 0)).astype(np.uint8))


def normal_picture(normals: Normals) -> Picture:
    """Normals in the colours that the normal ControlNets of Stable Diffusion were trained on, after ScanNet.

    Red is left, green is up, blue is towards the camera: colour = 255 (1 − n) / 2. Nothing faces the camera.
    """
    facing = np.array([0, 0, -1], np.float32)
    filled = np.where(normals.any(axis=2, keepdims=True), normals, facing)
    return np.asarray(np.rint(255 * (1 - filled.clip(-1, 1)) / 2), np.uint8)


def edge_picture(
    ids: Ids, depth_m: Depth, normals: Normals | None = None, stuff: Ids | None = None, unit_m: float = 0.0
) -> Picture:  # fmt: skip
    """White lines on black, as Canny's would lie: outlines of the ids and of the stuff, steps of depth, and creases.

    A line is one pixel wide and belongs to what is in front. Without normals there are no creases, without stuff what
    lies around the objects is seen by its steps and creases alone. `unit_m` is the step that the depth is rounded to.
    """
    lines = np.zeros(ids.shape, np.bool_)
    with np.errstate(divide="ignore"):
        near = np.where(np.isfinite(depth_m) & (depth_m > 0), 1 / depth_m.astype(np.float64), 0)
    for axis in (0, 1):
        a, b = _pairs(ids, axis)
        differ = a != b
        if stuff is not None:
            differ |= np.not_equal(*_pairs(stuff, axis))
        differ |= _steps(near, axis, unit_m)
        if normals is not None:
            differ |= _creases(normals, axis)
        n, m = _pairs(near, axis)
        first, second = _pairs(lines, axis)
        first |= differ & (n >= m)
        second |= differ & (n < m)
    return _grey(np.where(lines, np.uint8(255), np.uint8(0)))


def _pairs(image: npt.NDArray[Any], axis: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Views of an image that put each pixel beside its neighbour below (axis 0) or to the right (axis 1)."""
    return (image[:-1], image[1:]) if axis == 0 else (image[:, :-1], image[:, 1:])


def _steps(near: npt.NDArray[np.float64], axis: int, unit_m: float) -> npt.NDArray[np.bool_]:
    """Pairs of pixels between which the surface ends.

    Inverse depth is linear in the image on a plane, however steep: what a pair changes more than both pairs beside it
    is no slope. Rounding makes up to two units of depth of such a difference.
    """
    slope = np.diff(near, axis=axis)
    beside = np.pad(slope, [(1, 1) if k == axis else (0, 0) for k in range(2)], mode="edge")
    before, after = (beside[:-2], beside[2:]) if axis == 0 else (beside[:, :-2], beside[:, 2:])
    jump = np.minimum(np.abs(slope - before), np.abs(slope - after))
    nearer = np.maximum(*_pairs(near, axis))
    return np.asarray(jump > STEP * nearer + 2 * unit_m * nearer**2)


def _creases(normals: Normals, axis: int) -> npt.NDArray[np.bool_]:
    """Pairs of pixels whose normals turn."""
    a, b = _pairs(normals, axis)
    both = a.any(axis=2) & b.any(axis=2)
    return np.asarray(both & (np.einsum("hwk,hwk->hw", a, b) < np.cos(np.radians(CREASE_DEG))))


def segment_picture(labels: Ids, colors: Mapping[int, tuple[int, int, int]]) -> Picture:
    """Each label of a map (h, w), of ids or categories, in its colour; 0 is black unless it has one.

    For a ControlNet that was trained on the colours of a dataset, such as ADE20K, give the colours of its classes;
    otherwise `palette` makes some. UsageError when a label has none.
    """
    present = np.unique(labels)
    missing = [int(k) for k in present if k != 0 and int(k) not in colors]
    if missing:
        raise UsageError(f"labels {missing[:8]} have no colour: give one for each of them, or use `palette`")
    table = np.array([colors.get(int(k), (0, 0, 0)) for k in present], np.uint8).reshape(-1, 3)
    return table[np.searchsorted(present, labels)]


def palette(labels: Iterable[int]) -> dict[int, tuple[int, int, int]]:
    """Well separated colours for labels above 0, the same for a label whatever others there are."""
    return {k: _color(k) for k in labels if k > 0}


def _color(label: int) -> tuple[int, int, int]:
    """The next colour of a sequence that fills the cube of colours evenly: Roberts' R₃ (2018), off black."""
    red, green, blue = (round(48 + 207 * (label * step % 1)) for step in R3)
    return red, green, blue


def _grey(image: Picture) -> Picture:
    return np.repeat(image[..., None], 3, axis=2)
