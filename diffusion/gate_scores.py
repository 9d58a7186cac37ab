"""What the label gate asks for, what it measures, and which rules that breaks. Plain data: it goes into records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["InstanceScores", "PictureScores", "Rules", "Verdict", "instance_faults", "picture_faults"]


@dataclass(frozen=True)
class Rules:
    """What the gate asks for; lengths in pixels, `…_sigmas` a motion's evidence over its standard error.

    Set on renders of the recipes hardware, tabletop, bin and conveyor; `tests/benchmarks/check_gate.py` tries others.
    """

    #: A point of an outline is seen where the render's gradient is so many Lab units a pixel.
    seen_gradient: float = 1.5
    #: What is checkable has so many seen points, so large a share of all, and so much evidence in the trial.
    least_points: int = 24
    least_seen: float = 0.4
    least_power: float = 0.75
    trial_px: float = 2.0
    #: So far around instances that are not checkable the render is pasted back.
    frozen_px: int = 3
    #: The outline as a whole has moved, or grown or shrunk by a margin, or by a factor.
    moved_px: float = 1.1
    moved_sigmas: float = 0.4
    grown_px: float = 1.0
    grown_sigmas: float = 1.8
    scaled_px: float = 1.0
    scaled_sigmas: float = 1.5
    #: A stretch of 64 points has moved, or grown or shrunk by a margin.
    bent_px: float = 1.0
    bent_grown_px: float = 1.5
    bent_sigmas: float = 2.5
    #: The more a re-segmentation agrees with the mask, over this, the less a motion's evidence counts, down to a share.
    doubt_from: float = 0.95
    doubt_slope: float = 8.0
    least_trust: float = 0.1
    #: Least share of edges kept, on an outline and on a stretch of it; least likeness of edges; least relative IoU.
    recall: float = 0.65
    stretch_recall: float = 0.3
    likeness: float = 0.55
    agreement: float = 0.65
    #: Gradient that no known edge explains, in Lab units a pixel: the largest mean over 15 × 15 px, and that over all.
    new_structure: float = 0.65
    new_everywhere: float = 2.0
    #: Largest share of pixels that have become black or white.
    empty: float = 0.5


@dataclass(frozen=True)
class InstanceScores:
    """How an instance's outline fares; what is not checkable has no scores and no faults.

    `recall`: share of edges kept; `stretch_recall`: that of the worst stretch of 64 points; `likeness`: the mean one of
    edges and the render's, 0 to 1; `agreement`: IoU of a re-segmentation of the band with the mask, over the render's;
    then motions, in pixels, with evidence after doubt. `outlined`: some of its outline lies inside the picture; what
    fills the picture has none that could be wrong. `points` are those that can be judged; `looks_of` is the id whose
    look it has exchanged with its own.
    """

    id: int
    checkable: bool
    outlined: bool
    points: int
    power: float
    recall: float | None = None
    stretch_recall: float | None = None
    likeness: float | None = None
    agreement: float | None = None
    shift_px: tuple[float, float] | None = None
    shift_sigmas: float | None = None
    dilation_px: float | None = None
    dilation_sigmas: float | None = None
    scale: float | None = None
    scale_moved_px: float | None = None
    scale_sigmas: float | None = None
    bent_px: float | None = None
    bent_sigmas: float | None = None
    looks_of: int | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureScores:
    """What is seen away from outlines: see `Rules`; `new_px` counts pixels around which the mean exceeds the rule."""

    new_structure: float
    new_everywhere: float
    new_px: int
    empty: float


@dataclass(frozen=True)
class Verdict:
    """Whether an image may keep its render's labels; `faults` of the picture, and of instances by id. Plain data."""

    accepted: bool
    faults: tuple[str, ...]
    picture: PictureScores
    instances: tuple[InstanceScores, ...]

    @property
    def failed_ids(self) -> tuple[int, ...]:
        """Instances with faults."""
        return tuple(s.id for s in self.instances if s.faults)


def instance_faults(s: InstanceScores, rules: Rules) -> tuple[str, ...]:
    """Which rules the scores of a checkable instance break."""
    assert s.shift_px is not None
    checks = {
        "moved": np.hypot(*s.shift_px) >= rules.moved_px and _above(s.shift_sigmas, rules.moved_sigmas),
        "grown": abs(s.dilation_px or 0) >= rules.grown_px and _above(s.dilation_sigmas, rules.grown_sigmas),
        "scaled": _above(s.scale_moved_px, rules.scaled_px) and _above(s.scale_sigmas, rules.scaled_sigmas),
        "bent": _above(s.bent_sigmas, rules.bent_sigmas),
        "lost": not _above(s.recall, rules.recall),
        "partly lost": not _above(s.stretch_recall, rules.stretch_recall),
        "unlike": not _above(s.likeness, rules.likeness),
        "mixed": not _above(s.agreement, rules.agreement),
        "exchanged": s.looks_of is not None,
    }
    return tuple(name for name, broken in checks.items() if broken)


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


def picture_faults(s: PictureScores, rules: Rules) -> tuple[str, ...]:
    """Which rules the scores of a picture break."""
    checks = {
        "new structure": s.new_structure >= rules.new_structure,
        "new everywhere": s.new_everywhere >= rules.new_everywhere,
        "empty": s.empty >= rules.empty,
    }
    return tuple(name for name, broken in checks.items() if broken)
