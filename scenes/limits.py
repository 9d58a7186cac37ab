"""What the parts of a recipe are made of: closed models, and distributions that stay inside limits."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidatorFunctionWrapHandler, WrapValidator

from .distributions import Choice, Constant, Dist, Distribution, Expr

__all__ = [
    "LARGEST",
    "SMALLEST",
    "NonNegative",
    "Number",
    "Positive",
    "Strict",
    "between",
    "file_names",
    "truths",
    "words",
]

#: Lengths, powers and factors stay between these: far beyond any scene, and far from where floats lose their digits.
SMALLEST, LARGEST = 1e-6, 1e6


class Strict(BaseModel):
    """Closed to unknown keys; distributions stay unevaluated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def between(low: float, high: float) -> AfterValidator:
    """A check that a numeric distribution can only give values inside the limits."""

    def check(dist: Distribution) -> Distribution:
        if isinstance(dist, Expr):
            return dist  # checked when it is computed
        for v in dist.values():
            if isinstance(v, bool) or not isinstance(v, int | float):
                raise ValueError(f"must be a number, got {v!r}")
            if not low <= v <= high:
                got = f"got {v}" if isinstance(dist, Constant) else f"can be {v}: narrow the distribution"
                rule = "above 0" if v <= 0 and low == SMALLEST else f"between {low:g} and {high:g}"
                raise ValueError(f"must be {rule}, {got}")
        return dist

    return AfterValidator(check)


def file_names(dist: Distribution) -> Distribution:
    """A check that a distribution gives names of files, all known before the first draw."""
    if isinstance(dist, Expr):
        raise ValueError("cannot be computed: use a choice, or rules that set it")
    for v in dist.values():
        if not isinstance(v, str):
            raise ValueError(f"must be a name, got {v!r}")
    return dist


def truths(dist: Distribution) -> Distribution:
    """A check that a distribution gives true or false."""
    for v in () if isinstance(dist, Expr) else dist.values():
        if not isinstance(v, bool):
            raise ValueError(f"must be true or false, got {v!r}")
    return dist


def words(literal: Any) -> WrapValidator:
    """A check that a distribution gives words of a `Literal`; wrapped, since only so an editor is told the words."""
    allowed = get_args(literal)

    def check(data: Any, read: ValidatorFunctionWrapHandler) -> Distribution:
        dist: Distribution = read(data)
        for v in () if isinstance(dist, Expr) else dist.values():
            if v not in allowed:
                raise ValueError(f"must be {' or '.join(map(repr, allowed))}, got {v!r}")
        return dist

    return WrapValidator(check, json_schema_input_type=literal | Choice)


Number = Annotated[Dist, between(-LARGEST, LARGEST)]
Positive = Annotated[Dist, between(SMALLEST, LARGEST)]
NonNegative = Annotated[Dist, between(0, LARGEST)]
