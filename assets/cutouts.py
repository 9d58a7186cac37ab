"""Cut-outs: the parts of a user's mesh that are there only where a picture says so, as leaves and perforated sheets.

What decides is the alpha of a picture at the texture coordinates of a point, interpolated as Blender does it for the
picture, so that the ray engine can tell for any point what Cycles will show there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Cutout", "Extension", "Gaps", "Opacity"]

#: What lies beyond the picture, in Blender's words.
Extension = Literal["REPEAT", "EXTEND", "CLIP", "MIRROR"]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cutout:
    """Where a part is there.

    Attributes:
        alpha: (h, w) uint8, 255 is opaque; row 0 lies at v = 0, the bottom of the picture.
        least: there is something where the interpolated alpha, 0 … 1, is this much or more;
        inverted: or less than that.
        smooth: bilinear between the centres of texels; else the nearest.
        extension: beyond the picture.
    """

    alpha: npt.NDArray[np.uint8]
    least: float
    inverted: bool = False
    smooth: bool = True
    extension: Extension = "REPEAT"

    @property
    def sha256(self) -> bytes:
        """Hash of all of it."""
        facts = repr((self.alpha.shape, float(self.least), self.inverted, self.smooth, self.extension))
        return hashlib.sha256(facts.encode() + self.alpha.tobytes()).digest()

    def covers(self, uv: Floats) -> Bools:
        """(n,) whether there is something at texture coordinates (n, 2)."""
        return np.asarray((self._alpha(uv) >= np.float32(self.least)) != self.inverted)

    def _alpha(self, uv: Floats) -> Floats:
        h, w = self.alpha.shape
        x, y = uv[:, 0].astype(np.float32) * np.float32(w), uv[:, 1].astype(np.float32) * np.float32(h)
        if not self.smooth:
            return self._texels(np.floor(x), np.floor(y))
        x, y = x - np.float32(0.5), y - np.float32(0.5)
        left, low = np.floor(x), np.floor(y)
        s, t = x - left, y - low
        below = (1 - s) * self._texels(left, low) + s * self._texels(left + 1, low)
        above = (1 - s) * self._texels(left, low + 1) + s * self._texels(left + 1, low + 1)
        return np.asarray((1 - t) * below + t * above, np.float32)

    def _texels(self, x: Floats, y: Floats) -> Floats:
        h, w = self.alpha.shape
        i, j = _wrapped(x.astype(np.int64), w, self.extension), _wrapped(y.astype(np.int64), h, self.extension)
        values = self.alpha[j.clip(0, h - 1), i.clip(0, w - 1)].astype(np.float32) / np.float32(255)
        if self.extension != "CLIP":
            return np.asarray(values, np.float32)
        return np.where((i >= 0) & (i < w) & (j >= 0) & (j < h), values, np.float32(0))


def _wrapped(i: npt.NDArray[np.int64], n: int, extension: Extension) -> npt.NDArray[np.int64]:
    if extension == "REPEAT":
        return i % n
    if extension == "MIRROR":
        j = i % (2 * n)
        return np.where(j < n, j, 2 * n - 1 - j)
    return i


@dataclass(frozen=True)
class Opacity:
    """What the materials of a user's file let through.

    Attributes:
        clear: parts that let more than half of the light through, everywhere.
        cutouts: parts with holes.
        unclear: part → why nobody can say. All others are opaque.
    """

    clear: frozenset[str] = frozenset()
    cutouts: Mapping[str, Cutout] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gaps:
    """The holes of a set of F triangles.

    Attributes:
        uv: (F, 3, 2) texture coordinates of the corners.
        which: (F,) position in `cutouts`, −1 for a triangle without holes.
    """

    uv: Floats
    which: npt.NDArray[np.int16]
    cutouts: tuple[Cutout, ...]

    def of(self, faces: npt.NDArray[np.intp] | Bools) -> Gaps:
        """The holes of some of the triangles."""
        return Gaps(self.uv[faces], self.which[faces], self.cutouts)

    def opened(self, face: npt.NDArray[np.integer[Any]], u: Floats, v: Floats) -> Bools:
        """(n,) whether points lie in a hole: each by its triangle and its weights at corners 1 and 2."""
        out = np.zeros(len(face), bool)
        for k, cutout in enumerate(self.cutouts):
            here = np.flatnonzero(self.which[face] == k)
            a, b, c = (self.uv[face[here], corner] for corner in range(3))
            s, t = u[here, None], v[here, None]
            out[here] = ~cutout.covers((1 - s - t) * a + s * b + t * c)
        return out
