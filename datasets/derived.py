"""What a dataset that was made of another one by a diffusion model says of itself, as a whole and of each image.

Geometry and labels of objects are those of the source; its pictures are new. `generation` counts how many models a
picture has gone through since it was rendered: 0 is a render, and only the records below have more.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..diffusion.card import ModelCard
from ..diffusion.tries import Painting, Rung, Status

__all__ = [
    "Derivation",
    "Derived",
    "Origin",
    "PaintedDefect",
    "Refinement",
    "Source",
    "Variant",
    "card_sha256",
]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Generation = Annotated[int, Field(ge=1)]


class _Stored(BaseModel):
    """Immutable, closed to unknown keys, refuses NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Origin(_Stored):
    """The image of the source that this one was made of: hashes as in `records.Hashes`, of picture, ids and labels.

    `twin` says that the model was shown the sound twin of it.
    """

    rgb: Sha256
    ids: Sha256
    labels: Sha256
    twin: bool = False


class Refinement(_Stored):
    """How a model refined a picture whose labels are its render's.

    `model` is `card_sha256` of the model. `controls` are the kinds of control pictures that its ControlNets saw, and
    `control_scale` how strongly these acted, None without any. `frozen` are the instances whose outline the render
    does not show, so that they stayed as rendered; `held` are defects that did; `free` is the share of the pixels that
    the model might change.
    `tries` are the rungs of the ladder: the last one is this picture, unless `status` is "fallback", which is the
    render. Where the model was shown the sound twin (`origin.twin`), both images have its picture, and each its own
    render's bytes where the two renders differ; the gate judged the twin.
    """

    kind: Literal["refined"] = "refined"
    generation: Generation
    model: Sha256
    origin: Origin
    prompt: str
    negative_prompt: str = ""
    controls: tuple[str, ...] = ()
    control_scale: float | None = None
    guidance: float
    seed: int
    frozen: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    free: Annotated[float, Field(ge=0, le=1)]
    status: Status
    tries: tuple[Rung, ...]


class PaintedDefect(_Stored):
    """One defect that was to be painted; masks are COCO's compressed run lengths.

    `material` is the family of the material on which it lies, and `prompt` what the model was told of both, None for a
    model that reads nothing.
    `requested_rle` is what was to be painted, `rendered_rle` the mask of the same defect in the source's render, None
    where it was never rendered, `changed_rle` what has changed: the label, None where the painting was not accepted.
    `threshold` is the CIE76 ΔE*ab from which a pixel counts as changed. `mask_file` is the name of the user's mask that
    asked for it, None where none did; one over several objects asked for a defect on each.
    """

    defect_id: int
    kind: str
    severity: float
    material: str
    prompt: str | None
    requested_rle: str
    rendered_rle: str | None
    changed_rle: str | None
    threshold: float
    mask_file: str | None = None
    tries: tuple[Painting, ...]


class Variant(_Stored):
    """How defects were painted into a sound picture; "fallback" when none was accepted, so that it is still sound."""

    kind: Literal["variant"] = "variant"
    generation: Generation
    model: Sha256
    origin: Origin
    defects: tuple[PaintedDefect, ...]
    status: Literal["painted", "fallback"]


#: What is recorded of an image: None is a render.
Derived = Annotated[Refinement | Variant, Field(discriminator="kind")]


def _relative(folder: str) -> str:
    if folder.startswith("/") or "\\" in folder or "\0" in folder:
        raise ValueError(f"{folder!r} must say where the source lies as seen from the dataset, such as ../renders")
    return folder


class Source(_Stored):
    """The dataset that this one was made of; `folder` is relative to it, `derived` says where it came from in turn."""

    folder: Annotated[str, AfterValidator(_relative)]
    name: str
    seed: int
    recipe_sha256: Sha256
    derived: Derivation | None = None


class Derivation(_Stored):
    """The dataset as a whole.

    `plan` is what was asked for, as plain JSON; `model` is None until one was loaded; `images` of the source were asked
    for, and `outcomes` counts by status how they came out, "first_try" those that were accepted at once; `free` is the
    mean share of the pixels that the model might change, where it was asked to refine. `notes` say what is wrong with
    it all, such as a licence that nobody knows: they follow the data.
    """

    kind: Literal["refined", "variant"]
    generation: Generation
    source: Source
    plan: dict[str, Any]
    model: ModelCard | None = None
    images: Annotated[int, Field(ge=0)]
    outcomes: dict[str, int] = {}
    free: Annotated[float | None, Field(ge=0, le=1)] = None
    notes: tuple[str, ...] = ()


def card_sha256(card: ModelCard) -> str:
    """Hash of a model's card, by which records name the model."""
    return hashlib.sha256(card.model_dump_json().encode()).hexdigest()
