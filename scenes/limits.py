"""What the parts of a recipe are made of: closed models, and distributions that stay inside limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from .distributions import Constant, Dist, Distribution, Expr

__all__ = ["NonNegative", "Number", "Positive", "Strict", "between", "file_names"]


class Strict(BaseModel):
    """Closed to unknown keys; distributions stay unevaluated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def between(low: float | None = None, high: float | None = None, *, above: float | None = None) -> AfterValidator:
    """A check that a numeric distribution can only give values inside the limits (`above` is exclusive)."""

    def check(dist: Distribution) -> Distribution:
        if isinstance(dist, Expr):
            return dist  # checked when it is computed
        for v in dist.values():
            if isinstance(v, bool) or not isinstance(v, int | float):
                raise ValueError(f"must be a number, got {v!r}")
            if (low is not None and v < low) or (high is not None and v > high) or (above is not None and v <= above):
                got = f"got {v}" if isinstance(dist, Constant) else f"can be {v}: narrow the distribution"
                raise ValueError(f"must {_limits(low, high, above)}, {got}")
        return dist

    return AfterValidator(check)


def _limits(low: float | None, high: float | None, above: float | None) -> str:
    if low is not None and high is not None:
        return f"be between {low:g} and {high:g}"
    if above is not None:
        return f"be above {above:g}"
    return f"be {low:g} or more" if low is not None else f"be {high:g} or less"


def file_names(dist: Distribution) -> Distribution:
    """A check that a distribution gives names of files, all known before the first draw."""
    if isinstance(dist, Expr):
        raise ValueError("cannot be computed: use a choice, or rules that set it")
    for v in dist.values():
        if not isinstance(v, str):
            raise ValueError(f"must be a name, got {v!r}")
    return dist


Number = Annotated[Dist, between()]
Positive = Annotated[Dist, between(above=0)]
NonNegative = Annotated[Dist, between(0)]
