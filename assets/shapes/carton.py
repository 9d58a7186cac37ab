"""Cartons: the printed folding box of tea or screws, and the brown shipping box with its tape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import manifold3d
import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ..mesh import Mesh
from .base import Faces, Params, Points, Solid, centred, from_manifold, merge_parts, moved, number, to_manifold
from .completed import completed
from .primitives import rounded_box

__all__ = ["CartonParams", "carton", "carton_rand"]

Style = Literal["folding", "shipping"]
#: Board of the folding box and of corrugated shipping board (B flute), metres.
BOARD = {"folding": 0.0005, "shipping": 0.003}
#: Least side: a folding box smaller than this has no room for its flap, metres.
LEAST_M = 0.015
#: Packing tape: half of 50 mm, thickness, and how far its ends come down the sides, metres.
TAPE_HALF, TAPE_THICK, TAPE_DOWN = 0.025, 0.0001, 0.06


class CartonParams(Params):
    """A closed carton, x_m wide at the front, z_m high. `folding` has a tuck flap, `shipping` two flaps under tape."""

    style: Annotated[Style, Field(description="folding: a printed box; shipping: corrugated board, taped")] = "folding"
    x_m: Annotated[float, Field(ge=LEAST_M, le=2, description="width, metres")]
    y_m: Annotated[float, Field(ge=LEAST_M, le=2, description="depth, metres")]
    z_m: Annotated[float, Field(ge=LEAST_M, le=2, description="height, metres")]

    @model_validator(mode="after")
    def _has_room(self) -> CartonParams:
        least = 0.08
        if self.style == "shipping" and min(self.x_m, self.y_m, self.z_m) < least:
            raise ValueError(f"a shipping carton has sides of {least} m at least: raise the sides, or use `folding`")
        return self


def carton(p: CartonParams) -> Mesh:
    """Stands on z; parts `body` and, on shipping cartons, `tape`; every side has the whole texture; keypoints as a box.

    Keypoints corner_0 … corner_7: the bits x, y, z of the number choose the side, without the rounding.
    """
    size = (p.x_m, p.y_m, p.z_m)
    board = BOARD[p.style]
    body = to_manifold(rounded_box(size, 1.2 * board, 2))
    for seam in _seams(p, board):
        body = body - to_manifold(seam)
    v, f, _ = from_manifold(body)
    pieces = [(v, f, 0)]
    if p.style == "shipping":
        pieces.append((*_tape(p), 1))
    vertices, faces, part = merge_parts(pieces)
    half = np.array(size) / 2
    signs = [[1 if i >> axis & 1 else -1 for axis in range(3)] for i in range(8)]
    return centred(
        vertices,
        faces,
        face_part=part,
        part_names=("body", "tape")[: len(pieces)],
        uv=side_uv(vertices, faces, half),
        keypoints={f"corner_{i}": half * s for i, s in enumerate(signs)},
    )


def carton_rand(rng: np.random.Generator, given: Mapping[str, object]) -> CartonParams:
    """A folding box of 5 to 20 cm, narrower than high more often than not; every fourth is a shipping carton."""
    style = given.get("style", "shipping" if rng.random() < 0.25 else "folding")
    drawn: dict[str, Any] = {
        "x_m": rng.uniform(0.06, 0.16), "y_m": rng.uniform(0.03, 0.10), "z_m": rng.uniform(0.08, 0.22),
    }  # fmt: skip
    if style == "shipping":
        drawn = {"x_m": rng.uniform(0.2, 0.45), "y_m": rng.uniform(0.15, 0.35), "z_m": rng.uniform(0.1, 0.3)}
    usual = {"style": style, **drawn}
    sides = [number(given, side, drawn[side]) for side in ("x_m", "y_m", "z_m")]
    small = min(sides) < 0.08
    return completed(CartonParams, given, usual, [{**usual, "style": "folding"}] if small else [])


def _seams(p: CartonParams, board: float) -> list[Solid]:
    """What is cut out where boards meet: the gap below the lid at its front, or between the two flaps of a top."""
    x, y, z = p.x_m / 2, p.y_m / 2, p.z_m / 2
    if p.style == "shipping":
        gap = (2 * x + 0.002, 0.0016, 2 * board)
        return [moved(rounded_box(gap, 0.0), (0.0, 0.0, z))]
    gap = (2 * x - 4 * board, 0.002, 0.6 * board)
    return [moved(rounded_box(gap, 0.0), (0.0, -y, z - 1.6 * board))]


def _tape(p: CartonParams) -> Solid:
    """A closed strip along x over the seam and down both ends, its thickness outside the box."""
    x, z, t = p.x_m / 2, p.z_m / 2, TAPE_THICK
    down = z - min(TAPE_DOWN, 0.6 * p.z_m)
    bend = 1.2 * BOARD["shipping"]
    outer, inner = _saddle(x + t, z + t, down, bend + t), _saddle(x, z, down, bend)
    outline = np.concatenate([outer, inner[::-1]])
    strip = manifold3d.CrossSection([outline]).extrude(2 * TAPE_HALF)  # along z; then z goes to -y
    mesh = strip.to_mesh64()
    points = np.asarray(mesh.vert_properties[:, :3], dtype=np.float64) - (0.0, 0.0, TAPE_HALF)
    turn = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    return moved((points, np.asarray(mesh.tri_verts, dtype=np.int32)), rotation=turn)


def _saddle(x: float, z: float, down: float, bend: float, steps: int = 4) -> Points:
    """(N, 2) from the low end on the right over the top to the low end on the left, with bent corners."""
    turn = np.deg2rad(np.linspace(0, 90, steps + 1))
    corner = np.column_stack([np.cos(turn), np.sin(turn)]) * bend
    right = corner + np.array([x - bend, z - bend])
    left = corner[::-1] * (-1, 1) + np.array([-(x - bend), z - bend])
    return np.concatenate([[[x, down]], right, left, [[-x, down]]])


def side_uv(vertices: Points, faces: Faces, half: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """(F, 3, 2) texture coordinates: the side that a face lies nearest to shows (0, 0) to (1, 1), v up, as seen.

    On the top and the bottom v runs along y. Faces on rounded edges go with the side that they look to most.
    """
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    axis = np.argmax(np.round(np.abs(normal), 6), axis=1)
    sign = np.sign(normal[np.arange(len(faces)), axis])
    unit = corners / (2 * half) + 0.5
    across = np.where((axis == 0)[:, None], unit[..., 1], unit[..., 0])
    # Seen from outside, x runs to the right on the front (-y) and the top, to the left on the back; y likewise.
    mirrored = np.where(axis == 0, sign < 0, np.where(axis == 1, sign > 0, sign < 0))
    u = np.where(mirrored[:, None], 1 - across, across)
    v = np.where((axis == 2)[:, None], unit[..., 1], unit[..., 2])
    return np.asarray(np.clip(np.stack([u, v], axis=-1), 0, 1), dtype=np.float32)
