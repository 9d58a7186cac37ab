"""One JSON per image, and one for the dataset. A record is written last: a record that exists is an image that is
complete, and everything else in the folder can be derived from the records.

::

    dataset.json               DatasetInfo
    images/000017.png          8-bit sRGB
    depth/000017.png           16-bit steps of `depth_unit_m`, 0 where there is no surface; or
    depth/000017.exr           float32 metres, inf where there is no surface
    ids/000017.png             16-bit instance ids, 0 is none
    normals/000017.png, …      images that the recipe's `outputs` ask for (`scenes.outputs.MAPS`)
    records/000017.json        Record
    annotations/               COCO, derived from the records
    quarantine/000017/         an image whose two label engines disagree; never exported
    twins/                     a dataset of its own, of the same scenes without defects, under the same indices
    workers/                   no part of the dataset: signs of life of the processes that work on it (farm/beats.py)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import DatasetError
from ..render.defect_labels import DefectLabel
from ..render.labels import InstanceLabel, Verification
from ..render.panoptic import StuffLabel
from ..scenes.license import License
from ..scenes.outputs import MapName, Output, map_names
from ..scenes.scene import Scene, Transparency, digest
from .derived import Derivation, Derived
from .files import create, exists, read_bytes, read_each, write_bytes_atomic
from .listing import by_number, numbered
from .place import Place, PlaceT
from .skim import skim

__all__ = [
    "TWINS",
    "WORKERS",
    "Counts",
    "DatasetInfo",
    "DepthFormat",
    "Hashes",
    "Record",
    "create_info",
    "image_paths",
    "indices",
    "iter_records",
    "labels_sha256",
    "map_paths",
    "parse_record",
    "quarantine_folder",
    "quarantined",
    "read_info",
    "read_record",
    "recipe_digest",
    "record_dicts",
    "record_path",
    "scene_sha256",
    "write_info",
    "write_quarantine",
    "write_record",
]


#: The folder below a dataset that holds the sound twins of its images.
TWINS = "twins"
#: The folder for what processes that work on a dataset say of themselves; no part of it, and never read with it.
WORKERS = "workers"


def _below(path: str) -> str:
    parts = path.split("/")
    if "\\" in path or "\0" in path or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"{path!r} must be a path below the dataset's folder, such as images/000017.png")
    return path


#: How depth is stored; `depth.encode_depth` says what is in the files.
DepthFormat = Literal["png", "exr"]
RelativePath = Annotated[str, AfterValidator(_below)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Stored(BaseModel):
    """Immutable, closed to unknown keys, refuses NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hashes(Stored):
    """SHA-256 of decoded pixels (`png.pixels_sha256`), `labels_sha256`, `recipe_digest` and `scene_sha256`.

    `maps` are of what `render.maps` stores; `labels` are of all instances and of the kinds of stuff.
    """

    rgb: Sha256
    ids: Sha256
    depth: Sha256
    labels: Sha256
    recipe: Sha256
    scene: Sha256
    maps: dict[MapName, Sha256] = {}


class Record(Stored):
    """One finished image. `image`, `depth`, `ids` and `maps` are paths below the dataset's folder, forward slashes.

    `maps` are the images that the scene's `outputs` ask for. `defects` are those of its objects, seen or not. `stuff`
    are the segments of the panoptic map that are no objects, where that is asked for.
    `depth_saturated` counts pixels too far for 16 bits. `replays` are what transforms of albumentations drew, as its
    `ReplayCompose` tells it, in the order of the scene's sensor. `status` is "quarantined" only in `quarantine/`, and
    `reason` says why then. `device` is what rendered the colours, since a GPU rounds otherwise than a CPU does: "cpu",
    "optix: NVIDIA L4", or "none" where no light was simulated. `derived` says what a diffusion model made of the render
    since, None for a render.
    """

    schema_version: Literal[1] = 1
    index: Annotated[int, Field(ge=0)]
    image: RelativePath
    depth: RelativePath
    ids: RelativePath
    maps: dict[MapName, RelativePath] = {}
    width: int
    height: int
    split: str
    scene: Scene
    instances: tuple[InstanceLabel, ...]
    verification: Verification
    defects: tuple[DefectLabel, ...] = ()
    stuff: tuple[StuffLabel, ...] = ()
    depth_saturated: int = 0
    replays: tuple[dict[str, Any], ...] = ()
    status: Literal["ok", "quarantined"] = "ok"
    reason: str | None = None
    hashes: Hashes
    versions: dict[str, str] = {}
    device: str = "cpu"
    derived: Derived | None = None


