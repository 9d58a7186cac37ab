"""Reads a whole dataset again and says what is wrong with it: every file, every label, every derived file.

Nothing is repaired and nothing is raised: each problem is one `Finding` that says what to do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from ..errors import ScenewrightError
from ..render.labels import InstanceLabel, left_out
from ..render.rle import decode, encode_ids
from .coco import write_coco
from .coco_keypoints import write_keypoints
from .depth import decode_depth
from .files import exists, first_difference, inside, read_bytes
from .inventory import Finding, derived_paths, inventory
from .listing import is_folder, names
from .maps import decode as decode_map
from .panoptic import write_panoptic
from .place import Place
from .png import decode_ids, decode_rgb, pixels_sha256
from .records import (
    TWINS,
    DatasetInfo,
    DepthFormat,
    Record,
    image_paths,
    indices,
    labels_sha256,
    map_paths,
    quarantined,
    read_info,
    read_record,
    recipe_digest,
    record_dicts,
    record_path,
    scene_sha256,
)
from .splits import SPLITS, split_group, split_of
from .validate_defects import defect_messages, lacking_twins, twin_findings
from .validate_derived import derived_info_messages, derived_messages

__all__ = ["Finding", "validate"]

Messages = Iterator[str]


@dataclass
class _Seen:
    """What is compared across images: which one has a path, and which ones have depth that was cut off."""

    paths: dict[str, int] = field(default_factory=dict)
    far: list[int] = field(default_factory=list)


def validate(folder: Place) -> Iterator[Finding]:
    """Everything that is wrong with the dataset in `folder`, as it is found; nothing for a sound one."""
    info: DatasetInfo | None = None
    try:
        info = read_info(folder)
    except ScenewrightError as error:
        yield Finding("error", "dataset.json", str(error))
        if not is_folder(folder / "records"):
            return
    yield from inventory(folder, info)
    seen, sound = _Seen(), True
    for index in indices(folder):
        name = f"records/{index:06d}.json"
        for message in _guarded(lambda i=index: _record(folder, i, info, seen)):  # type: ignore[misc]  # i is bound now
            sound = False
            yield Finding("error", name, message)
    if seen.far:
        message = f"is cut off at 65535 steps in {len(seen.far)} images ({seen.far[:5]} …)"
        yield Finding("warning", "depth", f"{message}: raise dataset.depth_unit_mm, or set dataset.depth_format: exr")
    yield from _quarantine(folder)
    if info is not None:
        for message in _guarded(lambda: _info(folder, info)):
            yield Finding("error", "dataset.json", message)
        yield from _coco(folder, info, sound)
        yield from lacking_twins(folder, info)
    if is_folder(folder / TWINS / "records"):
        yield from (Finding(f.severity, f"{TWINS}/{f.path}", f.message) for f in validate(folder / TWINS))
        yield from twin_findings(folder)


def _guarded(check: Callable[[], Messages]) -> Messages:
    """The messages of a check; an error that ends it is its last message."""
    try:
        yield from check()
    except (ScenewrightError, OSError) as error:
        yield str(error)


def _record(folder: Place, index: int, info: DatasetInfo | None, seen: _Seen) -> Messages:
    """Everything about one image."""
    record = read_record(record_path(folder, index))
    if record.index != index or record.scene.index != index:
        yield f"holds image {record.index} of scene {record.scene.index}: a record's name is its index; render it again"
    if record.status != "ok":
        yield f"is {record.status}: move it to quarantine/, only complete images belong here"
    if not record.verification.passed:
        yield f"its label engines disagree in {record.verification.disagreeing} pixels: render it again"
    if record.depth_saturated:
        seen.far.append(index)
    form = info.depth_format if info else _format(record)
    for key, path in image_paths(index, form).items():
        if getattr(record, key) != path:
            yield f"names {getattr(record, key)!r} as its {key}, expected {path!r}: restore the record"
        if (other := seen.paths.setdefault(getattr(record, key), index)) != index:
            yield f"shares {getattr(record, key)} with image {other}: render both again"
    if record.maps != (wanted := map_paths(index, record.scene.outputs)) or set(record.hashes.maps) != set(wanted):
        yield f"names {sorted(record.maps)} beside its picture, its scene asks for {sorted(wanted)}: render it again"
    yield from _origin(record, info)
    yield from _guarded(lambda: _picture(folder, record))
    yield from _guarded(lambda: _depth(folder, record, form))
    yield from _guarded(lambda: _labels(folder, record))
    yield from _guarded(lambda: _maps(folder, record))
    yield from _guarded(lambda: derived_messages(folder, record, info))


def _origin(record: Record, info: DatasetInfo | None) -> Messages:
    """A record against the dataset that it should come from."""
    scene, camera = record.scene, record.scene.camera
    if (record.width, record.height) != (camera.width, camera.height):
        yield f"is {record.width}x{record.height}, its camera {camera.width}x{camera.height}: render it again"
    if record.hashes.recipe != scene.recipe_sha256:
        yield "its recipe hash is not its scene's: render it again"
    if record.hashes.scene != scene_sha256(scene):
        yield "its scene was changed after it was written (hash differs): restore the record or render it again"
    if record.hashes.labels != labels_sha256(record.instances, record.stuff, record.defects):
        yield "its labels were changed after they were written (hash differs): restore the record or render it again"
    if info is None:
        return
    if scene.seed != info.seed or scene.recipe_sha256 != info.recipe_sha256:
        yield "comes from another recipe or seed than dataset.json says: datasets must not be mixed in one folder"
    if scene.defect_categories != info.defect_categories:
        known = f"dataset.json {info.defect_categories}"
        yield f"has kinds of defects {scene.defect_categories}, {known}: datasets must not be mixed"
    if scene.categories != info.categories:
        yield f"has categories {scene.categories}, dataset.json {info.categories}: datasets must not be mixed"
    if scene.outputs != info.outputs:
        yield f"has outputs {scene.outputs}, dataset.json {info.outputs}: datasets must not be mixed"
    if (record.width, record.height) != info.size:
        yield f"is {record.width}x{record.height}, dataset.json says {info.size[0]}x{info.size[1]}: render it again"
    changed = [n for n in {**info.versions, **record.versions} if info.versions.get(n) != record.versions.get(n)]
    if changed:
        then, said = (
            ", ".join(f"{n} {v.get(n, 'unknown')}" for n in changed) for v in (record.versions, info.versions)
        )
        yield f"was made with {then}, dataset.json says {said}: delete the record and render the image again"
    wanted = split_of(info.seed, split_group(record.scene, info.split_by), info.val_fraction)
    if record.split != wanted:
        yield f"is in split {record.split!r}, its hash says {wanted!r}: restore the record"


def _picture(folder: Place, record: Record) -> Messages:
    rgb = decode_rgb(read_bytes(inside(folder, record.image)), record.width, record.height)
    if pixels_sha256(rgb) != record.hashes.rgb:
        yield f"{record.image} holds other pixels than were recorded: restore it, or delete the record and render again"


def _format(record: Record) -> DepthFormat:
    """The depth format that the record's own path tells."""
    suffix = record.depth.rpartition(".")[2]
    return next((form for form in get_args(DepthFormat) if form == suffix), "png")


