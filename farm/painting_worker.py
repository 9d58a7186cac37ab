"""A worker of `painting`: loads the model once, and makes the images that it is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..assets.files import add_folder
from ..datasets.derived import Origin, PaintedDefect, Refinement, Variant, card_sha256
from ..datasets.derived_folder import copy_beside
from ..datasets.files import write_bytes_atomic
from ..datasets.paint_masks import Asked, asked, asked_files
from ..datasets.paint_requests import Wanted, drawn, rendered
from ..datasets.png import encode_rgb, pixels_sha256
from ..datasets.records import (
    TWINS,
    DatasetInfo,
    indices,
    labels_sha256,
    read_info,
    read_record,
    record_path,
    scene_sha256,
    write_record,
)
from ..datasets.sound import Sound, read_sound
from ..diffusion import variants
from ..diffusion.paint_plan import PaintPlan
from ..diffusion.painters import Embedded, Painter, Prompted, Wish
from ..errors import DatasetError, ModelError, ScenewrightError, UsageError
from ..render.defect_labels import DefectLabel
from ..render.painted_labels import Painted, painted_labels
from ..render.rle import encode_mask
from ..render.worker import serve
from ..scenes.kept_defects import keeping
from ..scenes.load import recipe_from_dict
from ..scenes.recipe import Recipe
from ..scenes.scene import Scene
from ..scenes.sequence import place_of
from ..scenes.streams import stream
from .painting import PLACING, REQUEST

__all__ = ["Made", "Studio", "paint_image", "studio"]

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Studio:
    """All that an image is made from: `recipe` is that of dataset.json, `masks` are the user's, by image."""

    source: Path
    folder: Path
    info: DatasetInfo
    plan: PaintPlan
    recipe: Recipe
    masks: dict[int, list[Asked]]
    painter: Painter
    model: str

    def requests(self, sound: Sound) -> tuple[Scene, list[Wanted]]:
        """The scene of an image with everything that is to be painted, and the requests."""
        if self.plan.requests == "rendered":
            return rendered(sound, self.plan.kinds)
        if self.plan.requests == "asked":
            return asked(sound, self.masks.get(sound.record.index, []))
        return drawn(sound, self.recipe, self._first(sound), self.plan.seed, self.plan.kinds)

    def _first(self, sound: Sound) -> Scene:
        """The sound scene of the group's first image that there is: it decides for all of them."""
        views = 1 if self.recipe.camera.stereo is None else 2
        size = views * self.recipe.motion.frames
        start = place_of(self.recipe, sound.record.index).group * size
        first = next(i for i in range(start, start + size) if record_path(self.source, i).is_file())
        return sound.scene if first == sound.record.index else read_record(record_path(self.source, first)).scene.twin


@dataclass(frozen=True)
class Made:
    """A painted image: its picture, its scene with what was accepted, the labels of that, and what is recorded."""

    picture: Picture
    scene: Scene
    labels: tuple[DefectLabel, ...]
    derived: Variant | Refinement | None


def paint_image(studio: Studio, index: int) -> None:
    """Make an image and write it, its twin before it, its record last. A function of source, plan and model."""
    try:
        sound = read_sound(studio.source, index, studio.info)
    except DatasetError as error:  # which concerns this image alone
        raise UsageError(str(error)) from None
    scene, requests = studio.requests(sound)
    _store(studio, sound, _made(studio, sound, scene, requests))


def _made(studio: Studio, sound: Sound, scene: Scene, requests: list[Wanted]) -> Made:
    """Paint one request after the other; what is refused leaves no trace."""
    picture = sound.rgb
    painted: list[Painted] = []
    told: list[PaintedDefect] = []
    for wanted in requests:
        seed = int(stream(sound.scene.seed, scene.group, f"paint.{studio.plan.seed}.{wanted.id}").integers(2**63 - 1))
        wish = Wish(sound.record.index, wanted.kind, wanted.severity, wanted.material, wanted.mask, seed)
        made = studio.painter.paint(picture, wish)
        told.append(_told(wanted, made, studio.painter.prompt(wish)))
        if made.accepted:
            picture = made.image
            painted.append(
                Painted(wanted.id, wanted.kind, wanted.severity, wanted.parent_id, made.change.mask, wanted.defect)
            )
    # Where defects were drawn, the scene is one of the recipe that asks for them.
    new = {"recipe_sha256": studio.info.recipe_sha256, "defect_categories": studio.info.defect_categories}
    scene = keeping(scene, {p.id for p in painted}).model_copy(update=new)
    labels = painted_labels(scene, sound.ids, sound.rgb, picture, painted)
    return Made(picture, scene, labels, _variant(studio, sound, told) if told else sound.record.derived)


