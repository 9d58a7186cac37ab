"""Opening a dataset's folder: a new one, or the same one to continue; never somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from itertools import chain

from ..assets.material import FileRef
from ..errors import DatasetError
from ..scenes.load import recipe_sha256
from ..scenes.notes import mesh_notes
from ..scenes.recipe import Recipe
from .asset_store import put_assets, use_assets
from .coco import write_coco
from .coco_keypoints import write_keypoints
from .files import TEMPORARY, check_creates, exists, sweep
from .listing import is_folder, names
from .panoptic import write_panoptic
from .place import Place
from .records import (
    TWINS,
    WORKERS,
    Counts,
    DatasetInfo,
    create_info,
    indices,
    iter_records,
    quarantined,
    read_info,
    record_dicts,
    write_info,
)

__all__ = ["check_versions", "difference", "export", "open_dataset", "strangers"]


def open_dataset(
    folder: Place, recipe: Recipe, seed: int, count: int, versions: dict[str, str], alone: bool = True
) -> DatasetInfo:
    """Create the dataset, or continue it when the same recipe, seed and versions made it. Call with `locks.lock` held.

    Who is not `alone`, but `together` with others, leaves unfinished files where they are: somebody may write them.

    Raises:
        DatasetError: the folder holds something else, or a dataset of another recipe, seed, setting or version.
    """
    counts = Counts(requested=count, images=0, quarantined=0, train=0, val=0, annotations=0)
    if old := _old_info(folder):
        _same(old, recipe, seed, folder)
        check_versions(old.versions, versions, folder)
        counts = _most(old.counts, counts)
        recipe = _with_libraries(recipe, old, folder)
    elif indices(folder):
        _same_records(folder, recipe, seed, versions)
    elif foreign := strangers(folder):
        if exists(folder / "dataset.json"):  # another run has begun it since we looked
            return open_dataset(folder, recipe, seed, count, versions, alone)
        raise DatasetError(
            f"{folder} is not empty and holds no dataset ({', '.join(foreign[:3])}): choose another --out"
        )
    for part in (folder, folder / TWINS) if alone else ():
        sweep(part)
    put_assets(chain(*recipe.files.values(), recipe.libraries.values()), folder / "assets")
    info = DatasetInfo(
        name=recipe.name,
        seed=seed,
        categories=recipe.category_names,
        stuff_categories=recipe.stuff_names,
        defect_categories=recipe.defect_categories,
        outputs=recipe.outputs,
        recipe=recipe.model_dump(mode="json"),
        recipe_sha256=recipe_sha256(recipe),
        settings=recipe.render.model_dump(mode="json", exclude={"size"}),
        size=recipe.render.size,
        val_fraction=recipe.dataset.val_fraction,
        split_by=recipe.dataset.split_by,
        depth_format=recipe.dataset.depth_format,
        depth_unit_m=recipe.dataset.depth_unit_mm / 1000 if recipe.dataset.depth_format == "png" else 1.0,
        license=recipe.dataset.license,
        transparency=recipe.labels.transparency,
        notes=tuple(mesh_notes(recipe)),
        versions=versions,
        counts=counts,
    )
    # One of several that begin at once creates it; others leave it alone where it says the same. Some stores take one
    # write a second of an object, and five hundred shares may begin together.
    if old is None and not create_info(folder, info):
        if _old_info(folder) is not None:
            return open_dataset(folder, recipe, seed, count, versions, alone)
        write_info(folder, info)  # over one that is damaged, beside records
    elif old is not None and info != old:
        write_info(folder, info)
    check_creates(folder / "dataset.json")
    return info


def _most(counts: Counts, other: Counts) -> Counts:
    return counts.model_copy(update={"requested": max(counts.requested, other.requested)})


def export(folder: Place, info: DatasetInfo) -> DatasetInfo:
    """Write COCO from the records, and the counts into `dataset.json`; the same for its twins, where it has some.

    Nobody asks for a number of twins: that of their dataset is 0.
    """
    if is_folder(folder / TWINS / "records"):
        export(folder / TWINS, info.model_copy(update={"counts": info.counts.model_copy(update={"requested": 0})}))
    while True:  # workers of another run may be at the same dataset
        here = indices(folder)
        info = _export(folder, info, here)
        if indices(folder) == here:
            return info


def _export(folder: Place, info: DatasetInfo, here: Sequence[int]) -> DatasetInfo:
    splits = write_coco(record_dicts(folder, here), info, folder)
    if "keypoints" in info.outputs:
        write_keypoints(folder, info, folder)
    if "panoptic" in info.outputs:
        write_panoptic(record_dicts(folder, here), info, folder)
    counts = Counts(
        requested=info.counts.requested,
        images=len(here),
        quarantined=len(quarantined(folder)),
        train=splits["train"].images,
        val=splits["val"].images,
        annotations=sum(s.annotations for s in splits.values()),
    )
    info = info.model_copy(update={"counts": counts})
    write_info(folder, info)
    return info


def strangers(folder: Place) -> list[str]:
    """What no run of ours has left; one that was killed early leaves its assets and unfinished files."""
    return sorted(n for n in names(folder) if n not in (".lock", "assets", WORKERS) and not fnmatch(n, TEMPORARY))


def _old_info(folder: Place) -> DatasetInfo | None:
    """What dataset.json says, None when it is lost: then the records tell what the dataset was made from."""
    if not exists(folder / "dataset.json"):
        return None
    try:
        return read_info(folder)
    except DatasetError:
        if indices(folder):
            return None
        raise DatasetError(
            f"{folder / 'dataset.json'} is damaged, and no records are left to write it from: choose another --out"
        ) from None


def _with_libraries(recipe: Recipe, old: DatasetInfo, folder: Place) -> Recipe:
    """The recipe with the Blender libraries that the dataset has already: made anew, they would have other bytes."""
    held = {name.removesuffix(".blend") for name in names(folder / "assets") if name.endswith(".blend")}
    known = {k: FileRef.model_validate(v) for k, v in old.recipe.get("libraries", {}).items()}
    if not known or not all(ref.sha256 in held for ref in known.values()):
        return recipe
    use_assets(folder / "assets")
    return recipe.model_copy(update={"libraries": known})


def _same_records(folder: Place, recipe: Recipe, seed: int, versions: dict[str, str]) -> None:
    for record in iter_records(folder):
        if record.scene.seed != seed or record.scene.recipe_sha256 != recipe_sha256(recipe):
            raise DatasetError(
                f"{folder} has no readable dataset.json, and image {record.index} was made from another recipe or with "
                f"seed {record.scene.seed}: use the same recipe, options and seed, or another --out"
            )
        check_versions(record.versions, versions, folder)


def _same(info: DatasetInfo, recipe: Recipe, seed: int, folder: Place) -> None:
    if info.derived is not None:
        raise DatasetError(
            f"{folder} holds what a diffusion model made of renders, and no renders: choose another --out"
        )
    if info.seed != seed:
        raise DatasetError(
            f"{folder} was made with seed {info.seed}, not {seed}: use --seed {info.seed} or another --out"
        )
    if info.recipe_sha256 == recipe_sha256(recipe):
        return
    changed = difference(info.recipe, recipe.model_dump(mode="json"))
    raise DatasetError(
        f"{folder} was made from another recipe (it differs in {', '.join(changed[:4]) or 'files'}): "
        "use the same recipe and options, or another --out"
    )


def check_versions(old: dict[str, str], new: dict[str, str], folder: Place) -> None:
    """DatasetError where the versions that pixels and labels depend on are not those that made the dataset."""
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if changed:
        then, now = (", ".join(f"{n} {v[n]}" for n in changed if n in v) or "none" for v in (old, new))
        raise DatasetError(
            f"{folder} was made with {then}; installed is {now}: its images would not match. Install what it was made "
            "with, or choose another --out"
        )


def difference(a: object, b: object, path: str = "") -> list[str]:
    """Paths at which two plain structures differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [k for k in {**a, **b} if a.get(k) != b.get(k)]
        return [p for k in keys for p in difference(a.get(k), b.get(k), f"{path}.{k}" if path else str(k))]
    return [] if a == b else [path]
