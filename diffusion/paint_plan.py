"""What is asked for when defects are painted into a dataset, as plain data."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field

from ..assets.defects.kinds import KINDS
from ..errors import UsageError
from ..scenes.scene import Frozen
from .inpainter import STEPS

__all__ = ["LOCAL", "PROMPT", "PaintPlan", "Words", "worded"]

#: Kinds that are a change of what is seen inside a part's outline; others bend the part or take some of it away.
LOCAL = tuple(name for name, kind in KINDS.items() if kind.category not in ("deformation", "missing_part"))
#: What a model that reads prompts is told.
PROMPT = "close-up photograph of {kind} on {material}"
#: How kinds are called in a prompt, where their own name would not do.
WORDS = {
    "scratch": "a scratch", "crack": "a crack", "stain": "a dried stain", "dust": "dust and lint",
    "oil": "a film of oil", "burn": "a burn mark", "wear": "worn-off coating", "misprint": "smeared ink",
    "gouge": "a deep gouge", "dent": "a dent", "chip": "a chipped edge", "bubble": "a burst bubble", "hair": "a hair",
    "fibre": "a textile fibre",
}  # fmt: skip


class Words(Frozen):
    """What a model that reads prompts is told.

    Attributes:
        prompt: `{kind}` and `{material}` become those of the defect.
        negative_prompt: what is not to be seen; empty for none.
        strength: share of the noise that is added inside the mask, None for families without it.
        steps: denoising steps of a full strength.
        guidance: how strictly the prompt is followed.
        side_px: a square about the defect is shown to the model at so many pixels a side.
    """

    prompt: str = PROMPT
    negative_prompt: str = ""
    strength: Annotated[float | None, Field(gt=0, le=1)] = 1.0
    steps: Annotated[int, Field(ge=1, le=1000)] = 30
    guidance: Annotated[float, Field(ge=0, le=100)] = 7.0
    side_px: Annotated[int, Field(ge=64, le=2048)] = 512


class PaintPlan(Frozen):
    """What decides the pixels of a dataset with painted defects, beside the model.

    Attributes:
        requests: where defects go. "rendered": where the source has them; "drawn": where a `defects` section of a
            recipe puts them; "asked": where masks of the user's say.
        kinds: what may be painted.
        seed: another seed, other paint; and where they are drawn, other defects.
        defects: the section, where they are drawn.
        masks: name → sha256 of the user's masks.
        steps: denoising steps of the embedded inpainter.
        words: what a user's model is told, None for the embedded inpainter.
    """

    requests: Literal["rendered", "drawn", "asked"]
    kinds: tuple[str, ...]
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0
    defects: dict[str, Any] | None = None
    masks: dict[str, str] = Field(default={})
    steps: Annotated[int, Field(ge=1, le=1000)] = STEPS
    words: Words | None = None


def worded(prompt: str, kind: str, material: str) -> str:
    """A prompt with its placeholders filled in; UsageError for others than {kind} and {material}."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(prompt) if name is not None}
    except ValueError as error:
        raise UsageError(
            f"the prompt {prompt!r} is not complete: {error}. Write a brace that is one as {{{{"
        ) from error
    if unknown := sorted(names - {"kind", "material"}):
        raise UsageError(
            f"the prompt {prompt!r} has {{{unknown[0]}}}, which nothing fills: there are {{kind}}, {{material}}"
        )
    return prompt.format(kind=WORDS.get(kind, kind.replace("_", " ")), material=material.replace("_", " "))
