"""The label gate: does a refined image still show what the exact labels of its render say?

`reference(render, ids)` measures a render once; `judge(reference, refined)` compares refined images with it, as many as
there are. Nothing is learnt, and nothing but the two images and the masks is used, so a verdict can be checked by hand.

Of every instance the outline is followed: which share of its edges is kept, and whether it has moved, grown, shrunk or
bent (`gate_evidence`). Of the picture: is there structure that is new and lies on no known edge, is there any content.
An instance whose outline the render itself does not show well enough is not checkable, which a trial tells: the render
is moved by 2 px to eight sides, and each time the gate has to notice. Whoever refines pastes the render over these
instances (`Reference.frozen`), so what lies there is not judged either. An instance that fills the picture has no
outline in it that could be wrong: it is not frozen, and searched for new structure like the ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .gate_evidence import LAGS, Known, Traces, evidence, known, traces
from .gate_looks import Looks, exchanged, looks
from .gate_outlines import (
    Outlines,
    at,
    bordering,
    borders,
    gradient,
    known_gradient,
    lab,
    moved_around,
    outlines,
    unexplained,
    wider,
)
from .gate_scores import InstanceScores, PictureScores, Rules, Verdict, instance_faults, picture_faults
from .gate_votes import SCALES, Groups, Vote, group_mean, groups, iou, least_evidence, motions

__all__ = ["InstanceScores", "PictureScores", "Reference", "Rules", "Verdict", "judge", "reference"]

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint16]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reference:
    """A render, measured: what `judge` compares with. `frozen` (h, w) is what cannot be judged and shows the render.

    `overlap` (g,) is the IoU of masks and their re-segmentation in the render, for each of the groups `among`.
    """

    render: Image
    ids: Ids
    rules: Rules
    shape: Outlines
    among: Groups
    known: Known
    overlap: Floats
    weight: Floats
    points: npt.NDArray[np.intp]
    power: Floats
    checkable: Mask
    outlined: Mask
    frozen: Mask
    known_gradient: Floats
    ground: Mask
    looks: Looks

    @property
    def frozen_ids(self) -> tuple[int, ...]:
        """The instances that have an outline in the picture which nobody could check."""
        return tuple(int(i) for i in np.array(self.shape.ids, int)[self.outlined & ~self.checkable])


def reference(render: Image, ids: Ids, rules: Rules | None = None) -> Reference:
    """Measure a render (h, w, 3) and its exact ids (h, w), 0 for none; raises UsageError where they do not fit."""
    rules = rules or Rules()
    _check(render, ids.shape)
    colours, shape = lab(render), outlines(ids)
    among, own = groups(shape), traces(colours, shape)
    shown = known(own)
    weight = np.where((shown.strength >= rules.seen_gradient) & shape.known, np.clip(shown.strength / 6, 0.1, 1), 0)
    trials = np.stack(
        [evidence(shown, traces(colours, moved))[0] for moved in moved_around(shape, rules.trial_px)], axis=2
    )
    outlined = np.isin(np.array(shape.ids, int), bordering(ids))
    frozen = np.zeros(ids.shape, bool)
    while True:  # what is frozen hides points of others, which may freeze these too; it only grows, so this ends
        weight = np.where(at(frozen, shape.xy), 0, weight)
        points, power, checkable = _checkable(shape, among, weight, trials, rules)
        grown = frozen | wider(np.isin(ids, np.array(shape.ids)[outlined & ~checkable]), rules.frozen_px)
        if (grown == frozen).all():
            break
        frozen = grown
    ground = np.isin(ids, [0, *np.array(shape.ids)[~outlined]]) & ~wider(borders(ids), 4) & ~frozen
    return Reference(
        render, ids, rules, shape, among, shown, iou(own.colour, weight, among), weight, points, power, checkable,
        outlined, frozen, known_gradient(colours), ground, looks(colours, ids, shape.ids),
    )  # fmt: skip


def _check(image: Image, shape: tuple[int, ...]) -> None:
    if image.dtype != np.uint8 or image.shape != (*shape, 3):
        raise UsageError(
            f"the gate compares sRGB images of 8 bits, as large as the ids {shape}, got {image.dtype} {image.shape}"
        )


def _checkable(
    shape: Outlines, among: Groups, weight: Floats, trials: Floats, rules: Rules
) -> tuple[npt.NDArray[np.intp], Floats, Mask]:
    """Per instance: points that count, least evidence over the trials, and whether both suffice."""
    count = len(shape.ids)
    points = np.bincount(shape.owner, weight > 0, count).astype(np.intp)
    power = least_evidence(trials, weight, among, shape.normal, rules.moved_px)
    enough = points >= np.maximum(rules.least_points, rules.least_seen * np.bincount(shape.owner, shape.known, count))
    return points, power, np.asarray(enough & (power >= rules.least_power))


def judge(ref: Reference, refined: Image) -> Verdict:
    """Compare a refined image (h, w, 3) with its render; raises UsageError where sizes differ."""
    _check(refined, ref.ids.shape)
    colours = lab(refined)
    picture = _picture(ref, refined, gradient(colours))
    swapped = exchanged(ref.looks, colours)
    instances = _instances(ref, traces(colours, ref.shape), {k: ref.shape.ids[j] for k, j in swapped.items()})
    faults = picture_faults(picture, ref.rules)
    return Verdict(not faults and not any(s.faults for s in instances), faults, picture, instances)


def _instances(ref: Reference, new: Traces, looks_of: dict[int, int]) -> tuple[InstanceScores, ...]:
    proof, edge = evidence(ref.known, new)
    shift, dilation, scale, exact = motions(proof, ref.weight, ref.among, ref.shape.normal)
    kept = new.strength() > 0.3 * ref.known.strength
    recall, likeness = group_mean(np.stack([kept, edge], axis=1).astype(np.float32), ref.weight, ref.among).T
    agreement = iou(new.colour, ref.weight, ref.among) / np.maximum(ref.overlap, 1e-6)
    doubt = ref.rules.doubt_slope * (agreement - ref.rules.doubt_from)
    trust = np.clip(1 - doubt, ref.rules.least_trust, 1)
    columns = {
        "recall": recall, "likeness": likeness, "agreement": agreement, "shift_sigmas": trust * shift.sigmas,
        "dilation_px": LAGS[dilation.best], "dilation_sigmas": trust * dilation.sigmas,
        "scale": SCALES[scale.best], "scale_moved_px": scale.moved_px,
        "scale_sigmas": trust[: len(scale.sigmas)] * scale.sigmas,
    }  # fmt: skip
    out = []
    for k, i in enumerate(ref.shape.ids):
        scores = InstanceScores(
            i, bool(ref.checkable[k]), bool(ref.outlined[k]), int(ref.points[k]), _round(ref.power[k])
        )
        if scores.checkable:
            parts = ref.among.stretches(k)
            parts = parts[shift.weight[parts] >= 8]
            bent_sigmas, bent_px = _most_bent(parts, shift, dilation, trust, ref.rules)
            plain: dict[str, Any] = {name: _round(values[k]) for name, values in columns.items()}
            scores = replace(
                scores, **plain, stretch_recall=_round(min([recall[k], *recall[parts]])),
                shift_px=(_round(exact[k, 0]), _round(exact[k, 1])),
                bent_px=bent_px, bent_sigmas=bent_sigmas, looks_of=looks_of.get(k),
            )  # fmt: skip
            scores = replace(scores, faults=instance_faults(scores, ref.rules))
        out.append(scores)
    return tuple(out)


def _most_bent(
    stretches: npt.NDArray[np.intp], shift: Vote, dilation: Vote, trust: Floats, rules: Rules
) -> tuple[float, float]:
    """Most evidence for a stretch that has moved far enough, and how far."""
    found = [
        (_round(trust[g] * motion.sigmas[g]), _round(motion.moved_px[g]))
        for motion, least in ((shift, rules.bent_px), (dilation, rules.bent_grown_px))
        for g in stretches[motion.moved_px[stretches] >= least]
    ]
    return max(found, default=(0.0, 0.0))


def _picture(ref: Reference, refined: Image, slope: Floats) -> PictureScores:
    new = _blank(refined) & ~_blank(ref.render)
    empty = float(new[~ref.frozen].mean()) if not ref.frozen.all() else 0.0
    if ref.ground.sum() < 300:
        return PictureScores(0.0, 0.0, 0, _round(empty))
    local, everywhere = unexplained(slope, ref.known_gradient, ref.ground)
    area = int((local > ref.rules.new_structure).sum())
    return PictureScores(_round(local.max()), _round(everywhere), area, _round(empty))


def _blank(image: Image) -> Mask:
    """Where an image is black or white in all channels."""
    return np.asarray((cv2.inRange(image, (0, 0, 0), (3, 3, 3)) | cv2.inRange(image, (252,) * 3, (255,) * 3)) > 0)


def _round(value: float | np.floating[Any]) -> float:
    """Records need no more digits, and other processors give no other ones."""
    return round(float(value), 3)
