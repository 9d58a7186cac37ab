"""A few images of a dataset, made first, to see what the others will take.

They are made in the dataset itself, by the same code, workers and store as the others: they are finished images, and
the run that follows goes on from them.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..datasets.coco import write_coco
from ..datasets.listing import entries, entry
from ..datasets.place import Place, place
from ..datasets.records import TWINS, DatasetInfo, image_paths, map_paths, record_dicts, record_path
from ..errors import UsageError
from ..pipeline import Outcome
from ..scenes.recipe import Recipe
from ..scenes.sequence import group_size
from .beats import Beat, heartbeats
from .executors import Executor, Shard
from .forecast import Shown
from .generate import Progress, Result, generate
from .options import Options
from .times import Times

__all__ = ["IMAGES", "Pilot", "chosen", "plan"]

IMAGES = 8
BLOCK = 4096


def chosen(recipe: Recipe, count: int, images: int) -> list[int]:
    """The indices of a pilot of so many images, of a dataset of `count`.

    Image-level parameters follow a (0, 1)-sequence (`streams.balanced`): each aligned block of 2^k successive groups
    has one in every 2^-k of each parameter's range. So a block from the middle of the dataset spreads over all that the
    recipe allows, which indices far from each other do by chance only; and as each index alone is uniform, by the
    chance in the seed, its mean is without bias. Of a group of several views or frames one is taken, a later one in
    each next group; where there are fewer groups than images were asked for, more of each.

    Raises:
        UsageError: no image is asked for.
    """
    if images < 1:
        raise UsageError(f"a pilot has an image at least, got --pilot {images}")
    size = group_size(recipe)
    groups = -(-count // size)
    number = min(images, groups)
    block = 1 << (number - 1).bit_length()
    first = min(groups // 2 // block * block, groups - number)
    found: list[int] = []
    for at in range(min(images, count)):
        lap, group = divmod(at, number)
        member = (group * size // number + lap) % size
        found.append((first + group) * size + member)
    return sorted({min(i, count - 1) for i in found})


@dataclass(frozen=True)
class Pilot:
    """Another executor, which is handed these images only."""

    inner: Executor
    indices: Sequence[int]

    @property
    def alone(self) -> bool:
        """As the other one."""
        return self.inner.alone

    def mine(self, indices: Sequence[int]) -> list[int]:
        """Those that were chosen."""
        wanted = set(self.indices)
        return [i for i in self.inner.mine(indices) if i in wanted]

    def run(self, shard: Shard, progress: Callable[[Outcome], None]) -> None:
        """Have them made by the other one."""
        self.inner.run(shard, progress)


def plan(
    recipe: Recipe, count: int, out: str | Path, seed: int, options: Options, executor: Executor, images: int = IMAGES,
    progress: Progress | None = None, begin: Callable[[int], None] | None = None,
) -> tuple[Result, Shown, int]:  # fmt: skip
    """Make a pilot of a dataset of `count` images in `out`; gives what came of it, what it took, and what is left.

    Every worker gets two images at least, so that one of them is not its first; `images` may be more. Where all of the
    pilot is there already, what its dataset took so far tells.

    Raises:
        ScenewrightError: what `generate` raises.
    """
    if not executor.alone:
        raise UsageError("a pilot is made by one command: plan with --executor local or ray, whatever makes the rest")
    workers = len(options.environments(count, recipe.render.engine != "flat"))
    indices = chosen(recipe, count, max(images, 2 * workers))
    where = place(out)
    before = {seen.name: seen.beat for seen in heartbeats(where)}
    began = time.monotonic()
    pilot = Pilot(executor, indices)
    result = generate(recipe, count, out, seed, options, progress, begin=begin, executor=pilot)
    seconds = time.monotonic() - began
    after = heartbeats(where)
    beats = [_since(s.beat, before.get(s.name)) for s in after] if result.rendered else [s.beat for s in after]
    shown = _shown(where, result.info, [i for i in indices if i in set(result.present)], beats, seconds)
    done = {*result.present, *result.failed, *result.quarantined}
    return result, shown, sum(i not in done for i in range(count))


def _shown(where: Place, info: DatasetInfo, there: Sequence[int], beats: Sequence[Beat], seconds: float) -> Shown:
    first = sum((b.first_times for b in beats), Times())
    files = [_files(where, info, i) for i in there]
    number = max(1, len(there))
    annotations = [e.size for folder in (where, where / TWINS) for e in entries(folder / "annotations")]
    once = [e.size for folder in (where, where / "assets") for e in entries(folder) if e.name[0] != "."]
    return Shown(
        later_times=sum((b.times for b in beats), Times()) - first, first_times=first,
        starts=sum(b.starts for b in beats), starting_s=sum(b.starting_s for b in beats),
        overhead_s=max(0.0, seconds - max((b.alive_s for b in beats), default=0.0)),
        sizes=tuple(map(sum, files)), disk_bytes=sum(-(-n // BLOCK) * BLOCK for sizes in files for n in sizes) / number,
        files=sum(map(len, files)) / number, annotation_bytes=sum(annotations) / max(1, info.counts.images),
        annotation_s=_annotation_s(where, info, there), fixed_bytes=sum(once),
        fixed_files=len(once) + len(annotations),
    )  # fmt: skip


def _since(now: Beat, before: Beat | None) -> Beat:
    """What a process has done since an earlier heartbeat of it."""
    if before is None:
        return now
    more = {
        "alive_s": now.alive_s - before.alive_s,
        "times": now.times - before.times,
        "first_times": now.first_times - before.first_times,
        "starts": now.starts - before.starts,
        "starting_s": now.starting_s - before.starting_s,
    }
    return now.model_copy(update=more)


def _files(where: Place, info: DatasetInfo, index: int) -> list[int]:
    """Bytes of each file of an image, and of its twin where it has one."""
    names = (*image_paths(index, info.depth_format).values(), *map_paths(index, info.outputs).values())
    found: list[int] = []
    for folder in (where, where / TWINS):
        for path in (record_path(folder, index), *(folder / name for name in names)):
            with contextlib.suppress(FileNotFoundError):
                found.append(entry(path).size)
    return found


def _annotation_s(where: Place, info: DatasetInfo, indices: Sequence[int]) -> float:
    """Seconds that an image takes when the annotations are written."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="scenewright-") as folder:
        write_coco(record_dicts(where, indices), info, Path(folder))
    return (time.monotonic() - began) / max(1, len(indices))