def _depth(folder: Place, record: Record, form: DepthFormat) -> Messages:
    depth = decode_depth(read_bytes(inside(folder, record.depth)), record.width, record.height, form)
    if pixels_sha256(depth) != record.hashes.depth:
        yield f"{record.depth} holds other pixels than were recorded: restore it, or delete the record and render again"


def _maps(folder: Place, record: Record) -> Messages:
    """The images that the scene's outputs ask for."""
    for name, path in record.maps.items():
        stored = decode_map(name, read_bytes(inside(folder, path)), record.width, record.height)
        if pixels_sha256(stored) != record.hashes.maps.get(name):
            yield f"{path} holds other pixels than were recorded: restore it, or delete the record and render again"


def _labels(folder: Place, record: Record) -> Messages:
    """The id image against its hash, and every label against the id image."""
    ids = decode_ids(read_bytes(inside(folder, record.ids)), record.width, record.height)
    if pixels_sha256(ids) != record.hashes.ids:
        yield f"{record.ids} holds other pixels than were recorded: restore it, or delete the record and render again"
    masks = encode_ids(ids)
    objects = {o.id: o for o in record.scene.objects}
    if [i.id for i in record.instances] != list(objects):
        yield f"labels objects {[i.id for i in record.instances]}, its scene has {list(objects)}: render it again"
    for stranger in sorted(masks.keys() - {i.id for i in record.instances}):
        yield f"{record.ids} shows object {stranger}, which has no label: render the image again"
    for item in record.instances:
        mask = masks.get(item.id)
        found = (mask.area, mask.bbox, mask.counts) if mask else (0, None, None)
        if (item.area, item.bbox, item.rle) != found:
            yield f"object {item.id}: its area, box or mask is not that of {record.ids}: render the image again"
        thing = objects.get(item.id)
        if thing and (item.category, item.category_id) != (thing.category, thing.category_id):
            yield f"object {item.id} is labelled {item.category!r}, its scene says {thing.category!r}: render it again"
        for message in _guarded(lambda i=item: _rules(i, record, ids)):  # type: ignore[misc]  # i is bound now
            yield f"object {item.id}: {message}"
    yield from _guarded(lambda: defect_messages(record, ids))


