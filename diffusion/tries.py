"""What is recorded of every try that was made on an image, whether it was accepted or not. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .gate_scores import Verdict

__all__ = ["COVERAGE", "LARGEST", "Painting", "Rung", "Status"]

#: A painted defect is what was requested when so much of the request has changed, and at most so many times its area.
COVERAGE, LARGEST = 0.5, 2.0


#: How an image came out of the ladder: as the model made it, with the render pasted over some instances, as rendered.
Status = Literal["refined", "pasted", "fallback"]


@dataclass(frozen=True)
class Rung:
    """One try of the ladder.

    Attributes:
        status: what the image would be if this was accepted.
        strength: as the model was told, None for families without one and for pasting.
        seed: of this try, None for pasting.
        executed: denoising steps that were run.
        flagged: the model's safety checker blanked it: nothing to judge.
        pasted: ids of instances over which the render was pasted.
        verdict: the gate's, None where nothing was judged.
    """

    status: Status
    strength: float | None
    seed: int | None
    executed: int
    flagged: bool = False
    pasted: tuple[int, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Painting:
    """One try to paint a defect.

    Attributes:
        seed: of this try.
        tone: as of `Inpainter.drawn_tones`, None for models that are told none.
        strength: share of the noise in the mask as the model was told, None for models that are told none.
        executed: denoising steps that were run.
        coverage: share of the request that has changed.
        area: what has changed over what was requested.
        fault: what is wrong, None where the try was accepted.
    """

    seed: int
    tone: tuple[float, float, float] | None
    strength: float | None
    executed: int
    coverage: float
    area: float
    fault: str | None