def _told(wanted: Wanted, made: variants.Variant, prompt: str | None) -> PaintedDefect:
    def rle(mask: npt.NDArray[np.bool_]) -> str:
        return encode_mask(mask).counts

    return PaintedDefect(
        defect_id=wanted.id, kind=wanted.kind, severity=wanted.severity, material=wanted.material, prompt=prompt,
        requested_rle=rle(wanted.mask),
        rendered_rle=None if wanted.rendered is None else rle(wanted.rendered),
        changed_rle=rle(made.change.mask) if made.accepted else None, threshold=made.change.threshold, tries=made.tries,
        mask_file=wanted.mask_file,
    )  # fmt: skip


def _variant(studio: Studio, sound: Sound, told: list[PaintedDefect]) -> Variant:
    """What the record says of it."""
    hashes = (sound.marred or sound.record).hashes
    before = sound.record.derived
    return Variant(
        generation=1 + (before.generation if before is not None else 0), model=studio.model, defects=tuple(told),
        origin=Origin(rgb=hashes.rgb, ids=hashes.ids, labels=hashes.labels, twin=sound.marred is not None),
        status="painted" if any(d.changed_rle for d in told) else "fallback",
    )  # fmt: skip


def _store(studio: Studio, sound: Sound, made: Made) -> None:
    if made.labels:
        _write(studio, sound, made.scene.twin, sound.rgb, studio.folder / TWINS, derived=sound.record.derived)
    _write(studio, sound, made.scene, made.picture, studio.folder, defects=made.labels, derived=made.derived)


def _write(
    studio: Studio, sound: Sound, scene: Scene, picture: Picture, folder: Path,
    derived: Variant | Refinement | None, defects: tuple[DefectLabel, ...] = (),
) -> None:  # fmt: skip
    """One image with what the sound one has beside its picture: paint moves nothing."""
    record = sound.record
    copy_beside(record, sound.folder, folder)
    write_bytes_atomic(folder / record.image, encode_rgb(picture))
    hashes = record.hashes.model_copy(
        update={
            "rgb": pixels_sha256(picture), "recipe": studio.info.recipe_sha256, "scene": scene_sha256(scene),
            "labels": labels_sha256(record.instances, record.stuff, defects),
        }
    )  # fmt: skip
    new = {"scene": scene, "defects": defects, "hashes": hashes, "derived": derived}
    write_record(folder, record.model_copy(update=new))


def studio(source: Path, folder: Path, masks: Path | None, painter: Painter) -> Studio:
    """What images of a dataset in `folder`, begun by `painting`, are made from."""
    info = read_info(folder)
    assert info.derived is not None
    plan = PaintPlan.model_validate(info.derived.plan)
    if (folder / "assets").is_dir():
        add_folder(folder / "assets")
    files = [] if masks is None else asked_files(masks, set(indices(source)), plan.kinds)
    by_image = {i: [f for f in files if f.index == i] for i in {f.index for f in files}}
    recipe = recipe_from_dict(info.recipe, None)
    return Studio(source, folder, info, plan, recipe, by_image, painter, card_sha256(painter.card))


# --- the process -----------------------------------------------------------------------------------------------------


def _start(setup: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]:
    """Load the model; gives what answers requests, and the model's card."""
    folder, masks = Path(setup["folder"]), None if setup["masks"] is None else Path(setup["masks"])
    info = read_info(folder)
    assert info.derived is not None
    painter = _painter(setup, PaintPlan.model_validate(info.derived.plan))
    place = studio(Path(setup["source"]), folder, masks, painter)

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        return {"index": request["index"], **_guard(partial(paint_image, place, request["index"]))}

    return handle, {"card": painter.card.model_dump(mode="json")}


def _painter(setup: dict[str, Any], plan: PaintPlan) -> Painter:
    from ..diffusion.load import load
    from ..diffusion.placing import share_of

    def share(placing: Any) -> Any:
        return share_of(placing, setup["number"], setup["workers"], setup["cores"])

    if plan.words is None:
        return Embedded(share(PLACING.validate_python(setup["placing"])), plan.steps)
    request = REQUEST.validate_python(setup["model"])
    return Prompted(load(replace(request, placing=share(request.placing))), plan.words)


def _guard(work: Callable[[], None]) -> dict[str, Any]:
    """Deliberate errors become answers: what concerns an image alone, and what would stop all others too."""
    try:
        work()
    except DatasetError as error:
        return {"status": "fatal", "reason": str(error)}
    except ModelError as error:
        return {"status": "failed", "reason": str(error)}
    except ScenewrightError as error:
        return {"status": "impossible", "reason": str(error)}
    return {"status": "ok"}


if __name__ == "__main__":
    serve(_start)
