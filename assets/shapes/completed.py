"""Drawn parameters beside given ones: the usual draw where it goes with them, else one that does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TypeVar

import numpy as np
from pydantic import ValidationError

from .base import Params

__all__ = ["completed", "within"]

P = TypeVar("P", bound=Params)
Values = Mapping[str, object]


def completed(model: type[P], given: Values, usual: Values, fitted: Iterable[Values]) -> P:
    """The parameters of a part with what is given.

    Args:
        given: what the caller has fixed.
        usual: a draw of all parameters that pays no heed to `given`.
        fitted: draws that do, the best first; looked at only where `usual` is refused, and only where each given value
            is right by itself.

    Raises:
        ValidationError: a given value is wrong by itself, or nothing goes with them together.
    """
    refused: ValidationError | None = None
    for values in chain([usual], fitted):
        try:
            return model.model_validate({**values, **given})
        except ValidationError as error:
            places = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
            if places & given.keys():
                raise
            if refused is None or not places:  # a rule says more than a drawn number that is out of bounds
                refused = error
    assert refused is not None  # the usual draw was
    raise refused


def within(rng: np.random.Generator, usual: float, low: float, high: float) -> float:
    """The usual value where it lies between the limits, else one from the octave of them that is next to it.

    Not from its very ends: a rule that is only just kept is broken by the next rounding.
    """
    if low <= usual <= high:
        return usual
    low, high = (low, min(high, 2 * low)) if usual < low else (max(low, high / 2), high)
    return low + (high - low) * float(rng.uniform(0.1, 0.9))
