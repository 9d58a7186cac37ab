"""ISO metric screw threads (ISO 68-1 profile, ISO 261 sizes, ISO 724 diameters) as helical grids with exact creases.

The grid's rows follow the helix, so every crest and root edge is a row of vertices and shades as a crisp line. Where
the thread leaves the body (the chamfer of a tip, the countersink of a nut), each column's polyline is clipped by the
cone exactly; where it ends on a shank, it runs out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Cone", "MetricThread", "RunOut", "thread_grid"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MetricThread:
    """Nominal diameter and pitch in one unit; the derived diameters are those of ISO 724 and ISO 68-1."""

    diameter: float
    pitch: float

    @property
    def height(self) -> float:
        """H = √3/2 · P, the fundamental triangle."""
        return float(np.sqrt(3) / 2 * self.pitch)

    @property
    def pitch_diameter(self) -> float:
        """d₂ = d − 3/4 H."""
        return self.diameter - 0.75 * self.height

    @property
    def minor_diameter(self) -> float:
        """d₁ = D₁ = d − 5/4 H: the crest of a nut's thread."""
        return self.diameter - 1.25 * self.height

    @property
    def root_diameter(self) -> float:
        """d₃ = d − 17/12 H: the bottom of a bolt's rounded root."""
        return self.diameter - 17 / 12 * self.height

    def external(self) -> Floats:
        """(5, 2) one pitch of a bolt's profile: (phase in pitches from the root's bottom, radius)."""
        crest, root, bottom = self.diameter / 2, self.minor_diameter / 2, self.root_diameter / 2
        return np.array([(0, bottom), (1 / 8, root), (7 / 16, crest), (9 / 16, crest), (7 / 8, root)])

    def internal(self) -> Floats:
        """(4, 2) one pitch of a nut's profile: (phase in pitches from the groove's middle, radius)."""
        crest, groove = self.minor_diameter / 2, self.diameter / 2
        return np.array([(1 / 16, groove), (3 / 8, crest), (5 / 8, crest), (15 / 16, groove)])


@dataclass(frozen=True)
class Cone:
    """Radius of the body at one end of the thread, where no thread is left, and its slope dr/dz along +z."""

    radius: float
    slope: float


@dataclass(frozen=True)
class RunOut:
    """From height `start` to `end` (above it) the profile fades into a plain shank of this radius."""

    radius: float
    start: float
    end: float


def thread_grid(
    profile: Floats, pitch: float, bottom: float, top: float, low: Cone, high: Cone | RunOut, at: Floats
) -> tuple[Floats, int]:
    """A right-hand helical surface between the heights `bottom` and `top`, with a level circle at either end.

    Args:
        profile: (M, 2) of (phase, radius) over one pitch, phases increasing in [0, 1).
        pitch, bottom, top: lengths; one turn rises by `pitch`.
        low, high: how the thread ends; a cone with the smaller radius cuts a bolt's crests, a wider one a nut's.
        at: (N,) increasing angles in [0, 2π), radians.

    Returns:
        the grid (N, K, 3), angle × row, and M, the rows by which the seam is shifted: see `RingWalk.tube`.
    """
    turns = int(np.ceil((top - bottom) / pitch)) + 2
    phase = (np.arange(-1, turns - 1)[:, None] + profile[:, 0]).ravel()
    z = bottom + pitch * (phase[None, :] + at[:, None] / (2 * np.pi))
    r = np.broadcast_to(np.tile(profile[:, 1], turns), z.shape)
    outward = 1.0 if low.slope > 0 else -1.0  # a bolt is kept below its cones, a nut above
    excess = np.maximum(outward * (r - low.radius - low.slope * (z - bottom)), np.maximum(bottom - z, z - top))
    if isinstance(high, Cone):
        excess = np.maximum(excess, outward * (r - high.radius - high.slope * (z - top)))
    else:
        r = high.radius + (r - high.radius) * np.clip((high.end - z) / (high.end - high.start), 0, 1)
    ends = np.array([(low.radius, bottom), (high.radius, top)])
    columns = np.stack([r, z], axis=-1)
    for column, e in zip(columns, excess, strict=True):
        _clip(column, e, 0.01 * pitch, ends, isinstance(high, RunOut))
    return np.concatenate(
        [columns[..., :1] * np.stack([np.cos(at), np.sin(at)], axis=-1)[:, None], columns[..., 1:]], -1
    ), len(profile)


def _clip(column: Floats, excess: Floats, slack: float, ends: Floats, plain_end: bool) -> None:
    """Lay each stretch of one column's (K, 2) polyline that is outside the body onto the body's outline, in place.

    A stretch keeps its number of points, spread evenly from where the polyline leaves the body to where it returns;
    the first stretch begins and the last one ends on the given end points. A plain shank has no crease to mark: there
    the last stretch goes on from the last point inside.
    """
    outside = excess > -slack  # points that only touch count as outside: no vanishing edges beside the cut
    outside[[0, -1]] = True
    turns = np.flatnonzero(np.diff(np.concatenate([[False], outside, [False]]).astype(np.int8)))
    original = column.copy()
    for start, stop in zip(turns[::2], turns[1::2], strict=True):
        first, last = start == 0, stop == len(column)
        leave = ends[0] if first else _crossing(original, excess, start - 1, start)
        back = ends[1] if last else _crossing(original, excess, stop, stop - 1)
        share = (
            np.linspace(0, 1, stop - start) if stop - start > 1 else np.array([0.0 if first else 1.0 if last else 0.5])
        )
        if last and plain_end:
            leave, share = original[start - 1], np.arange(1, stop - start + 1) / (stop - start)
        column[start:stop] = leave + (back - leave) * share[:, None]


def _crossing(column: Floats, excess: Floats, inside: int, outside: int) -> Floats:
    """Where the segment between two rows meets the body's outline; the outer row itself where it lies within."""
    a, b = excess[inside], excess[outside]
    share = a / (a - b) if b > 0 else 1.0
    return np.asarray(column[inside] + (column[outside] - column[inside]) * share)
