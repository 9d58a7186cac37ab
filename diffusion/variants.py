"""A defect variant: a defect painted into a sound picture, labelled by what has really changed, or refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .changed import Change, change
from .defect_painting import painted
from .inpainter import STEPS, Inpainter
from .ladder import seed_of
from .tries import Painting

__all__ = ["TRIES", "Variant", "variant"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

#: So many seeds are tried.
TRIES = 3


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


def variant(
    model: Inpainter, sound: Image, request: Mask, kind: str, severity: float, seed: int,
    tone: npt.NDArray[np.float32] | None = None, steps: int = STEPS,
) -> Variant:  # fmt: skip
    """Paint a defect of a kind into a request (h, w), anew with other seeds until enough of it has changed.

    Without a `tone` (3,) each try draws one that the kind had on a similar ground. If no try is accepted, the last one
    comes back with its fault.

    Raises:
        UsageError: the model does not know the kind, the request is empty or of another size.
    """
    tries: list[Painting] = []
    for attempt in range(TRIES):
        one = seed_of(seed, attempt)
        drawn = tone
        if drawn is None and kind in model.kinds and request.any():
            rng = np.random.default_rng(one)
            (drawn,) = model.drawn_tones(rng, sound[None], request[None], [kind])
        given = np.zeros(3, np.float32) if drawn is None else np.asarray(drawn, np.float32)
        image = painted(model, sound, request, kind, severity, given, one, steps)
        found = change(sound, image, request)
        told = (float(given[0]), float(given[1]), float(given[2]))
        tries.append(Painting(one, told, found.coverage, found.area, found.fault))
        if found.accepted:
            break
    return Variant(image, found, tuple(tries))