class Counts(Stored):
    """How much a dataset holds; `requested` images are those with index 0 … requested − 1."""

    requested: int
    images: int
    quarantined: int
    train: int
    val: int
    annotations: int


class DatasetInfo(Stored):
    """`dataset.json`: what the whole dataset was made from.

    `recipe` is the checked recipe as plain JSON, and `recipe_sha256` its `recipe_digest`; `settings` are the render
    settings; `size` is (width, height) in pixels; `depth_unit_m` is how many metres a value of 1 in a depth image
    means: the step of "png", 1 for "exr"; `stuff_categories` follow the categories in semantic maps, and
    `defect_categories` both; `split_by` says what the splits never part; `outputs` are the annotations that the recipe
    asks for; `license` is of the images, where the recipe states one; `transparency` is its policy for glass
    (`LabelRules`); `notes` say what is odd about its mesh files (`scenes.notes`); `derived` says which dataset a
    diffusion model made this one of, None for renders.
    """

    schema_version: Literal[1] = 1
    name: str
    seed: int
    categories: tuple[str, ...]
    stuff_categories: tuple[str, ...] = ()
    defect_categories: tuple[str, ...] = ()
    outputs: tuple[Output, ...] = ()
    recipe: dict[str, Any]
    recipe_sha256: Sha256
    settings: dict[str, Any]
    size: tuple[int, int]
    val_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2
    split_by: Literal["scene", "backplate"] = "scene"
    depth_format: DepthFormat = "png"
    depth_unit_m: Annotated[float, Field(gt=0)]
    license: License | None = None
    transparency: Transparency | dict[str, Transparency] = "solid"
    notes: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    derived: Derivation | None = None
    counts: Counts


def record_path(folder: PlaceT, index: int) -> PlaceT:
    """Where the record of an image lies."""
    return folder / "records" / f"{index:06d}.json"


def quarantine_folder(folder: PlaceT, index: int) -> PlaceT:
    """Where a quarantined image lies, with its record, its scene and the ids of both engines."""
    return folder / "quarantine" / f"{index:06d}"


def image_paths(index: int, depth_format: DepthFormat) -> dict[str, str]:
    """The paths of an image's three pictures below the dataset's folder, keyed as in `Record`."""
    return {
        "image": f"images/{index:06d}.png", "depth": f"depth/{index:06d}.{depth_format}", "ids": f"ids/{index:06d}.png",
    }  # fmt: skip


def map_paths(index: int, outputs: Iterable[Output]) -> dict[MapName, str]:
    """The paths of the images that outputs consist of, below the dataset's folder, keyed as in `Record.maps`."""
    return {name: f"{name}/{index:06d}.png" for name in map_names(outputs)}


def labels_sha256(
    instances: Iterable[InstanceLabel], stuff: Iterable[StuffLabel] = (), defects: Iterable[DefectLabel] = ()
) -> str:
    """Hash of all labels of one image, in their order."""
    labels = (*instances, *stuff, *defects)
    return hashlib.sha256(b"\n".join(i.model_dump_json().encode() for i in labels)).hexdigest()


def scene_sha256(scene: Scene) -> str:
    """Hash of everything that a picture was made from."""
    return hashlib.sha256(scene.to_json().encode()).hexdigest()


def recipe_digest(recipe: dict[str, Any]) -> str:
    """Hash of a recipe as plain JSON, whatever the order of its keys; equals `scenes.load.recipe_sha256`."""
    return digest({key: value for key, value in recipe.items() if key != "libraries"})


