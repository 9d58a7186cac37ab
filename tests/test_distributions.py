"""Distributions against their closed forms, and the errors of impossible ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from scenewright.assets.reach import Reach
from scenewright.scenes.distributions import Dist, Distribution

ADAPTER: TypeAdapter[Distribution] = TypeAdapter(Dist)
GRID = (np.arange(4000) + 0.5) / 4000


def make(data: Any, base: Path | None = None) -> Distribution:
    return ADAPTER.validate_python(data, context={"reach": None if base is None else Reach(base)})


def draws(data: Any) -> Any:
    dist = make(data)
    return np.array([dist.ppf(float(u)) for u in GRID])


@pytest.mark.parametrize(
    ("data", "reference"),
    [
        ({"dist": "uniform", "low": -2, "high": 3}, stats.uniform(-2, 5)),
        ({"dist": "loguniform", "low": 0.1, "high": 10}, stats.loguniform(0.1, 10)),
        ({"dist": "truncnormal", "mean": 1, "std": 2, "low": 0, "high": 4}, stats.truncnorm(-0.5, 1.5, 1, 2)),
    ],
)
def test_quantiles_follow_the_reference_distribution(data: Any, reference: Any) -> None:
    """The values at an even grid of quantiles have SciPy's CDF."""
    assert np.allclose(reference.cdf(draws(data)), GRID, atol=1e-9)


def test_integers_include_both_ends_alike() -> None:
    """Each whole number has the same share of quantiles."""
    values, counts = np.unique(draws({"dist": "integers", "low": -1, "high": 3}), return_counts=True)
    assert values.tolist() == [-1, 0, 1, 2, 3]
    assert set(counts) == {800}


def test_choice_follows_its_weights() -> None:
    """Weights are relative frequencies, and an option of weight 0 never comes up."""
    dist = make({"dist": "choice", "options": {"a": 1, "b": 3, "never": 0}})
    values = [dist.ppf(float(u)) for u in GRID]
    assert values.count("a") == 1000 and values.count("b") == 3000
    assert dist.values() == ("a", "b")
    assert dist.ppf(math.nextafter(1.0, 0.0)) == "b"


def test_choice_takes_a_list_with_weights() -> None:
    """Options that are no text (numbers, colours) stand in a list."""
    dist = make({"dist": "choice", "options": [1.5, 2.5], "weights": [1, 1]})
    assert dist.ppf(0.2) == 1.5 and dist.ppf(0.7) == 2.5


def test_a_histogram_is_uniform_inside_its_bins() -> None:
    """The inverse of a piecewise linear CDF, with an empty bin that never comes up."""
    data = {"dist": "empirical", "edges": [0, 1, 2, 4], "counts": [1, 0, 3]}
    x = draws(data)
    assert np.allclose(np.interp(x, [0, 1, 2, 4], [0, 0.25, 0.25, 1]), GRID, atol=1e-9)
    assert not ((x > 1.001) & (x < 1.999)).any()


def test_a_csv_gives_back_its_own_values(tmp_path: Path) -> None:
    """A measured column is resampled, never interpolated."""
    (tmp_path / "m.csv").write_text("name,mm\na,3\nb,1\nc,1\nd,8\n")
    dist = make({"dist": "empirical", "csv": "m.csv", "column": "mm"}, tmp_path)
    assert [dist.ppf(u) for u in (0.0, 0.3, 0.6, 0.9)] == [1, 1, 3, 8]
    assert make(dist.model_dump(mode="json")) == dist  # a dataset keeps the values, it does not need the file


def test_a_bare_value_is_a_constant() -> None:
    """YAML authors write 3, not {dist: constant, value: 3}."""
    assert make(3).ppf(0.9) == 3 and make("studio").ppf(0.1) == "studio" and make([1, 0, 0]).ppf(0.5) == (1, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"dist": "uniform", "low": 2, "high": 1}, "low must not exceed high"),
        ({"dist": "loguniform", "low": 0, "high": 1}, "greater than 0"),
        ({"dist": "truncnormal", "mean": 0, "std": 1, "low": 9, "high": 10}, "8 std from the mean"),
        ({"dist": "truncnormal", "mean": 0, "std": 0, "low": -1, "high": 1}, "greater than 0"),
        ({"dist": "integers", "low": 5, "high": 2}, "low must not exceed high"),
        ({"dist": "integers", "low": 0.5, "high": 2}, "integer"),
        ({"dist": "choice", "options": []}, "at least one option"),
        ({"dist": "choice", "options": {"a": 0}}, "must not all be 0"),
        ({"dist": "choice", "options": [1, 2], "weights": [1]}, "as many weights"),
        ({"dist": "choice", "options": {"a": -1}}, "must be a number of 0 or more"),
        ({"dist": "empirical"}, "either `csv`"),
        ({"dist": "empirical", "edges": [0, 1], "counts": [1, 2]}, "need 1 counts"),
        ({"dist": "empirical", "edges": [0, 0, 1], "counts": [1, 2]}, "edges must grow"),
        ({"dist": "gauss", "mean": 1}, "must be one of constant, uniform"),
        ({"dist": "uniform", "low": float("nan"), "high": 1}, "finite"),
        ({"dist": "uniform", "low": 0, "high": 1, "mode": 0.5}, "Extra inputs"),
        ({"dist": "expr", "value": "__import__('os')"}, "not allowed"),
        (None, "must be a number, text"),
    ],
)
def test_impossible_distributions_are_errors(data: Any, message: str) -> None:
    """The message names the rule that was broken."""
    with pytest.raises(ValidationError, match=message):
        make(data)


@pytest.mark.parametrize(
    ("content", "column", "message"),
    [
        (b"a,b\n1,2\n", "c", "has no column 'c'; it has a, b"),
        (b"a\n1\nx\n", "a", "m.csv, line 3: 'x' is no number"),
        (b"a\n", "a", "finite numbers, got 0"),
        (b"\xff\xfe\x00a", "a", "not UTF-8"),
    ],
)
def test_unusable_csv_files_are_errors(tmp_path: Path, content: bytes, column: str, message: str) -> None:
    """A CSV without the numbers it should hold is named with what it has."""
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(ValidationError, match=message):
        make({"dist": "empirical", "csv": "m.csv", "column": column}, tmp_path)


def test_a_missing_csv_names_its_path(tmp_path: Path) -> None:
    """The path that was tried is in the message."""
    with pytest.raises(ValidationError, match=r"none\.csv"):
        make({"dist": "empirical", "csv": "none.csv", "column": "a"}, tmp_path)
