"""Distributions of a recipe: each maps a quantile in [0, 1) to a value, so a draw is one number between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from .distribution import Distribution, Int, Plain
from .empirical import Empirical
from .scene import Value, steady

__all__ = [
    "Choice",
    "Constant",
    "Dist",
    "Distribution",
    "Empirical",
    "Expr",
    "Integers",
    "LogUniform",
    "TruncNormal",
    "Uniform",
    "spelled_out",
]


class Constant(Distribution):
    """Always the same value. In YAML just write the value."""

    dist: Literal["constant"] = "constant"
    value: Plain
    continuous = False

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return data if isinstance(data, dict) else {"value": data}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [dict(schema["properties"]["value"]), dict(schema)]}

    def ppf(self, u: float) -> Value:
        """The constant."""
        return self.value

    def values(self) -> tuple[Value, ...]:
        """The constant."""
        return (self.value,)


class Uniform(Distribution):
    """Every value between `low` and `high` alike."""

    dist: Literal["uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got low {self.low:g} and high {self.high:g}")
        return self

    def ppf(self, u: float) -> float:
        """Linear between the ends."""
        return self.low + u * (self.high - self.low)

    def values(self) -> tuple[Value, ...]:
        """The two ends."""
        return (self.low, self.high)


class LogUniform(Distribution):
    """Every ratio alike: the logarithm is uniform between those of `low` and `high`, both above 0."""

    dist: Literal["loguniform"]
    low: Annotated[float, Field(gt=0)]
    high: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _ordered(self) -> LogUniform:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got low {self.low:g} and high {self.high:g}")
        return self

    def ppf(self, u: float) -> float:
        """Geometric interpolation between the ends."""
        x = steady(math.exp(math.log(self.low) + u * math.log(self.high / self.low)))
        return min(max(x, self.low), self.high)

    def values(self) -> tuple[Value, ...]:
        """The two ends."""
        return (self.low, self.high)


class TruncNormal(Distribution):
    """A normal distribution (`mean`, `std` before truncation) cut at `low` and `high`."""

    dist: Literal["truncnormal"]
    mean: float
    std: Annotated[float, Field(gt=0)]
    low: float
    high: float

    @model_validator(mode="after")
    def _possible(self) -> TruncNormal:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got low {self.low:g} and high {self.high:g}")
        if self.low > self.mean + 8 * self.std or self.high < self.mean - 8 * self.std:
            raise ValueError(
                f"the range {self.low:g} … {self.high:g} lies more than 8 std from the mean {self.mean:g} "
                f"(std {self.std:g}): move the mean into the range"
            )
        return self

    def ppf(self, u: float) -> float:
        """SciPy's truncated normal."""
        from scipy.stats import truncnorm  # here, since it takes a sixth of a worker's start, and few recipes need it

        a, b = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        x = steady(float(truncnorm.ppf(u, a, b, loc=self.mean, scale=self.std)))
        return min(max(x, self.low), self.high)

    def values(self) -> tuple[Value, ...]:
        """The two cuts."""
        return (self.low, self.high)


class Integers(Distribution):
    """Every whole number from `low` to `high`, both included, alike."""

    dist: Literal["integers"]
    low: Int
    high: Int
    continuous = False

    @model_validator(mode="after")
    def _ordered(self) -> Integers:
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got low {self.low} and high {self.high}")
        return self

    def ppf(self, u: float) -> int:
        """Equal shares of [0, 1)."""
        return min(self.low + int(u * (self.high - self.low + 1)), self.high)

    def values(self) -> tuple[Value, ...]:
        """The two ends."""
        return (self.low, self.high)


OPTIONS_SCHEMA = {
    "anyOf": [
        {"type": "array", "minItems": 1},
        {"type": "object", "minProperties": 1, "additionalProperties": {"type": "number", "minimum": 0}},
    ]
}


def spelled_out(data: Any) -> Any:
    """A choice's mapping from option to weight as two lists, since JSON would turn the option 35 into text."""
    if not isinstance(data, dict) or not isinstance(data.get("options"), dict):
        return data
    if data.get("weights") is not None:
        raise ValueError("give weights either in the mapping of options or as a list, not both")
    for option, weight in data["options"].items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
            raise ValueError(f"the weight of {option!r} must be a number of 0 or more, got {weight!r}")
    return {**data, "options": list(data["options"]), "weights": list(data["options"].values())}


class Choice(Distribution):
    """One of `options`: a list (all alike, or with `weights`), or a mapping from option to weight."""

    dist: Literal["choice"]
    options: Annotated[tuple[Plain, ...], WithJsonSchema(OPTIONS_SCHEMA)]
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    continuous = False

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, data: Any) -> Any:
        return spelled_out(data)

    @model_validator(mode="after")
    def _possible(self) -> Choice:
        if not self.options:
            raise ValueError("a choice needs at least one option, got none")
        if self.weights is not None and len(self.weights) != len(self.options):
            raise ValueError(f"{len(self.options)} options need as many weights, got {len(self.weights)}")
        if self.weights is not None and sum(self.weights) <= 0:
            raise ValueError("the weights of a choice must not all be 0")
        return self

    def ppf(self, u: float) -> Value:
        """The options share [0, 1) by their weights, in the order of the recipe."""
        return self.options[position(u, self.weights or (1.0,) * len(self.options))]

    def values(self) -> tuple[Value, ...]:
        """The options that can come up."""
        weights = self.weights or (1.0,) * len(self.options)
        return tuple(o for o, w in zip(self.options, weights, strict=True) if w > 0)


def position(u: float, weights: Sequence[float]) -> int:
    """Which of several things comes up at quantile `u`, when they share [0, 1) by their weights."""
    edges = np.cumsum(weights) / np.sum(weights)
    return min(int(np.searchsorted(edges, u, side="right")), int(np.flatnonzero(weights)[-1]))


class Expr(Distribution):
    """A value computed from other image-level parameters, for example `round(placement.area[0] * 60)`."""

    dist: Literal["expr"]
    value: str
    continuous = False

    @field_validator("value")
    @classmethod
    def _parses(cls, text: str) -> str:
        from .expressions import names  # expressions know values, not distributions

        names(text)
        return text


def _tag(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("dist", "<missing>"))
    return str(getattr(value, "dist", "constant"))


Dist = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("loguniform")]
    | Annotated[TruncNormal, Tag("truncnormal")]
    | Annotated[Integers, Tag("integers")]
    | Annotated[Choice, Tag("choice")]
    | Annotated[Empirical, Tag("empirical")]
    | Annotated[Expr, Tag("expr")],
    Discriminator(
        _tag,
        custom_error_type="distribution",
        custom_error_message=(
            "`dist` must be one of constant, uniform, loguniform, truncnormal, integers, choice, empirical, expr"
        ),
    ),
]
