"""What all distributions share: quantiles, the values that make one possible, and the plain values of a recipe."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .scene import Value

__all__ = ["Distribution", "Int", "Plain"]

MAX_INT = 2**53  # whole numbers up to here survive JSON and floats


def _possible(value: Any) -> Any:
    """Said here in one line, where pydantic would have one for each member of the union."""
    rgb = isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(v, int | float) for v in value)
    if not rgb and not isinstance(value, str | bool | int | float):
        got = "nothing" if value is None else repr(value)
        raise ValueError(f"must be a number, text, true or false, an RGB triple or a distribution, got {got}")
    for v in value if rgb else (value,):
        if isinstance(v, float) and not math.isfinite(v):
            raise ValueError(f"must be a finite number, got {v}")
        if isinstance(v, int) and abs(v) > MAX_INT:
            raise ValueError(f"a whole number may have 15 digits, got {len(str(abs(v)))}")
    return value


Plain = Annotated[Value, BeforeValidator(_possible)]
Int = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]


class Distribution(BaseModel):
    """Base of the seven distributions and of computed values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    #: True when values between two possible ones are possible too.
    continuous: ClassVar[bool] = True

    def ppf(self, u: float) -> Value:
        """The value at quantile `u` in [0, 1) (the percent point function, inverse of the CDF)."""
        raise TypeError(f"{type(self).__name__} has no quantiles")

    def values(self) -> tuple[Value, ...]:
        """Values that decide whether the distribution is possible: its options, or the ends of its range."""
        raise TypeError(f"{type(self).__name__} has no fixed values")
