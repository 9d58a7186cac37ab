"""A defect variant: a defect painted into a sound picture, labelled by what has really changed, or refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .changed import Change, change
from .defect_painting import painted
from .inpainter import STEPS, Inpainter
from .ladder import seed_of
from .tries import Painting

__all__ = ["TRIES", "Paint", "Stroke", "Variant", "tried", "variant"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Paint = Callable[[int], "Stroke"]

#: So many seeds are tried.
TRIES = 3


@dataclass(frozen=True)
class Stroke:
    """What came of painting once, by a seed.

    Attributes:
        image: (h, w, 3); the sound picture's own bytes outside the request.
        executed: denoising steps that were run.
        tone, strength: what the model was told, as in `Painting`.
    """

    image: Image
    executed: int
    tone: tuple[float, float, float] | None = None
    strength: float | None = None


@dataclass(frozen=True)
class Variant:
    """A picture with a defect.

    Attributes:
        image: (h, w, 3); the sound picture's own bytes outside the request.
        change: what has changed in it: its `mask` is the label.
        tries: all that were made; the last is this one.
    """

    image: Image
    change: Change
    tries: tuple[Painting, ...]

    @property
    def accepted(self) -> bool:
        """Whether the picture answers the request."""
        return self.change.accepted


def tried(paint: Paint, sound: Image, request: Mask, seed: int) -> Variant:
    """Paint into a request (h, w) of a picture (h, w, 3), anew with other seeds until enough of it has changed.

    If no try is accepted, the last one comes back with its fault.

    Raises:
        UsageError: the request is empty or of another size.
    """
    tries: list[Painting] = []
    for attempt in range(TRIES):
        one = seed_of(seed, attempt)
        stroke = paint(one)
        found = change(sound, stroke.image, request)
        tries.append(
            Painting(one, stroke.tone, stroke.strength, stroke.executed, found.coverage, found.area, found.fault)
        )
        if found.accepted:
            break
    return Variant(stroke.image, found, tuple(tries))


def variant(
    model: Inpainter, sound: Image, request: Mask, kind: str, severity: float, seed: int,
    tone: npt.NDArray[np.float32] | None = None, steps: int = STEPS,
) -> Variant:  # fmt: skip
    """Paint a defect of a kind with the embedded inpainter, as `tried` does.

    Without a `tone` (3,) each try draws one that the kind had on a similar ground.

    Raises:
        UsageError: the model does not know the kind, the request is empty or of another size.
    """

    def paint(seed: int) -> Stroke:
        drawn = tone
        if drawn is None and kind in model.kinds and request.any():
            (drawn,) = model.drawn_tones(np.random.default_rng(seed), sound[None], request[None], [kind])
        given = np.zeros(3, np.float32) if drawn is None else np.asarray(drawn, np.float32)
        image = painted(model, sound, request, kind, severity, given, seed, steps)
        return Stroke(image, steps, (float(given[0]), float(given[1]), float(given[2])))

    return tried(paint, sound, request, seed)
