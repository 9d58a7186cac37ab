"""Measured values as a distribution: a histogram, or a column of a CSV file."""

from __future__ import annotations

import csv
import io
import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from ..assets.reach import Reach
from ..assets.regular import open_regular
from .distribution import Distribution
from .scene import Value, steady

__all__ = ["Empirical"]

#: Some million rows.
MAX_BYTES = 100_000_000


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
        reach: Reach | None = (info.context or {}).get("reach")
        if not isinstance(data, dict) or data.get("csv") is None or reach is None:
            return data
        return {**data, "sample": _column(reach.place(str(data["csv"])), data.get("column"))}

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
        x = steady(self.edges[k] + share * (self.edges[k + 1] - self.edges[k]))
        return min(max(x, self.edges[k]), self.edges[k + 1])

    def values(self) -> tuple[Value, ...]:
        """Smallest and largest possible value."""
        if self.edges is None:
            return (self.sample[0], self.sample[-1])
        used = np.flatnonzero(np.asarray(self.counts))
        return (self.edges[used[0]], self.edges[used[-1] + 1])


def _number(text: str, path: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{path}, line {line}: {text[:40]!r} is no number") from None


def _column(path: Path, column: str | None) -> tuple[float, ...]:
    if column is None:
        raise ValueError(f"say which `column` of {path.name} holds the values")
    try:
        # A spreadsheet's UTF-8 begins with a mark.
        with open_regular(path) as data, io.TextIOWrapper(data, newline="", encoding="utf-8-sig") as f:
            if (size := os.fstat(f.fileno()).st_size) > MAX_BYTES:
                raise ValueError(
                    f"{path} has {size:,} bytes, more than {MAX_BYTES:,}: keep the column alone, or a sample"
                )
            reader = csv.DictReader(f)
            if column not in (reader.fieldnames or []):
                raise ValueError(f"{path} has no column {column!r}; it has {', '.join(reader.fieldnames or ['none'])}")
            values = [_number(row[column], path, reader.line_num) for row in reader if row[column] not in ("", None)]
    except OSError as e:
        raise ValueError(f"cannot read {path}: {e.strerror or e}") from e
    except UnicodeDecodeError as e:
        raise ValueError(f"{path} is not UTF-8 text (byte {e.start}): save it as UTF-8") from e
    except (TypeError, csv.Error) as e:
        raise ValueError(f"{path} is not a table with a header row: {e}") from e
    if not values or not all(math.isfinite(v) for v in values):
        raise ValueError(f"column {column!r} of {path} must hold finite numbers, got {len(values)} values")
    return tuple(sorted(values))
