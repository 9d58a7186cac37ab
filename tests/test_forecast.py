"""What a dataset will take: the images of a pilot, and the arithmetic from what they took."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scenewright as sw
from scenewright.datasets.records import indices
from scenewright.errors import RenderError, UsageError
from scenewright.farm.executors import Index, Local
from scenewright.farm.forecast import Farm, Forecast, Shown, Span, forecast
from scenewright.farm.forecast_text import as_json, as_text, size
from scenewright.farm.pilot import chosen, plan
from scenewright.farm.times import Times
from scenewright.scenes.recipe import Recipe
from scenewright.scenes.streams import balanced

from .commands import RECIPE, Run, content


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
    assert found.reads == 1000 + 1010 + 2 * 4 * 2 + 3 * 2 * 2 + 17


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
    with pytest.raises(RenderError, match="shows no image"):
        forecast(shown(sizes=()), 100, 100, Farm(1, 1, 400))


@pytest.mark.parametrize(
    ("number", "told"), [(5, "5 B"), (1234, "1.23 kB"), (56_789_000, "56.8 MB"), (2e15, "2,000 TB")]
)
def test_sizes_are_for_people(number: float, told: str) -> None:
    """Three digits and a unit."""
    assert size(number) == told


@pytest.fixture(scope="module")
def loaded(recipe: Path) -> Recipe:
    return sw.load(recipe)


@pytest.mark.parametrize("images", [4, 8, 16])
def test_a_pilot_is_balanced(loaded: Recipe, images: int) -> None:
    """In every image-level parameter it has exactly one image in each part of the range, and not those at the start."""
    found = chosen(loaded, 1000, images)
    assert len(found) == images and min(found) >= 400
    for seed, name in ((0, "camera.distance"), (5, "world.strength")):
        parts = {int(images * balanced(seed, i, name)) for i in found}
        assert parts == set(range(images))


def test_a_pilot_of_a_small_dataset_is_all_of_it(loaded: Recipe) -> None:
    """No index is asked for twice, and none that the dataset has not."""
    for count in range(1, 20):
        found = chosen(loaded, count, 8)
        assert found == sorted({*found}) and len(found) == min(8, count) and found[0] >= 0 and found[-1] < count


def test_a_pilot_takes_one_image_of_each_group(recipe: Path, tmp_path: Path) -> None:
    """Frames of a sequence cost alike: eight of one would tell of one scene only. They are at different times too."""
    loaded = sw.load(recipe, ["motion.frames=10"])
    found = chosen(loaded, 1000, 8)
    assert len({i // 10 for i in found}) == 8 and len({i % 10 for i in found}) > 4
    assert len(chosen(loaded, 30, 8)) == 8 and {i // 10 for i in chosen(loaded, 30, 8)} == {0, 1, 2}


def test_the_mean_of_pilots_is_without_bias(loaded: Recipe) -> None:
    """Over seeds, the mean of a cost that depends on parameters is the whole dataset's, and nearer than by chance."""

    def cost(seed: int, index: int) -> float:
        return 1.0 + balanced(seed, index, "a") ** 2 + 3 * balanced(seed, index, "b")

    whole, seeds = 1 + 1 / 3 + 1.5, range(200)
    means = np.array([np.mean([cost(s, i) for i in chosen(loaded, 500, 8)]) for s in seeds])
    random = np.sqrt((4 / 45 + 9 / 12) / 8)  # the standard error of eight images that chance has chosen
    assert means.mean() == pytest.approx(whole, abs=4 * means.std() / np.sqrt(200))
    assert means.std() < 0.3 * random


def test_a_pilot_is_part_of_its_dataset(loaded: Recipe, tmp_path: Path) -> None:
    """Its images stay and are not made again; the run that follows ends with the bytes of one without a pilot."""
    out, options = tmp_path / "d", sw.Options(workers=1)
    result, took, left = plan(loaded, 20, out, 0, options, Local(), images=4)
    assert indices(out) == chosen(loaded, 20, 4) and (result.rendered, left) == (4, 16)
    assert took.later_times.count == 3 and took.first_times.count == 1 and took.starts == 1 and took.starting_s > 0
    stamps = {i: (out / f"records/{i:06d}.json").stat().st_mtime_ns for i in indices(out)}
    again, took, left = plan(loaded, 20, out, 0, options, Local(), images=4)
    assert again.rendered == 0 and left == 16 and took.later_times.count == 3
    sw.generate(loaded, 20, out)
    assert all((out / f"records/{i:06d}.json").stat().st_mtime_ns == t for i, t in stamps.items())
    sw.generate(loaded, 20, tmp_path / "e")
    assert content(out) == content(tmp_path / "e")


def test_bytes_and_objects_are_those_of_the_dataset(loaded: Recipe, tmp_path: Path) -> None:
    """What a pilot of eight says of twenty images is what twenty images then take."""
    _, took, left = plan(loaded, 20, tmp_path / "d", 0, sw.Options(), Local())
    found = forecast(took, 20, left, Farm(1, 1, 400))
    sw.generate(loaded, 20, tmp_path / "d")
    files = [p for p in (tmp_path / "d").rglob("*") if p.is_file() and "workers" not in p.parts]
    assert found.objects == len(files)
    assert found.bytes.value == pytest.approx(sum(p.stat().st_size for p in files), rel=0.1)


def test_a_share_of_a_job_array_is_no_pilot(loaded: Recipe, tmp_path: Path) -> None:
    """Every task of an array would make one of its own."""
    with pytest.raises(UsageError, match="plan with"):
        plan(loaded, 20, tmp_path / "d", 0, sw.Options(), Index(0, 4))


def test_the_command(recipe: Path, tmp_path: Path, run: Run) -> None:
    """`generate --plan` makes the pilot and says in words or in JSON what the rest will take."""
    ended = run("generate", recipe, "--count", 30, "--out", tmp_path / "d", "--plan", "--pilot", 4, "--json")
    told = json.loads(ended.out)
    assert ended.code == 0 and (told["count"], told["left"], told["cost"]) == (30, 26, None)
    assert told["hours"]["low"] <= told["hours"]["value"] <= told["hours"]["high"]
    arguments = ("--plan", "--pilot", 4, "--nodes", 3, "--price", 2, "--workers", 2)
    ended = run("generate", recipe, "--count", 30, "--out", tmp_path / "e", *arguments)
    assert "26 of 30 images are left to make, by 3 nodes like this one with 2 workers each" in ended.out
    assert "at 2 USD for an hour of a node" in ended.out and len(indices(tmp_path / "e")) == 4


@pytest.mark.parametrize(
    "arguments", [("--pilot", "4"), ("--nodes", "2"), ("--price", "1"), ("--plan", "--pilot", "0")]
)
def test_options_of_a_plan_need_one(recipe: Path, tmp_path: Path, run: Run, arguments: tuple[str, ...]) -> None:
    """An option that would be passed over in silence is a usage error."""
    ended = run("generate", recipe, "--count", 30, "--out", tmp_path / "d", *arguments)
    assert ended.code == 2 and not (tmp_path / "d").exists()


def test_a_pilot_that_makes_nothing_ends_with_an_error(tmp_path: Path, run: Run) -> None:
    """A recipe of which no image can be made is told at once, not forecast."""
    impossible = tmp_path / "r.yaml"
    impossible.write_text(RECIPE.replace("count: 2", "count: 200").replace("[0.1, 0.1]", "[0.03, 0.03]"))
    ended = run("generate", impossible, "--count", 30, "--out", tmp_path / "d", "--plan", "--pilot", 2)
    assert ended.code == 1 and "shows no image" in ended.err
