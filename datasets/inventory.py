"""Which files a dataset's folder may hold: what is foreign, left over, missing, or not what its name says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ..assets.files import STORED_NAME
from ..assets.material import FileRef
from ..assets.regular import open_regular
from ..errors import ScenewrightError
from ..scenes.outputs import MAPS, Output, map_names
from .coco import coco_path
from .coco_keypoints import keypoints_path
from .files import TEMPORARY, exists, inside, read_bytes
from .listing import is_folder, names
from .panoptic import panoptic_path
from .place import Place, PlaceT
from .records import TWINS, WORKERS, DatasetInfo, indices
from .splits import SPLITS

__all__ = ["Finding", "assets_folder", "derived_paths", "inventory", "is_twins"]

#: What stands at the top of a dataset; the lock of a run that goes on, and the contact sheet where `contact` puts it.
TOP = {
    "dataset.json", "images", "depth", "ids", "records", "annotations", "assets", "quarantine", "contact.png", ".lock",
}  # fmt: skip
#: Where the COCO file lies that an output asks for.
DERIVED: dict[Output, Callable[[Path, str], Path]] = {"keypoints": keypoints_path, "panoptic": panoptic_path}
IMAGE_NAME = re.compile(r"[0-9]{6}|[1-9][0-9]{6,}")
RECIPE_FILES = TypeAdapter(dict[str, tuple[FileRef, ...]])
RECIPE_LIBRARIES = TypeAdapter(dict[str, FileRef])


@dataclass(frozen=True)
class Finding:
    """One problem: an "error" makes the dataset unfit to train on, a "warning" does not. `path` is below the folder."""

    severity: Literal["error", "warning"]
    path: str
    message: str


def derived_paths(outputs: Iterable[Output]) -> list[str]:
    """Paths below a dataset's folder of what is written from all records, in a dataset with these outputs."""
    kinds: list[Callable[[Path, str], Path]] = [coco_path, *(k for output, k in DERIVED.items() if output in outputs)]
    return [kind(Path(), split).as_posix() for kind in kinds for split in SPLITS]


def inventory(folder: Place, info: DatasetInfo | None) -> Iterator[Finding]:
    """Every file that should not be there, and every one that should; `info` None: dataset.json cannot be read."""
    maps = map_names(info.outputs if info else MAPS)
    twins = {TWINS} if info is None or (info.defect_categories and not is_twins(folder)) else set()
    for name in names(folder):
        if name not in {*TOP, WORKERS, *maps, *twins} and not _left(name):
            yield Finding("warning", name, "a foreign file at the top of the dataset: move it elsewhere")
    if isinstance(folder, Path):
        yield from _temporary(folder, sorted({*TOP, *maps}))
    yield from _numbered(folder, info)
    yield from _annotations(folder, info)
    yield from _assets(folder, info)


def is_twins(folder: Place) -> bool:
    """Whether a folder holds the twins of the dataset above it, and is not a dataset that happens to have that name."""
    place = folder.absolute()  # "." has no name
    return place.name == TWINS and exists(place.parent / "dataset.json")


def assets_folder(dataset: PlaceT) -> PlaceT:
    """Where the files lie that a dataset's scenes name: twins are made of what the dataset above them holds."""
    return (dataset.absolute().parent if is_twins(dataset) else dataset) / "assets"


def _left(name: str) -> bool:
    return fnmatch(name, TEMPORARY)


def _temporary(folder: Path, parts: Iterable[str]) -> Iterator[Finding]:
    for place in (folder, *(folder / name for name in parts), *sorted(folder.glob("quarantine/*/"))):
        for path in sorted(place.glob(TEMPORARY)) if place.is_dir() else ():
            message = "left by an interrupted write: run the same generate command, or delete it"
            yield Finding("warning", path.relative_to(folder).as_posix(), message)


def _numbered(folder: Place, info: DatasetInfo | None) -> Iterator[Finding]:
    """Folders that hold one file per image."""
    known = {f"{i:06d}" for i in indices(folder)}
    depth = (f".{info.depth_format}",) if info else (".png", ".exr")
    places = {"images": (".png",), "depth": depth, "ids": (".png",), "records": (".json",)}
    places |= dict.fromkeys(map_names(info.outputs if info else ()), (".png",))
    for place, suffixes in places.items():
        if not is_folder(folder / place):
            yield Finding("error", place, "the folder is missing: restore it, or run the same generate command again")
            continue
        for file in (n for n in names(folder / place) if not _left(n)):
            name, path = f"{place}/{file}", PurePosixPath(file)
            if path.suffix not in suffixes or not IMAGE_NAME.fullmatch(path.stem):
                message = f"a foreign file: {place}/ holds 000000{suffixes[0]}, …; move it elsewhere"
                yield Finding("error", name, message)
            elif place != "records" and path.stem not in known:
                message = "a picture without a record, from an interrupted image: run the same generate command again"
                yield Finding("error", name, message)


def _annotations(folder: Place, info: DatasetInfo | None) -> Iterator[Finding]:
    known = {path.rpartition("/")[2] for path in derived_paths(info.outputs if info else DERIVED)}
    for name in names(folder / "annotations"):
        if name not in known and not _left(name):
            message = f"a foreign file: annotations/ holds {', '.join(sorted(known))}; move it elsewhere"
            yield Finding("warning", f"annotations/{name}", message)


def _assets(folder: Place, info: DatasetInfo | None) -> Iterator[Finding]:
    """Every asset must have the content that its name says, and every one that the recipe names must be there."""
    held, assets = set(), assets_folder(folder)
    for file in (n for n in names(assets) if not _left(n)):
        name, match = f"assets/{file}", STORED_NAME.fullmatch(file)
        if match is None:
            yield Finding("warning", name, "a foreign file: assets/ holds <sha256><suffix>; move it elsewhere")
            continue
        held.add(match[1])
        try:
            if _sha256(inside(assets.parent, name)) != match[1]:
                yield Finding("error", name, "does not have the content that its name says: restore the file")
        except (ScenewrightError, OSError) as error:
            yield Finding("error", name, f"cannot be read: {error}")
    if info is not None:
        yield from _named(info, held)


def _named(info: DatasetInfo, held: Set[str]) -> Iterator[Finding]:
    """Files that the recipe names and whose hashes are not held."""
    try:
        files = RECIPE_FILES.validate_python(info.recipe.get("files", {}))
        libraries = RECIPE_LIBRARIES.validate_python(info.recipe.get("libraries", {}))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, ("recipe", "files", *fault["loc"])))
        yield Finding("error", "dataset.json", f"is damaged at {place} ({fault['msg']}): restore the file")
        return
    for ref in chain(*files.values(), libraries.values()):
        if ref.sha256 not in held:
            message = f"lacks {ref.name!r} ({ref.sha256[:12]}…), which the recipe names: put a copy there"
            yield Finding("error", "assets", f"{message}, or run the same generate command again")


def _sha256(path: Place) -> str:
    if not isinstance(path, Path):
        return hashlib.sha256(read_bytes(path)).hexdigest()
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
