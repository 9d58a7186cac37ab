"""One export of a dataset into a folder of its own: what it is asked for, what stands there already, and how files
get there.

The folder has an `export.json` that says which export it is, from which images, and whether it is complete. The same
command goes on where another one was stopped; an export of something else, or a folder with other content, is refused.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ...errors import DatasetError, UsageError
from ..files import TEMPORARY, create, inside, read_bytes, write_bytes_atomic
from ..locks import lock, together
from ..records import TWINS, DatasetInfo, read_info, record_dicts
from ..splits import SPLITS
from ..stream import damaged

__all__ = ["MARKER", "PARTS", "Images", "Job", "Progress", "Written", "close_job", "completed", "open_job", "tidy"]

Json = dict[str, Any]
Item = TypeVar("Item")

#: What begins (its name, how many of it there are): gives what to call after each.
Progress = Callable[[str, int], Callable[[], None]]
#: What the exporter's function for an image has given for each image of a split, by index.
Images = Callable[[str], Iterator[Json]]
MARKER = "export.json"
#: The folder of what is only there until an export by blocks is complete; see `parts`.
PARTS = ".parts"


@dataclass
class Written:
    """What an exporter has written: objects, and what the format could not hold as it is, a sentence each."""

    annotations: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """Images of a dataset on their way into the folder `out`.

    Attributes:
        indices: those of every split that is asked for and has some; in a worker, a block of them.
        largest: the largest index of the whole export.
    """

    dataset: Path
    info: DatasetInfo
    out: Path
    indices: dict[str, list[int]]
    progress: Progress
    largest: int

    def records(self, split: str) -> Iterator[Json]:
        """The records of a split as `records.record_dicts` gives them, while progress is told of each."""
        done = self.progress(f"images of {split}", len(self.indices[split]))
        for record in record_dicts(self.dataset, self.indices[split]):
            yield record
            done()

    def steps(self, what: str, items: Sequence[Item]) -> Iterator[Item]:
        """The items, while progress is told of each."""
        done = self.progress(what, len(items))
        for item in items:
            yield item
            done()

    def copy(self, relative: str, *target: Path) -> None:
        """Copy a file of the dataset to places in the export."""
        data = read_bytes(inside(self.dataset, relative))
        for path in target:
            self.put(path, data)

    def put(self, path: Path, data: bytes) -> None:
        """Put `data` under a path below `out`, whole or not at all; a file that holds it already is left alone.

        Nothing waits for the disk, which for a million masks would take hours: after a power cut a file may be damaged,
        and the same command then writes it again.
        """
        with suppress(OSError):
            if path.stat().st_size == len(data) and path.read_bytes() == data:
                return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                prefix=f".{path.name}.", suffix=".tmp", dir=path.parent, delete=False
            ) as file:
                file.write(data)
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except OSError as error:
            raise DatasetError(
                f"cannot write {path}: {error.strerror or error}. Free space, or make the folder writable, and run the "
                "same command again"
            ) from error


@contextmanager
def open_job(
    dataset: Path, form: str, out: Path, splits: Iterable[str], progress: Progress, twins: bool = False,
    alone: bool = True,
) -> Iterator[Job]:  # fmt: skip
    """The job of exporting these splits of the dataset as `form` to the folder `out`, which is held while it lasts.

    With `twins`, an export from other twins is another one too. Who is not `alone` holds it together with others, and
    leaves their unfinished files where they are.

    Raises:
        UsageError: a split that there is none of, or an `out` inside the dataset.
        DatasetError: no dataset, no image to export, or an `out` that holds something else.
    """
    info = read_info(dataset)
    chosen = _chosen(splits)
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UsageError(f"{out} lies inside the dataset {dataset}, which holds nothing foreign: choose another --out")
    indices, sha256 = _images(dataset, chosen, twins)
    if not any(indices.values()):
        raise DatasetError(f"{dataset} has no image in {' or '.join(chosen)}: generate some, or choose another --split")
    about = {"format": form, "splits": list(chosen), "dataset": info.name, "seed": info.seed, "images_sha256": sha256}
    _check(out, about)
    with lock(out) if alone else together(out):
        _check(out, about)
        if alone:
            _sweep(out)
        if not (out / MARKER).exists() and not create(out / MARKER, _json({**about, "complete": False})):
            _check(out, about)
        largest = max(found[-1] for found in indices.values() if found)
        try:
            found = {split: some for split, some in indices.items() if some}
            yield Job(dataset, info, out, found, progress, largest)
        finally:
            if alone:
                _sweep(out)


def close_job(job: Job, written: Written) -> dict[str, int]:
    """Say in `export.json` that the export is complete, and what it holds. Gives the images by split.

    Then what was there only until now is removed.
    """
    about = orjson.loads(read_bytes(job.out / MARKER))
    images = {split: len(job.indices.get(split, [])) for split in about["splits"]}
    written.notes += [
        f"no image is in {split}: make more, or raise dataset.val_fraction" for split in images if not images[split]
    ]
    if (derived := job.info.derived) is not None and derived.model is not None:
        made_by = f"{derived.model.model.id}, licence {derived.model.license}"
        written.notes += [f"the pictures were made by {made_by}", *derived.notes]
    told = {"complete": True, "images": images, "annotations": written.annotations, "notes": written.notes}
    write_bytes_atomic(job.out / MARKER, _json(about | told))
    tidy(job.out)
    return images


def completed(out: Path) -> Json | None:
    """What `export.json` says of a complete export, None of another one."""
    about: Json = orjson.loads(read_bytes(out / MARKER))
    return about if about["complete"] else None


def tidy(out: Path) -> None:
    """Remove what a complete export does not need any more."""
    shutil.rmtree(out / PARTS, ignore_errors=True)
    _sweep(out)


def _chosen(splits: Iterable[str]) -> tuple[str, ...]:
    asked = tuple(splits)
    for split in asked:
        if split not in SPLITS:
            raise UsageError(f"{split!r} is no split: choose from {', '.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in asked or not asked)


def _images(dataset: Path, splits: Sequence[str], twins: bool) -> tuple[dict[str, list[int]], str]:
    """Indices of the images of each split, and a hash of all their pixels, labels and scenes, and of their twins."""
    found: dict[str, list[int]] = {split: [] for split in splits}
    content = hashlib.sha256()
    for record in record_dicts(dataset):
        with damaged(record.get("index")):
            if record["split"] in found:
                found[record["split"]].append(record["index"])
                hashes = [record["hashes"][name] for name in ("rgb", "labels", "scene")]
                content.update(f"{record['index']} {' '.join(hashes)}\n".encode())
    for record in record_dicts(dataset / TWINS) if twins else ():
        with damaged(record.get("index")):
            if record["split"] in found:
                content.update(f"twin {record['index']} {record['hashes']['rgb']}\n".encode())
    return found, content.hexdigest()


def _check(out: Path, about: Json) -> None:
    """Refuse a folder that is neither empty nor of this export."""
    if not out.is_dir():
        return
    # Of shares that begin together one creates the marker before all else: looked for last, it is not missed.
    strangers = sorted(p.name for p in out.iterdir() if p.name != ".lock" and not fnmatch(p.name, TEMPORARY))
    marker = out / MARKER
    if not marker.is_file():
        if strangers:
            raise DatasetError(
                f"{out} is not empty and holds no export ({', '.join(strangers[:3])}): choose another --out"
            )
        return
    try:
        old = orjson.loads(read_bytes(marker))
        changed = [key for key, value in about.items() if old[key] != value]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise DatasetError(f"{marker} is damaged: choose another --out, or delete {out}") from None
    if changed:
        what = ", ".join(f"{key} {_short(old[key])} instead of {_short(about[key])}" for key in changed)
        raise DatasetError(
            f"{out} holds another export ({what}): nothing is overwritten, choose another --out or delete that one"
        )


def _short(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return f"{text[:12]}…" if len(text) > 40 else text


def _sweep(out: Path) -> None:
    """Remove what an interrupted export was writing; only while the folder is held."""
    for path in out.rglob(TEMPORARY):
        path.unlink(missing_ok=True)


def _json(about: Json) -> bytes:
    return orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