def write_record(folder: Place, record: Record) -> bool:
    """Write an image's record, whole or not at all; its pictures must be there already.

    False when the image has one already, which stays as it is: another worker was first.
    """
    if record.status != "ok":
        raise DatasetError(f"image {record.index} is {record.status}: records/ holds complete images only")
    return create(record_path(folder, record.index), record.model_dump_json().encode() + b"\n")


def write_quarantine(folder: Place, record: Record, pictures: dict[str, bytes]) -> Place:
    """Put an image aside: its pictures (file name → bytes), its scene, and last its record. Gives the record's path."""
    if record.status != "quarantined" or not record.reason:
        raise DatasetError(f"image {record.index} is put in quarantine without a reason: say what is wrong with it")
    place = quarantine_folder(folder, record.index)
    for name, data in pictures.items():
        write_bytes_atomic(place / name, data)
    write_bytes_atomic(place / "scene.json", record.scene.to_json().encode() + b"\n")
    write_bytes_atomic(place / "record.json", record.model_dump_json().encode() + b"\n")
    return place / "record.json"


def read_record(path: Place) -> Record:
    """The record in a file; DatasetError names the field that is wrong."""
    return parse_record(read_bytes(path), path)


def parse_record(data: bytes, path: Place) -> Record:
    """The record that `data` from `path` is; DatasetError names the field that is wrong."""
    try:
        return Record.model_validate_json(data)
    except ValidationError as error:
        raise DatasetError(
            f"{path} is no record: {_first(error)}. Restore it, or delete it and render again"
        ) from error


def indices(folder: Place) -> list[int]:
    """Indices of the images that have a record, ascending."""
    return numbered(folder / "records", ".json")


def quarantined(folder: Place) -> list[int]:
    """Indices of the images in quarantine, ascending."""
    return sorted(index for index, _ in by_number(folder / "quarantine", ("record.json",)))


def iter_records(folder: Place) -> Iterator[Record]:
    """All records, by index."""
    paths = (record_path(folder, index) for index in indices(folder))
    return (parse_record(data, path) for path, data in read_each(paths))


def record_dicts(folder: Place, chosen: Iterable[int] | None = None) -> Iterator[dict[str, Any]]:
    """All records by index, or those chosen, as plain dicts: not checked and parsed no deeper than `skim` does."""
    paths = (record_path(folder, index) for index in (indices(folder) if chosen is None else chosen))
    for path, data in read_each(paths):
        try:
            record = skim(data)
        except orjson.JSONDecodeError as error:
            raise DatasetError(f"{path} is no JSON: {error}. Delete it and render the image again") from error
        if not isinstance(record, dict) or not _is_named(path.name, record.get("index")):
            raise DatasetError(f"{path} does not hold that image's record. Delete it and render the image again")
        yield record


def _is_named(name: str, index: object) -> bool:
    """Whether a record's file has the name that its index gives it: other files are named by the index."""
    return type(index) is int and name == f"{index:06d}.json"


def write_info(folder: Place, info: DatasetInfo) -> None:
    """Write `dataset.json`, atomically, for people to read: indented."""
    write_bytes_atomic(folder / "dataset.json", _told(info))


def create_info(folder: Place, info: DatasetInfo) -> bool:
    """Write `dataset.json` where there is none; False when another run was faster."""
    return create(folder / "dataset.json", _told(info))


def _told(info: DatasetInfo) -> bytes:
    return orjson.dumps(info.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_info(folder: Place) -> DatasetInfo:
    """What `dataset.json` says; DatasetError when it is not there or names the field that is wrong."""
    path = folder / "dataset.json"
    if not exists(path):
        raise DatasetError(f"{folder} is no dataset: it has no dataset.json. Name the folder that `--out` named")
    try:
        return DatasetInfo.model_validate_json(read_bytes(path))
    except ValidationError as error:
        raise DatasetError(f"{path} is damaged: {_first(error)}. Run the same generate command to write it") from error


def _first(error: ValidationError) -> str:
    """The first complaint of pydantic in one line, with the place it is about."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