def _rules(item: InstanceLabel, record: Record, ids: npt.NDArray[np.uint16]) -> Messages:
    """What a label must satisfy by its own definition."""
    names = record.scene.categories
    if item.category_id and names[item.category_id - 1 : item.category_id] != (item.category,):
        yield f"category {item.category_id} is not {item.category!r} among {names}: render the image again"
    if item.visibility != (item.area / item.amodal_area if item.amodal_area else 0.0):
        yield f"visibility {item.visibility} is not {item.area} / {item.amodal_area}: render the image again"
    reason = left_out(item.category_id, item.area, item.visibility, record.scene.labels)
    if item.left_out != reason or item.annotated != (reason is None):
        yield f"is left out because {item.left_out!r}, the rules say {reason!r}: render the image again"
    if item.amodal_rle is None:
        if item.amodal_area or item.area:
            yield "has pixels but no amodal mask: render the image again"
        return
    whole = decode(item.amodal_rle, (record.height, record.width))
    if int(whole.sum()) != item.amodal_area:
        yield f"its amodal mask has {int(whole.sum())} pixels, recorded are {item.amodal_area}: render it again"
    if item.area and not whole[ids == item.id].all():
        yield "is visible outside its amodal mask: render the image again"


def _quarantine(folder: Place) -> Iterator[Finding]:
    """Images put aside must say why; an interrupted move leaves a folder without a record."""
    for number in names(folder / "quarantine"):
        name = f"quarantine/{number}"
        for message in _guarded(lambda n=name: _put_aside(folder / n)):  # type: ignore[misc]  # n is bound now
            yield Finding("warning", name, message)


def _put_aside(place: Place) -> Messages:
    record = read_record(place / "record.json")
    if record.status != "quarantined" or not record.reason or place.name != f"{record.index:06d}":
        yield f"holds image {record.index}, {record.status}, without a reason to be here: delete it and generate again"


def _info(folder: Place, info: DatasetInfo) -> Messages:
    """What dataset.json says against what the folder holds."""
    if recipe_digest(info.recipe) != info.recipe_sha256:
        yield "its recipe does not have the hash that it names: restore the file"
    here, aside = indices(folder), quarantined(folder)
    for what, said, found in (
        ("images", info.counts.images, len(here)),
        ("images in quarantine", info.counts.quarantined, len(aside)),
    ):
        if said != found:
            yield f"counts {said} {what}, the folder holds {found}: run the same generate command again"
    lacking = sorted(set(range(info.counts.requested)) - set(here) - set(aside))
    if lacking:
        yield f"{len(lacking)} images were asked for and have no record ({lacking[:5]} …): run generate again"
    both = sorted(set(here) & set(aside))
    if both:
        yield f"images {both[:5]} are both finished and in quarantine: delete their quarantine folders"
    yield from derived_info_messages(folder, info)


def _coco(folder: Place, info: DatasetInfo, sound: bool) -> Iterator[Finding]:
    """COCO files must be, byte for byte, what the records give; that includes ids, categories and counts."""
    paths = derived_paths(info.outputs)
    for path in paths:
        if not exists(folder / path):
            message = "is missing: run the same generate command again, it is written from the records"
            yield Finding("error", path, message)
    with tempfile.TemporaryDirectory() as fresh:
        try:
            counts = write_coco(record_dicts(folder), info, Path(fresh))
            if "keypoints" in info.outputs:
                write_keypoints(folder, info, Path(fresh))
            if "panoptic" in info.outputs:
                write_panoptic(record_dicts(folder), info, Path(fresh))
        except ScenewrightError as error:
            if sound:  # otherwise the record's own finding says it better
                yield Finding("error", "annotations", str(error))
            return
        said: dict[str, Any] = {split: getattr(info.counts, split) for split in SPLITS}
        found = {split: part.images for split, part in counts.items()}
        annotations = sum(part.annotations for part in counts.values())
        if said != found or info.counts.annotations != annotations:
            message = f"counts {said} and {info.counts.annotations} annotations, records give {found} and {annotations}"
            yield Finding("error", "dataset.json", f"{message}: run the same generate command again")
        for path in paths:
            at = first_difference(folder / path, Path(fresh) / path) if exists(folder / path) else None
            if at is not None:
                message = f"differs from what the records give, from byte {at} on: run the same generate command again"
                yield Finding("error", path, message)
