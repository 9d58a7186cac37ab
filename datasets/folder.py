"""Opening a dataset's folder: a new one, or the same one to continue; never somebody else's."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..assets.files import copy_into
from ..errors import DatasetError
from ..scenes.load import recipe_sha256
from ..scenes.recipe import Recipe
from .coco import write_coco
from .files import sweep
from .records import Counts, DatasetInfo, indices, iter_records, quarantined, read_info, record_dicts, write_info

__all__ = ["export", "lock", "open_dataset"]

DEPTH_UNIT_M = 0.0001  # 16 bits reach 6.5 m in steps of 0.1 mm


def open_dataset(folder: Path, recipe: Recipe, seed: int, count: int, versions: dict[str, str]) -> DatasetInfo:
    """Create the dataset, or continue it when it was made from the same recipe and seed. Call with `lock` held.

    Raises:
        DatasetError: the folder holds something else, or a dataset of another recipe, seed or setting.
    """
    counts = Counts(requested=count, images=0, quarantined=0, train=0, val=0, annotations=0)
    if old := _old_info(folder):
        _same(old, recipe, seed, folder)
        counts, versions = old.counts.model_copy(update={"requested": max(count, old.counts.requested)}), old.versions
    elif indices(folder):
        versions = _same_records(folder, recipe, seed)
    else:
        strangers = [p.name for p in folder.iterdir() if p.name not in (".lock", "assets")]
        if strangers:
            raise DatasetError(
                f"{folder} is not empty and holds no dataset ({', '.join(sorted(strangers)[:3])}): choose another --out"
            )
    sweep(folder)
    for refs in recipe.files.values():
        for ref in refs:
            copy_into(ref, folder / "assets")
    info = DatasetInfo(
        name=recipe.name,
        seed=seed,
        categories=recipe.category_names,
        recipe=recipe.model_dump(mode="json"),
        recipe_sha256=recipe_sha256(recipe),
        settings=recipe.render.model_dump(mode="json", exclude={"size"}),
        size=recipe.render.size,
        val_fraction=recipe.dataset.val_fraction,
        depth_unit_m=DEPTH_UNIT_M,
        versions=versions,
        counts=counts,
    )
    write_info(folder, info)
    return info


def export(folder: Path, info: DatasetInfo) -> DatasetInfo:
    """Write COCO from the records, and the counts into `dataset.json`."""
    splits = write_coco(record_dicts(folder), info, folder)
    counts = Counts(
        requested=info.counts.requested,
        images=len(indices(folder)),
        quarantined=len(quarantined(folder)),
        train=splits["train"].images,
        val=splits["val"].images,
        annotations=sum(s.annotations for s in splits.values()),
    )
    info = info.model_copy(update={"counts": counts})
    write_info(folder, info)
    return info


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the folder for one run; it is created when missing. The lock goes with the process, however that ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("w")
    except OSError as e:
        raise DatasetError(f"cannot write to {folder}: {e.strerror or e}. Choose another --out") from e
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A run that ended between our open and our lock took the file with it: then we hold nothing.
            if not os.path.samestat(os.fstat(file.fileno()), (folder / ".lock").stat()):
                raise OSError
        except OSError as e:
            raise DatasetError(f"another run is writing to {folder}: wait for it, or choose another --out") from e
        try:
            yield
        finally:
            (folder / ".lock").unlink(missing_ok=True)


def _old_info(folder: Path) -> DatasetInfo | None:
    """What dataset.json says, None when it is lost: then the records tell what the dataset was made from."""
    if not (folder / "dataset.json").exists():
        return None
    try:
        return read_info(folder)
    except DatasetError:
        if indices(folder):
            return None
        raise DatasetError(
            f"{folder / 'dataset.json'} is damaged, and no records are left to write it from: choose another --out"
        ) from None


def _same_records(folder: Path, recipe: Recipe, seed: int) -> dict[str, str]:
    """Versions of the first record, once every record is known to come from this recipe and seed."""
    versions: dict[str, str] = {}
    for record in iter_records(folder):
        if record.scene.seed != seed or record.scene.recipe_sha256 != recipe_sha256(recipe):
            raise DatasetError(
                f"{folder} has no readable dataset.json, and image {record.index} was made from another recipe or with "
                f"seed {record.scene.seed}: use the same recipe, options and seed, or another --out"
            )
        versions = versions or record.versions
    return versions


def _same(info: DatasetInfo, recipe: Recipe, seed: int, folder: Path) -> None:
    if info.seed != seed:
        raise DatasetError(
            f"{folder} was made with seed {info.seed}, not {seed}: use --seed {info.seed} or another --out"
        )
    if info.recipe_sha256 == recipe_sha256(recipe):
        return
    changed = _difference(info.recipe, recipe.model_dump(mode="json"))
    raise DatasetError(
        f"{folder} was made from another recipe (it differs in {', '.join(changed[:4]) or 'files'}): "
        "use the same recipe and options, or another --out"
    )


def _difference(a: object, b: object, path: str = "") -> list[str]:
    """Paths at which two plain structures differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [k for k in {**a, **b} if a.get(k) != b.get(k)]
        return [p for k in keys for p in _difference(a.get(k), b.get(k), f"{path}.{k}" if path else str(k))]
    return [] if a == b else [path]
