"""What is asked for when defects are to be painted into a dataset, and what will be done."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..assets.defects.kinds import KINDS
from ..assets.files import add_folder
from ..datasets.files import read_bytes
from ..datasets.inventory import assets_folder
from ..datasets.paint_masks import HOW, Asked, asked_files, check_masks
from ..datasets.records import DatasetInfo, indices, read_info
from ..datasets.sound import read_sound, without_twin
from ..diffusion.card import checked_license
from ..diffusion.load import Request
from ..diffusion.paint_plan import LOCAL, PaintPlan, Words, worded
from ..diffusion.painters import known_kinds
from ..diffusion.placing import Placing
from ..errors import DatasetError, UsageError
from ..scenes.load import recipe_from_dict, recipe_sha256
from ..scenes.recipe_defects import occurring

__all__ = ["Ask", "planned"]

#: Where defects are drawn and nobody says how many: so many of the labelled objects have one, and how bad it is. Milder
#: ones hardly show, and what hardly shows is refused; and on fewer pixels nothing can be painted that is like anything.
RATE, SEVERITY, LEAST_PX = 0.3, {"dist": "uniform", "low": 0.3, "high": 1.0}, 24


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    Attributes:
        masks: a folder with masks of the user's, where these say what to paint.
        rate, kinds: of defects that are drawn; either of them asks for drawn ones, though the source has others.
        seed: another seed, other paint, and where defects are drawn other defects.
        model: a user's model with what it is told; None is the embedded inpainter, which takes `steps`.
        placing: where the embedded inpainter runs.
    """

    masks: Path | None = None
    rate: float | None = None
    kinds: tuple[str, ...] | None = None
    seed: int = 0
    steps: int | None = None
    model: Request | None = None
    words: Words = field(default_factory=Words)
    placing: Placing = field(default_factory=lambda: Placing(threads=1))

    def __post_init__(self) -> None:
        if self.masks is not None and (self.rate is not None or self.kinds is not None):
            raise UsageError("--masks say what to paint and where: leave --rate and --kinds out")
        if self.rate is not None and not 0 < self.rate <= 1:
            raise UsageError(f"--rate is the share of the objects that get defects, above 0 up to 1; got {self.rate:g}")
        if self.model is not None and self.steps is not None:
            raise UsageError("steps of a user's model are said beside its prompt")
        for kind in self.kinds or ():
            if kind not in self.paintable:
                raise UsageError(f"{kind!r} is no kind that is painted: choose from {', '.join(self.paintable)}")

    @property
    def paintable(self) -> tuple[str, ...]:
        """The kinds that the model paints."""
        return known_kinds() if self.model is None else LOCAL


def planned(source: Path, ask: Ask) -> tuple[PaintPlan, DatasetInfo]:
    """What will be done with a dataset, and what dataset.json shall say of recipe and categories.

    Raises:
        UsageError: it has no images, or some with defects and no twin; or something is asked for that cannot be meant.
    """
    info, images = read_info(source), indices(source)
    if not images:
        raise UsageError(f"{source} has no images: generate some first")
    if info.derived is not None and info.derived.kind == "variant":
        raise UsageError(
            f"{source} has painted defects already: paint into {info.derived.source.folder}, as seen from there, or "
            "with --masks all that you want at once"
        )
    if lacking := without_twin(source):
        raise UsageError(
            f"{len(lacking)} images of {source} have defects and no sound twin to paint into ({lacking[:5]} …): run "
            f"`scenewright twins {source}`"
        )
    if ask.model is not None:
        checked_license(ask.model.license)
        worded(ask.words.prompt, "", "")
    return _plan(source, info, ask, images)


def _plan(source: Path, info: DatasetInfo, ask: Ask, images: Sequence[int]) -> tuple[PaintPlan, DatasetInfo]:
    common: dict[str, Any] = {"seed": ask.seed, "words": ask.words if ask.model is not None else None}
    if ask.steps is not None:
        common["steps"] = ask.steps
    kinds = ask.paintable
    if ask.masks is not None:
        files = asked_files(ask.masks, set(images), kinds)
        _check(source, info, files)
        masks = {f.path.name: hashlib.sha256(read_bytes(f.path)).hexdigest() for f in files}
        new = {KINDS[f.kind].category for f in files}
        added = [c for c in dict.fromkeys(k.category for k in KINDS.values()) if c in new - {*info.defect_categories}]
        plan = PaintPlan(requests="asked", kinds=kinds, masks=masks, **common)
        return plan, info.model_copy(update={"defect_categories": (*info.defect_categories, *added)})
    if info.defect_categories and ask.rate is None and ask.kinds is None:
        return PaintPlan(requests="rendered", kinds=kinds, **common), info
    if (assets := assets_folder(source)).is_dir():
        add_folder(assets)
    defects = _section(source, info, ask)
    recipe = recipe_from_dict({**info.recipe, "defects": defects}, None, where=f"{source}, with defects")
    return PaintPlan(requests="drawn", kinds=tuple(k["kind"] for k in defects["kinds"]), defects=defects, **common), (
        info.model_copy(
            update={
                "recipe": recipe.model_dump(mode="json"), "recipe_sha256": recipe_sha256(recipe),
                "defect_categories": recipe.defect_categories,
            }
        )
    )  # fmt: skip


def _check(source: Path, info: DatasetInfo, files: Sequence[Asked]) -> None:
    """UsageError that names a mask which cannot be used, before anything is painted."""
    if (assets := assets_folder(source)).is_dir():
        add_folder(assets)
    faults = []
    for index in sorted({f.index for f in files}):
        try:
            sound = read_sound(source, index, info)
        except DatasetError:
            continue  # this image cannot be made, whatever its masks: its worker says why
        try:
            check_masks(sound, [f for f in files if f.index == index])
        except UsageError as error:
            faults.append(str(error))
    if faults:
        more = f" (and masks of {len(faults) - 1} more images)" if len(faults) > 1 else ""
        raise UsageError(f"{faults[0]}{more}. {HOW}")


def _section(source: Path, info: DatasetInfo, ask: Ask) -> dict[str, Any]:
    """The `defects` section of a recipe for what is to be drawn; without --kinds all that occur on its materials."""
    kinds = ask.kinds
    if kinds is None:
        recipe = recipe_from_dict(info.recipe, None)
        kinds = occurring(ask.paintable, [a for a in recipe.objects.assets if a.weight > 0])
        if not kinds:
            raise UsageError(
                f"nothing that is painted occurs on the materials of {source}, as far as they are known: bring --masks"
            )
    return {
        "rate": RATE if ask.rate is None else ask.rate, "twins": True, "min_pixels": LEAST_PX,
        "kinds": [{"kind": kind, "severity": SEVERITY} for kind in kinds],
    }  # fmt: skip
