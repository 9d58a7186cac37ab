"""Distributions of a recipe: each maps a quantile in [0, 1) to a value, so a draw is one number between 0 and 1."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema
from scipy.stats import truncnorm

from .scene import Value

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
        return float(min(max(math.exp(math.log(self.low) + u * math.log(self.high / self.low)), self.low), self.high))

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
        a, b = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        x = float(truncnorm.ppf(u, a, b, loc=self.mean, scale=self.std))
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
        weights = np.asarray(self.weights if self.weights is not None else [1.0] * len(self.options))
        edges = np.cumsum(weights) / weights.sum()
        return self.options[min(int(np.searchsorted(edges, u, side="right")), int(np.flatnonzero(weights)[-1]))]

    def values(self) -> tuple[Value, ...]:
        """The options that can come up."""
        weights = self.weights or (1.0,) * len(self.options)
        return tuple(o for o, w in zip(self.options, weights, strict=True) if w > 0)


class Empirical(Distribution):
    """Measured values: a histogram (`edges`, `counts`), or a `column` of a `csv` file with a header row.

    A histogram is uniform inside each bin. A CSV gives back the values it holds, each as often as it stands there.
    """

    dist: Literal["empirical"]
    edges: tuple[float, ...] | None = None
    counts: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    csv: str | None = None
    column: str | None = None
    #: The column's values, sorted: filled when the recipe is loaded, so that a dataset does not need the file again.
    sample: tuple[float, ...] = Field(default=(), json_schema_extra={"readOnly": True})

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any, info: ValidationInfo) -> Any:
        base = (info.context or {}).get("base")
        if not isinstance(data, dict) or data.get("csv") is None or base is None:
            return data
        return {**data, "sample": _read_column(Path(base) / str(data["csv"]), data.get("column"))}

    @model_validator(mode="after")
    def _possible(self) -> Empirical:
        if (self.csv is None) == (self.edges is None):
            raise ValueError("an empirical distribution needs either `csv` and `column`, or `edges` and `counts`")
        if self.edges is None:
            if not self.sample:
                raise ValueError("a CSV cannot be read here: give a histogram with `edges` and `counts`")
            return self
        if self.counts is None or len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"{len(self.edges)} edges need {len(self.edges) - 1} counts, got {len(self.counts or ())}")
        if any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError(f"edges must grow, got {list(self.edges)}")
        if sum(self.counts) <= 0:
            raise ValueError("the counts of a histogram must not all be 0")
        return self

    def ppf(self, u: float) -> float:
        """Inverse of the histogram's piecewise linear CDF, or of the sample's step function."""
        if self.edges is None:
            return self.sample[min(int(u * len(self.sample)), len(self.sample) - 1)]
        counts = np.asarray(self.counts, dtype=np.float64)
        cdf = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        k = min(int(np.searchsorted(cdf, u, side="right")) - 1, len(counts) - 1)
        share = (u - cdf[k]) / (cdf[k + 1] - cdf[k]) if cdf[k + 1] > cdf[k] else 0.0
        return float(self.edges[k] + share * (self.edges[k + 1] - self.edges[k]))

    def values(self) -> tuple[Value, ...]:
        """Smallest and largest possible value."""
        if self.edges is None:
            return (self.sample[0], self.sample[-1])
        used = np.flatnonzero(np.asarray(self.counts))
        return (self.edges[used[0]], self.edges[used[-1] + 1])


class Expr(Distribution):
    """A value computed from other image-level parameters, for example `round(0.02 * placement.width * 1000)`."""

    dist: Literal["expr"]
    value: str
    continuous = False

    @field_validator("value")
    @classmethod
    def _parses(cls, text: str) -> str:
        from .expressions import names  # expressions know values, not distributions

        names(text)
        return text


def _read_column(path: Path, column: str | None) -> tuple[float, ...]:
    if column is None:
        raise ValueError(f"say which `column` of {path.name} holds the values")
    try:
        with path.open(newline="", encoding="utf-8") as f:
            reader = csv.DictReader(f)
            if column not in (reader.fieldnames or []):
                raise ValueError(f"{path} has no column {column!r}; it has {', '.join(reader.fieldnames or ['none'])}")
            values = [float(row[column]) for row in reader if row[column] not in ("", None)]
    except OSError as e:
        raise ValueError(f"cannot read {path}: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise ValueError(f"{path} is not UTF-8 text (byte {e.start}): save it as UTF-8") from e
    except (TypeError, csv.Error) as e:
        raise ValueError(f"{path} is not a table with a header row: {e}") from e
    if not values or not all(math.isfinite(v) for v in values):
        raise ValueError(f"column {column!r} of {path} must hold finite numbers, got {len(values)} values")
    return tuple(sorted(values))


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
