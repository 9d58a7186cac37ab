"""The folder of a dataset that a diffusion model makes of another one: opened, continued, finished."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..assets.files import STORED_NAME
from ..diffusion.card import ModelCard
from ..errors import DatasetError, UsageError
from .derived import Derivation, Source
from .files import create, inside, read_bytes, remove, sweep, write_bytes_atomic
from .folder import difference, export, strangers
from .inventory import assets_folder, is_twins
from .place import Place
from .records import (
    TWINS,
    Counts,
    DatasetInfo,
    Record,
    create_info,
    indices,
    read_info,
    record_dicts,
    write_info,
)

__all__ = [
    "accept_model",
    "check_places",
    "copy_beside",
    "finish",
    "grouped",
    "open_derived",
    "summary",
]

#: The card of the model that has begun a dataset, as long as it is being made: then dataset.json has it.
MODEL = "model.json"
NONE = Counts(requested=0, images=0, quarantined=0, train=0, val=0, annotations=0)


def open_derived(
    folder: Path, source: Path, info: DatasetInfo, kind: Any, plan: Mapping[str, Any], images: int,
    notes: tuple[str, ...] = (), alone: bool = True,
) -> DatasetInfo:  # fmt: skip
    """Create the dataset in `folder`, or continue it when the same plan and source made it. Call with `lock` held.

    Who is not `alone`, but `together` with others, leaves unfinished files and the model that was noted, and continues
    what has no image yet, too, by the same plan only.

    Args:
        folder: of the new dataset.
        source: folder of the one that it is made of.
        info: what `dataset.json` of the new one shall say; its counts and `derived` are set here.
        kind: "refined" or "variant".
        plan: what is asked for, as plain JSON.
        images: how many images of the source are asked for.
        notes: what is to be known of what comes out; those of the source follow along.

    Raises:
        DatasetError: the folder holds something else, or was made of another dataset or by another plan.
    """
    of = read_info(source)
    origin = Source(
        folder=os.path.relpath(source.resolve(), folder.resolve()).replace(os.sep, "/"), name=of.name, seed=of.seed,
        recipe_sha256=of.recipe_sha256, derived=of.derived,
    )  # fmt: skip
    derived = Derivation(
        kind=kind, generation=1 + (of.derived.generation if of.derived else 0), source=origin, plan=dict(plan),
        images=images, notes=(*(of.derived.notes if of.derived else ()), *notes),
    )  # fmt: skip
    # Of shares that begin together one creates dataset.json before all else: looked for last, it is not missed.
    counts, found, begun = NONE, strangers(folder), bool(indices(folder))
    old = read_info(folder) if (folder / "dataset.json").exists() else None
    if old is not None and (begun or not alone or old.derived is None):
        derived, counts = _continued(folder, old, derived), old.counts
    elif begun:
        raise DatasetError(f"{folder} has lost its dataset.json: restore it, or choose another --out")
    elif old is None and found:  # ours may begin anew
        raise DatasetError(f"{folder} is not empty and holds no dataset ({', '.join(found[:3])}): choose another --out")
    for place in (folder, folder / TWINS) if alone else ():
        sweep(place)
    if alone and not begun:
        remove(folder / MODEL)
    assets = assets_folder(source)
    for name in sorted(p.name for p in assets.glob("*") if STORED_NAME.fullmatch(p.name)):
        if not (folder / "assets" / name).exists():
            write_bytes_atomic(folder / "assets" / name, read_bytes(inside(assets.parent, f"assets/{name}")))
    info = info.model_copy(update={"derived": derived, "counts": counts})
    if old is None and not create_info(folder, info):  # another run has begun it since we looked
        return open_derived(folder, source, info, kind, plan, images, notes, alone)
    if old is not None and info != old:
        write_info(folder, info)
    return info


def check_places(source: Path, folder: Path) -> None:
    """UsageError where the new dataset would lie in the old one, or the old one is the twins of another."""
    if is_twins(source):
        raise UsageError(f"{source} holds the twins of {source.absolute().parent}: name that, its twins come along")
    inner, outer = folder.resolve(), source.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise UsageError(f"{folder} and {source} lie in each other: choose an --out outside, the source stays as it is")


def accept_model(folder: Path, info: DatasetInfo, card: ModelCard) -> DatasetInfo:
    """Note the model that works on a dataset; of all that begin it at once, the first one's counts.

    Raises:
        DatasetError: another one has begun it.
    """
    assert info.derived is not None
    known = info.derived.model
    if known is None and not create(folder / MODEL, card.model_dump_json().encode()):
        known = ModelCard.model_validate_json(read_bytes(folder / MODEL))
    if known is not None and known != card:
        changed = difference(known.model_dump(mode="json"), card.model_dump(mode="json"))
        raise DatasetError(
            f"{folder} was begun with another model, or another way to run it ({', '.join(changed[:4])} "
            "differs): its images would not match. Use the same, or choose another --out"
        )
    if info.derived.model is None:
        notes = (*info.derived.notes, *(note for note in card.notes if note not in info.derived.notes))
        info = info.model_copy(update={"derived": info.derived.model_copy(update={"model": card, "notes": notes})})
        write_info(folder, info)
    return info


def grouped(info: DatasetInfo) -> bool:
    """Whether images belong together, as frames of a sequence or as stereo pairs."""
    camera, motion = info.recipe.get("camera") or {}, info.recipe.get("motion") or {}
    return camera.get("stereo") is not None or motion.get("frames", 1) != 1


def copy_beside(record: Record, source: Place, folder: Path) -> None:
    """Copy what an image has beside its picture: depth, ids and maps, which `read_image` has checked."""
    for path in (record.depth, record.ids, *record.maps.values()):
        write_bytes_atomic(folder / path, read_bytes(source / path))


def finish(folder: Path, info: DatasetInfo) -> DatasetInfo:
    """Count how the images came out, and write COCO."""
    assert info.derived is not None
    info = export(folder, info.model_copy(update={"derived": info.derived.model_copy(update=summary(folder))}))
    remove(folder / MODEL)
    return info


def summary(folder: Place) -> dict[str, Any]:
    """`outcomes` and `free` of the dataset, from its records.

    "untouched" are renders into which nothing was to be painted.
    """
    found: Counter[str] = Counter()
    free: list[float] = []
    for record in record_dicts(folder):
        derived = record.get("derived") or {}
        found[derived.get("status", "untouched")] += 1
        free += [derived["free"]] if "free" in derived else []
        refined = derived.get("status") == "refined" and len(derived["tries"]) == 1
        painted = derived.get("status") == "painted" and all(
            d["changed_rle"] is not None and len(d["tries"]) == 1 for d in derived["defects"]
        )
        found["first_try"] += refined or painted
    counted = {name: count for name, count in sorted(found.items()) if count}
    return {"outcomes": counted, "free": round(sum(free) / len(free), 6) if free else None}


def _continued(folder: Path, old: DatasetInfo, new: Derivation) -> Derivation:
    """What an old dataset says, where it goes on with the new plan; more images may be asked for than before."""
    if old.derived is None:
        raise DatasetError(f"{folder} holds renders: choose another --out, they stay as they are")
    kept: dict[str, Any] = {"images": max(new.images, old.derived.images), "model": old.derived.model}
    notes = tuple(dict.fromkeys((*old.derived.notes, *new.notes)))
    kept |= {"outcomes": old.derived.outcomes, "free": old.derived.free, "notes": notes}
    then, now = (d.model_dump(mode="json", exclude={*kept}) for d in (old.derived, new))
    if changed := difference(then, now):
        raise DatasetError(
            f"{folder} was made otherwise (it differs in {', '.join(changed[:4])}): use the same dataset and options, "
            "or another --out"
        )
    return new.model_copy(update=kept)
