"""What a dataset will take: the images of a pilot, and the arithmetic from what they took."""

from __future__ import annotations

import numpy as np
import pytest

from scenewright.errors import UsageError
from scenewright.farm.forecast import Farm, Forecast, Shown, Span, forecast
from scenewright.farm.forecast_text import as_json, as_text, size
from scenewright.farm.times import Times


def shown(**changes: object) -> Shown:
    """Ten images of 10 s, the first two of a worker 14 s; 3 s to start one; 100 kB in four files."""
    usual: dict[str, object] = {
        "later_times": Times.of([10.0] * 8), "first_times": Times.of([14.0] * 2), "starts": 2, "starting_s": 6.0,
        "overhead_s": 5.0, "sizes": (100_000,) * 10, "disk_bytes": 110_000.0, "files": 4.0,
        "annotation_bytes": 1000.0, "annotation_s": 0.0, "fixed_bytes": 5000, "fixed_files": 3,
    }  # fmt: skip
    return Shown(**{**usual, **changes})  # type: ignore[arg-type]


def ask(count: int = 1010, left: int = 1000, nodes: int = 1, workers: int = 2, recycle: int = 400) -> Forecast:
    return forecast(shown(), count, left, Farm(nodes, workers, recycle), price=2.0)


def test_the_arithmetic_of_a_run() -> None:
    """500 images of 10 s in a row, 2 starts of 3 + 4 s, half an image to the end of the last one, 5 s for the rest."""
    found = ask()
    seconds = 500 * 10 + 2 * 7 + 0.25 * 10 + 5
    assert found.hours.value == pytest.approx(seconds / 3600) and found.node_hours.value == found.hours.value
    assert found.start_share == pytest.approx(19 / seconds)
    assert found.cost is not None and found.cost.value == pytest.approx(2 * seconds / 3600)
    assert found.bytes.value == 1010 * 101_000 + 5000 and found.disk_bytes == 1010 * 111_000 + 5000
    assert found.objects == 4043


def test_more_nodes_are_faster_and_not_cheaper() -> None:
    """Ten nodes take a tenth of the time for images, all the time to start, and are paid for both."""
    one, ten = ask(), ask(nodes=10)
    assert ten.hours.value * 3600 == pytest.approx(50 * 10 + 7 + 0.475 * 10 + 5)
    assert ten.node_hours.value == pytest.approx(10 * ten.hours.value) and ten.node_hours.value > one.node_hours.value
    assert ten.bytes == one.bytes


def test_few_images_on_many_slots_take_as_long_as_one() -> None:
    """No image is shared between workers."""
    found = ask(left=3, nodes=100)
    assert found.hours.value * 3600 == pytest.approx(7 + 10 + 5 + 10 / 3)


def test_nothing_left_takes_nothing() -> None:
    """A pilot that has made all images leaves no hours, and the bytes that are there."""
    found = ask(count=10, left=0)
    assert (found.hours.value, found.start_share, found.writes, found.reads) == (0.0, 0.0, 0, 0)
    assert found.bytes.value == 10 * 101_000 + 5000 and "0 of 10 images are left" in as_text(found)


def test_requests_of_a_bucket() -> None:
    """Each file and each heartbeat is a write; each record is read for the annotations."""
    found = ask()
    assert found.writes == pytest.approx(1000 * 4 + 3 + found.hours.value * 240, abs=1)
    assert found.reads == pytest.approx(3 * 1000 + 1010 + 3 * 4 * 1.01, abs=1)


def test_the_spread_holds_what_it_says() -> None:
    """Of many pilots of eight images, nine in ten have the true mean within what they tell."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(1000):
        times = rng.normal(10, 2, 8)
        span = Span.of_mean(float(times.mean()), float(times.std(ddof=1)), 8)
        assert span.low is not None and span.high is not None
        held += span.low <= 10 <= span.high
    assert held == pytest.approx(900, abs=30)


def test_one_image_has_no_spread() -> None:
    """What cannot be known is not made up, in text and in JSON."""
    alone = shown(later_times=Times(), first_times=Times.of([14.0]), sizes=(100,))
    found = forecast(alone, 100, 99, Farm(1, 1, 400))
    assert found.image_s.value == 14.0 and found.hours.low is None
    assert as_json(found)["hours"]["high"] is None and "by one image alone" in as_text(found)


def test_a_pilot_without_an_image_shows_nothing() -> None:
    """Then there is nothing to forecast from, and that is said."""
    with pytest.raises(UsageError, match="the pilot made no image"):
        forecast(shown(sizes=()), 100, 100, Farm(1, 1, 400))


@pytest.mark.parametrize(
    ("number", "told"), [(5, "5 B"), (1234, "1.23 kB"), (56_789_000, "56.8 MB"), (2e15, "2,000 TB")]
)
def test_sizes_are_for_people(number: float, told: str) -> None:
    """Three digits and a unit."""
    assert size(number) == told
