"""The label gate: does a refined image still show what the exact labels of its render say?

`reference(render, ids)` measures a render once; `judge(reference, refined)` compares refined images with it, as many as
there are. Nothing is learnt, and nothing but the two images and the masks is used, so a verdict can be checked by hand.

Of every instance the outline is followed: which share of its edges is kept, and whether it has moved, grown, shrunk or
bent (`gate_evidence`). Of the picture: is there structure that is new and lies on no known edge, is there any content.
An instance whose outline the render itself does not show well enough is not checkable, which a trial tells: the render
is moved by 2 px to eight sides, and each time the gate has to notice. Whoever refines pastes the render over these
instances (`Reference.frozen`), so what lies there is not judged either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .gate_evidence import (
    LAGS,
    MOVES,
    SCALES,
    Groups,
    Traces,
    Vote,
    evidence,
    gradient,
    group_mean,
    groups,
    peak,
    reference_evidence,
    traces,
    unexplained,
    vote,
)
from .gate_outlines import Outlines, at, borders, lab, moved_around, outlines, region_iou, wider

__all__ = ["InstanceScores", "PictureScores", "Reference", "Rules", "Verdict", "judge", "reference"]

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]


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
    moved_sigmas: float = 0.5
    grown_px: float = 1.0
    grown_sigmas: float = 2.5
    scaled_px: float = 1.0
    scaled_sigmas: float = 1.5
    #: A stretch of 64 points has moved.
    bent_px: float = 1.0
    bent_sigmas: float = 3.3
    #: Least share of edges kept, on an outline and on a stretch of it; least likeness of edges; least relative IoU.
    recall: float = 0.65
    stretch_recall: float = 0.3
    likeness: float = 0.55
    agreement: float = 0.65
    #: Gradient that no known edge explains, in Lab units a pixel: the largest mean over 15 × 15 px, and that over all.
    new_structure: float = 1.0
    new_everywhere: float = 2.0
    #: Largest share of pixels that have become black or white.
    empty: float = 0.5


@dataclass(frozen=True)
class InstanceScores:
    """How an instance's outline fares; what is not checkable has no scores and no faults.

    `recall`: share of edges kept; `stretch_recall`: that of the worst stretch of 64 points; `likeness`: the mean one of
    edges and the render's, 0 to 1; `agreement`: IoU of a re-segmentation of the band with the mask, over the render's;
    then motions, in pixels, with their evidence. `points` are those that can be judged.
    """

    id: int
    checkable: bool
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


@dataclass(frozen=True)
class Reference:
    """A render, measured: what `judge` compares with. `frozen` (h, w) is what cannot be judged and shows the render."""

    render: Image
    ids: Ids
    rules: Rules
    shape: Outlines
    among: Groups
    traces: Traces
    own: tuple[Floats, Floats]
    weight: Floats
    points: npt.NDArray[np.intp]
    power: Floats
    checkable: Mask
    frozen: Mask
    known_gradient: Floats
    ground: Mask


def reference(render: Image, ids: Ids, rules: Rules | None = None) -> Reference:
    """Measure a render (h, w, 3) and its exact ids (h, w), 0 for none; raises UsageError where they do not fit."""
    rules = rules or Rules()
    _check(render, ids.shape)
    colours, shape = lab(render), outlines(ids)
    among, own_traces = groups(shape), traces(colours, shape)
    own, strength = reference_evidence(own_traces), own_traces.strength()
    weight = (np.clip(strength / 6, 0.1, 1) * (strength >= rules.seen_gradient) * shape.known).astype(np.float32)
    trials = [evidence(own_traces, own, traces(colours, moved))[0] for moved in moved_around(shape, rules.trial_px)]
    frozen = np.zeros(ids.shape, bool)
    while True:  # what is frozen hides points of others, which may freeze these too; it only grows, so this ends
        weight = np.where(at(frozen, shape.xy), 0, weight)
        points, power, checkable = _checkable(shape, among, weight, trials, rules)
        grown = frozen | wider(np.isin(ids, np.array(shape.ids)[~checkable]), rules.frozen_px)
        if (grown == frozen).all():
            break
        frozen = grown
    ground = (ids == 0) & ~wider(borders(ids), 4) & ~frozen
    known = np.asarray(cv2.dilate(gradient(colours), np.ones((7, 7), np.uint8)))
    return Reference(
        render, ids, rules, shape, among, own_traces, own, weight, points, power, checkable, frozen, known, ground
    )  # fmt: skip


def _check(image: Image, shape: tuple[int, ...]) -> None:
    if image.dtype != np.uint8 or image.shape != (*shape, 3):
        raise UsageError(
            f"the gate compares sRGB images of 8 bits, as large as the ids {shape}, got {image.dtype} {image.shape}"
        )


def _checkable(
    shape: Outlines, among: Groups, weight: Floats, trials: list[Floats], rules: Rules
) -> tuple[npt.NDArray[np.intp], Floats, Mask]:
    """Per instance: points that count, least evidence over the trials, and whether both suffice."""
    count = len(shape.ids)
    points = np.bincount(shape.owner, weight > 0, count).astype(np.intp)
    power = np.full(count, np.inf, np.float32)
    lags: Floats = shape.normal[among.points] @ MOVES.T
    for trial in trials:
        found = vote(trial, weight, among, lags)
        noticed = np.hypot(*MOVES[found.best[:count]].T) >= rules.moved_px
        power = np.minimum(power, np.where(noticed, found.sigmas[:count], 0))
    enough = points >= np.maximum(rules.least_points, rules.least_seen * np.bincount(shape.owner, shape.known, count))
    return points, power, np.asarray(enough & (power >= rules.least_power))


def judge(ref: Reference, refined: Image) -> Verdict:
    """Compare a refined image (h, w, 3) with its render; raises UsageError where sizes differ."""
    _check(refined, ref.ids.shape)
    colours = lab(refined)
    picture = _picture(ref, refined, gradient(colours))
    instances = _instances(ref, traces(colours, ref.shape))
    faults = _picture_faults(picture, ref.rules)
    return Verdict(not faults and not any(s.faults for s in instances), faults, picture, instances)


def _instances(ref: Reference, new: Traces) -> tuple[InstanceScores, ...]:
    proof, likeness = evidence(ref.traces, ref.own, new)
    normal = ref.shape.normal[ref.among.points]
    shift = vote(proof, ref.weight, ref.among, normal @ MOVES.T)
    dilation = vote(proof, ref.weight, ref.among, np.broadcast_to(LAGS, (len(normal), len(LAGS))))
    scale = vote(proof, ref.weight, ref.among, ref.among.across[:, None] * (SCALES - 1))
    exact = peak(proof, ref.weight, ref.among, normal, MOVES[shift.best])
    kept = new.strength() > 0.3 * ref.traces.strength()
    means = group_mean(np.stack([kept, likeness], axis=1).astype(np.float32), ref.weight, ref.among)
    iou = [region_iou(t.colour, ref.weight, ref.shape) for t in (new, ref.traces)]
    out = []
    for k, i in enumerate(ref.shape.ids):
        scores = InstanceScores(i, bool(ref.checkable[k]), int(ref.points[k]), _round(ref.power[k]))
        if scores.checkable:
            stretches = np.flatnonzero((ref.among.owner == k) & (shift.weight >= 8))[1:]
            bent_sigmas, bent_px = _most_bent(stretches, (shift, dilation), ref.rules)
            scores = replace(
                scores, recall=_round(means[k, 0]), likeness=_round(means[k, 1]),
                stretch_recall=_round(min([means[k, 0], *means[stretches, 0]])),
                agreement=_round(iou[0][k] / max(iou[1][k], 1e-6)),
                shift_px=(_round(exact[k, 0]), _round(exact[k, 1])), shift_sigmas=_round(shift.sigmas[k]),
                dilation_px=_round(LAGS[dilation.best[k]]), dilation_sigmas=_round(dilation.sigmas[k]),
                scale=_round(SCALES[scale.best[k]]), scale_moved_px=_round(scale.moved_px[k]),
                scale_sigmas=_round(scale.sigmas[k]), bent_px=_round(bent_px), bent_sigmas=_round(bent_sigmas),
            )  # fmt: skip
            scores = replace(scores, faults=_faults(scores, ref.rules))
        out.append(scores)
    return tuple(out)


def _most_bent(stretches: npt.NDArray[np.intp], votes: tuple[Vote, ...], rules: Rules) -> tuple[float, float]:
    found = [(v.sigmas[g], v.moved_px[g]) for v in votes for g in stretches if v.moved_px[g] >= rules.bent_px]
    return max(found, default=(0.0, 0.0))


def _faults(s: InstanceScores, rules: Rules) -> tuple[str, ...]:
    """Which rules the scores of a checkable instance break."""
    assert s.shift_px is not None
    checks = {
        "moved": np.hypot(*s.shift_px) > rules.moved_px and _above(s.shift_sigmas, rules.moved_sigmas),
        "grown": abs(s.dilation_px or 0) >= rules.grown_px and _above(s.dilation_sigmas, rules.grown_sigmas),
        "scaled": _above(s.scale_moved_px, rules.scaled_px) and _above(s.scale_sigmas, rules.scaled_sigmas),
        "bent": _above(s.bent_sigmas, rules.bent_sigmas),
        "lost": not _above(s.recall, rules.recall),
        "partly lost": not _above(s.stretch_recall, rules.stretch_recall),
        "unlike": not _above(s.likeness, rules.likeness),
        "mixed": not _above(s.agreement, rules.agreement),
    }
    return tuple(name for name, broken in checks.items() if broken)


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value >= limit


def _picture(ref: Reference, refined: Image, slope: Floats) -> PictureScores:
    blank = [(a.max(axis=2) <= 3) | (a.min(axis=2) >= 252) for a in (refined, ref.render)]
    empty = float((blank[0] & ~blank[1])[~ref.frozen].mean()) if not ref.frozen.all() else 0.0
    if ref.ground.sum() < 300:
        return PictureScores(0.0, 0.0, 0, _round(empty))
    local, everywhere = unexplained(slope, ref.known_gradient, ref.ground)
    area = int((local > ref.rules.new_structure).sum())
    return PictureScores(_round(local.max()), _round(everywhere), area, _round(empty))


def _picture_faults(s: PictureScores, rules: Rules) -> tuple[str, ...]:
    checks = {
        "new structure": s.new_structure >= rules.new_structure,
        "new everywhere": s.new_everywhere >= rules.new_everywhere,
        "empty": s.empty >= rules.empty,
    }
    return tuple(name for name, broken in checks.items() if broken)


def _round(value: float | np.floating[Any]) -> float:
    """Records need no more digits, and other processors give no other ones."""
    return round(float(value), 3)
