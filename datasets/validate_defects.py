"""What must hold of defects and of sound twins, beside what holds of every image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..assets.defects.kinds import KINDS
from ..errors import ScenewrightError
from ..render.defect_labels import DefectLabel, defect_left_out, grade
from ..render.rle import decode, encode_mask
from .derived import Variant
from .inventory import Finding, is_twins
from .place import Place
from .records import TWINS, DatasetInfo, Record, indices, quarantined, read_record, record_path

__all__ = ["defect_messages", "lacking_twins", "twin_findings"]

Ids = npt.NDArray[np.uint16]


def defect_messages(record: Record, ids: Ids) -> Iterator[str]:
    """What is wrong with the defects of one image, whose stored ids are (h, w)."""
    drawn = {d.id: (o.id, d) for o in record.scene.objects for d in o.defects}
    # What was painted where the user asked for it is in no scene.
    asked = isinstance(record.derived, Variant) and not drawn
    if [item.id for item in record.defects] != list(drawn) and not asked:
        yield f"labels defects {[i.id for i in record.defects]}, its scene has {list(drawn)}: render it again"
    numbers = [item.id for item in record.instances] + [item.id for item in record.defects]
    if len(set(numbers)) != len(numbers):
        yield "has two labels of one id: render it again"
    for item in record.defects:
        parent, defect = drawn.get(item.id, (None, None))
        if defect is not None and (item.parent_id, item.kind, item.severity) != (parent, defect.kind, defect.severity):
            yield f"defect {item.id} is labelled {item.kind!r} of object {item.parent_id}, its scene says otherwise"
        for message in _rules(item, record, ids):
            yield f"defect {item.id}: {message}: render the image again"


def _rules(item: DefectLabel, record: Record, ids: Ids) -> Iterator[str]:
    """What a label must satisfy by its own definition."""
    names, size = record.scene.defect_categories, (record.height, record.width)
    first = len(record.scene.categories) + len(record.scene.stuff_categories) + 1
    if item.kind not in KINDS or item.category != KINDS[item.kind].category or item.category not in names:
        yield f"{item.category!r} is no category of {item.kind!r} in this dataset"
    elif item.category_id != first + names.index(item.category):
        yield f"category {item.category_id} is not {item.category!r}"
    if item.grade != grade(item.severity):
        yield f"grade {item.grade} does not belong to severity {item.severity:g}"
    mask = decode(item.rle, size) if item.rle else np.zeros(size, bool)
    again = encode_mask(mask)
    if (item.area, item.bbox) != ((again.area, again.bbox) if again.area else (0, None)):
        yield "its area or box is not that of its mask"
    if not (ids[mask] == item.parent_id).all():
        yield f"lies outside what is seen of object {item.parent_id}"
    absent = decode(item.absent_rle, size) if item.absent_rle else np.zeros(size, bool)
    if int(absent.sum()) != item.absent_area or (ids[absent] == item.parent_id).any():
        yield "what is said to be absent is not"
    reason = defect_left_out(item.area, item.absent_area, item.visible_fraction, record.scene.defect_rules)
    if item.left_out != reason or item.annotated != (reason is None):
        yield f"is left out because {item.left_out!r}, the rules say {reason!r}"


def twin_findings(folder: Place) -> Iterator[Finding]:
    """What is wrong between the images of a dataset and their sound twins."""
    images, aside = set(indices(folder)), set(quarantined(folder))
    for index in indices(folder / TWINS):
        name = f"{TWINS}/records/{index:06d}.json"
        if index not in images:
            if index not in aside:  # an image in quarantine may come back, and then has its twin
                yield Finding("error", name, "is the twin of no image: run the same generate command, or delete it")
            continue
        try:
            twin, image = (read_record(record_path(place, index)) for place in (folder / TWINS, folder))
        except ScenewrightError:
            continue  # the record's own finding says it
        if twin.defects or any(o.defects for o in twin.scene.objects):
            yield Finding("error", name, "has a defect, and should be sound: delete it and run `scenewright twins`")
        if twin.scene != image.scene.twin:
            message = (
                "is not the scene of the image of that index without its defects: delete it and run `scenewright twins`"
            )
            yield Finding("error", name, message)
        if twin.device != image.device:
            message = (
                f"was rendered on {twin.device} and its image on {image.device}, so that they differ all over: delete "
                "it and run `scenewright twins`"
            )
            yield Finding("error", name, message)
        if image.scene.twin == image.scene and not image.defects:
            yield Finding("warning", name, "is the twin of an image that has no defects: delete it")


def lacking_twins(folder: Place, info: DatasetInfo) -> Iterator[Finding]:
    """Images with defects that have no twin, in a dataset whose recipe wants one of each."""
    if is_twins(folder) or not (info.recipe.get("defects") or {}).get("twins"):
        return
    there = {*indices(folder / TWINS), *quarantined(folder / TWINS)}
    lacking = [i for i in indices(folder) if i not in there and _marred(folder, i)]
    if lacking:
        message = f"lacks those of {len(lacking)} images that have defects ({lacking[:5]} …): run `scenewright twins`"
        yield Finding("error", TWINS, message)


def _marred(folder: Place, index: int) -> bool:
    try:
        return bool(read_record(record_path(folder, index)).defects)
    except ScenewrightError:
        return False  # the record's own finding says it
