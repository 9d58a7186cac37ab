"""What must hold of images into which defects were painted, beside what holds of every image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..diffusion.changed import change
from ..diffusion.tries import COVERAGE, LARGEST
from ..render.rle import decode
from .derived import PaintedDefect, Variant
from .files import exists, inside, read_bytes
from .place import Place
from .png import decode_ids, decode_rgb
from .records import TWINS, Record, read_record, record_path

__all__ = ["variant_messages"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Messages = Iterator[str]

#: Colours are compared in floating point, and another processor may round them otherwise: so much may differ of the
#: pixels of a label (one pixel at least), and of its threshold.
ROUNDED, ROUNDED_DELTA_E = 0.02, 0.01

AGAIN = "delete the record and run the same command again"


def variant_messages(folder: Place, record: Record, told: Variant) -> Messages:
    """What is wrong with an image of a dataset in `folder` into which defects were to be painted, and was told so."""
    accepted = [d for d in told.defects if d.changed_rle is not None]
    if told.status != ("painted" if accepted else "fallback"):
        yield f"is {told.status!r}, and {len(accepted)} of its defects were accepted: {AGAIN}"
    if len({d.defect_id for d in told.defects}) != len(told.defects):
        yield f"has two requests of one id: {AGAIN}"
    yield from (f"{message}: {AGAIN}" for message in _labels(record, accepted))
    taken = np.zeros((record.height, record.width), bool)
    ids = decode_ids(read_bytes(inside(folder, record.ids)), record.width, record.height)
    for item in told.defects:
        for message in _request(item, record, taken, ids):
            yield f"defect {item.defect_id}: {message}: {AGAIN}"
    yield from (f"{message}: {AGAIN}" for message in _picture(folder, record, told, accepted))


def _labels(record: Record, accepted: list[PaintedDefect]) -> Messages:
    """Labels are what has changed, of everything that was accepted and of nothing else."""
    if [d.id for d in record.defects] != [d.defect_id for d in accepted]:
        yield f"labels defects {[d.id for d in record.defects]}, accepted were {[d.defect_id for d in accepted]}"
        return
    for label, painted in zip(record.defects, accepted, strict=True):
        if label.rle != painted.changed_rle:
            yield f"defect {label.id} is not labelled by what has changed"
        if (label.kind, label.severity) != (painted.kind, painted.severity):
            yield f"defect {label.id} is labelled {label.kind!r}, requested was {painted.kind!r}"
        if label.absent_area or label.depth_mm is not None:
            yield f"defect {label.id} has a depth, or takes something away, and is paint"


def _request(item: PaintedDefect, record: Record, taken: Mask, ids: npt.NDArray[np.uint16]) -> Messages:
    """The masks of a request, and how it came out; marks its pixels as taken."""
    size = record.height, record.width
    requested = decode(item.requested_rle, size)
    if not requested.any() or (requested & taken).any():
        yield "its request is empty, or of pixels that another one has"
        return
    taken |= requested
    if len(found := np.unique(ids[requested])) != 1 or found[0] == 0:
        yield f"was requested on objects {found.tolist()}, and lies on one"
    if item.rendered_rle is not None and (requested & ~decode(item.rendered_rle, size)).any():
        yield "was requested where the render does not have it"
    if not item.tries or (item.tries[-1].fault is None) != (item.changed_rle is not None):
        yield "its last try does not say whether it was accepted"
        return
    if any(t.fault is None for t in item.tries[:-1]):
        yield "was tried again after it had been accepted"
    if item.changed_rle is None:
        return
    changed = decode(item.changed_rle, size)
    if (changed & ~requested).any():
        yield "has changed pixels that were not requested"
    coverage, area = int((changed & requested).sum()) / int(requested.sum()), int(changed.sum()) / int(requested.sum())
    last = item.tries[-1]
    if (last.coverage, last.area) != (round(coverage, 6), round(area, 6)):
        yield f"says that {last.coverage} of it has changed, its masks say {coverage:.6f}"
    if coverage < COVERAGE or area > LARGEST:
        yield f"was accepted with a coverage of {coverage:.2f} and {area:.2f} times its area"


def _picture(folder: Place, record: Record, told: Variant, accepted: list[PaintedDefect]) -> Messages:
    """Nothing but what was accepted has changed: everywhere else are the sound picture's own bytes."""
    if not accepted:
        if not told.origin.twin and record.hashes.rgb != told.origin.rgb:
            yield "nothing was painted into it, and yet it is not the picture of its source"
        return
    if not exists(record_path(folder / TWINS, record.index)):
        yield f"has no sound picture in {TWINS}/"
        return
    twin = read_record(record_path(folder / TWINS, record.index))
    if (twin.hashes.ids, twin.hashes.depth, twin.hashes.maps) != (
        record.hashes.ids, record.hashes.depth, record.hashes.maps,
    ):  # fmt: skip
        yield "has other ids, depth or maps than its sound picture, and paint moves nothing"
    if not told.origin.twin and twin.hashes.rgb != told.origin.rgb:
        yield "its sound picture is not the picture of its source"
    size = record.width, record.height
    image, sound = (decode_rgb(read_bytes(inside(place, record.image)), *size) for place in (folder, folder / TWINS))
    free = np.zeros(size[::-1], bool)
    for item in accepted:
        free |= decode(item.requested_rle, size[::-1])
    if (image[~free] != sound[~free]).any():
        yield "differs from its sound picture where nothing was accepted"
    yield from _changes(sound, image, accepted)


def _changes(sound: Image, image: Image, accepted: list[PaintedDefect]) -> Messages:
    """Labels are what has changed between the two pictures (h, w, 3), measured as when they were painted.

    One request was painted after the other, each into what those before it had left, and each into its own pixels: so
    the pictures between the two are known.
    """
    before, size = sound, (sound.shape[0], sound.shape[1])
    for item in accepted:
        requested = decode(item.requested_rle, size)
        if not requested.any():
            continue  # `_request` says so
        after = np.where(requested[..., None], image, before)
        found, told = change(before, after, requested), decode(item.changed_rle or "", size)
        off, most = int((found.mask ^ told).sum()), max(1, int(ROUNDED * int(told.sum())))
        if off > most or found.fault is not None:
            what = found.fault or f"another {int(found.mask.sum())} pixels have changed"
            yield f"defect {item.defect_id}: its label has {int(told.sum())} pixels, and in the picture {what}"
        if abs(found.threshold - item.threshold) > ROUNDED_DELTA_E:
            yield f"defect {item.defect_id}: says a threshold of {item.threshold:g}, its pictures {found.threshold:g}"
        before = after
