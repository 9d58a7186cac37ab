"""The average precision by which the benchmark of defects judges, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from .benchmarks.pixel_scores import CONTRASTS, average_precision


def test_a_score_that_knows_all_gets_one() -> None:
    """Where every positive scores higher than every negative, average precision is 1."""
    truth = np.arange(50) % 7 == 0
    assert average_precision(truth + np.linspace(0, 0.5, 50), truth) == 1.0


def test_one_positive_gets_the_inverse_of_its_rank() -> None:
    """A single positive of rank r has average precision 1 / r."""
    scores = np.linspace(1, 0, 20)
    for rank in range(1, 21):
        assert average_precision(scores, np.arange(1, 21) == rank) == pytest.approx(1 / rank)


def test_positives_at_the_end_follow_the_closed_form() -> None:
    """p positives behind n negatives get (1/p) Σ k / (n + k)."""
    n, p = 13, 5
    wanted = sum(k / (n + k) for k in range(1, p + 1)) / p
    assert average_precision(-np.arange(n + p), np.arange(n + p) >= n) == pytest.approx(wanted)


def test_a_score_that_says_nothing_gets_the_share_of_positives() -> None:
    """Equal scores come in together, in whatever order they are given."""
    truth = np.arange(40) < 9
    for given in (truth, truth[::-1]):
        assert average_precision(np.full(40, 0.3), given) == pytest.approx(9 / 40)


def test_ties_are_the_definition() -> None:
    """On scores of few values it is the sum over thresholds, computed threshold by threshold."""
    rng = np.random.default_rng(3)
    scores, truth = rng.integers(0, 6, 300), rng.random(300) < 0.2
    wanted, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = scores >= threshold
        recall, precision = truth[taken].sum() / truth.sum(), truth[taken].mean()
        wanted, before = wanted + (recall - before) * precision, recall
    assert average_precision(scores, truth) == pytest.approx(wanted)


def test_nothing_to_find_is_no_number() -> None:
    """Without a positive there is no average precision, rather than 0 or 1."""
    assert np.isnan(average_precision(np.arange(4), np.zeros(4, bool)))
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, bool)))


def test_contrast_finds_a_speck() -> None:
    """On an even picture every contrast is 0 far from a speck and greatest on it."""
    image = np.full((160, 160, 3), 90, np.uint8)
    image[80, 80] = (200, 40, 40)
    for contrast in CONTRASTS:
        found = contrast(image)
        assert found.argmax() == 80 * 160 + 80
        assert found[0].max() < 0.01 * found.max()
