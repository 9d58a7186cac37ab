"""One image to be refined, what comes out of it, and what is to be checked before a model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from .families import Knob, with_knobs
from .load import Model

__all__ = ["Job", "Refined", "check", "padded_size"]

Picture = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]

#: The side of the smallest picture that every pipeline takes.
LEAST = 64


@dataclass(frozen=True)
class Job:
    """One image to be refined.

    Attributes:
        index: its number in the dataset; it decides the place in a batch and nothing else.
        image: (h, w, 3) uint8 sRGB.
        level: (h, w) float32, the change map.
        prompt: what is to be seen.
        negative_prompt: what is not; empty for none.
        control: (h, w, 3) uint8 for each ControlNet, in their order.
        control_scale: how strongly each of them acts.
        strength: the share of the noise that is added, above 0 up to 1; None for families without it.
        steps: denoising steps of a full strength; `int(steps · strength)` is what is left of them, at least.
        guidance: how strictly the prompt is followed.
        seed: 0 … 2⁶³ − 1.
    """

    index: int
    image: Picture
    level: Map
    prompt: str
    negative_prompt: str = ""
    control: tuple[Picture, ...] = ()
    control_scale: float = 1.0
    strength: float | None = 0.5
    steps: int = 30
    guidance: float = 7.0
    seed: int = 0


@dataclass(frozen=True)
class Refined:
    """What became of a job.

    Attributes:
        image: (h, w, 3) uint8; where the change map is 0, the bytes that came in.
        steps: denoising steps that were executed.
        held: the change map acted inside the denoising loop, and not on the finished picture alone.
        flagged: the safety checker blanked the picture; `image` is what came in then.
    """

    image: Picture
    steps: int
    held: bool
    flagged: bool = False


def padded_size(image: Picture, multiple: int) -> tuple[int, int]:
    """Height and width of an image, each made the next multiple, and no smaller than any pipeline takes."""
    h, w = (-(-max(side, LEAST) // multiple) * multiple for side in image.shape[:2])
    return h, w


def check(job: Job, model: Model, multiple: int) -> None:
    """UsageError when a job cannot be done by a model whose pictures have sides that are multiples of `multiple`."""
    spec, name = model.spec, f"image {job.index}"
    if job.image.dtype != np.uint8 or job.image.ndim != 3 or job.image.shape[2] != 3:
        raise UsageError(f"{name}: pictures are (h, w, 3) uint8, not {job.image.shape} {job.image.dtype}")
    if job.level.shape != job.image.shape[:2] or not 0 <= job.level.min() <= job.level.max() <= 1:
        raise UsageError(f"{name}: its change map must be {job.image.shape[:2]} in size, with values from 0 to 1")
    if any(c.shape != job.image.shape for c in job.control):
        raise UsageError(f"{name}: its control pictures must be of its own size, {job.image.shape}")
    wanted = len(model.card.controlnets) if "control" in spec.knobs else 0
    if len(job.control) != wanted:
        raise UsageError(f"{name} brings {len(job.control)} control pictures for {wanted} ControlNets")
    if job.negative_prompt and "negative_prompt" not in spec.knobs:
        raise _lacks("negative_prompt", name, model)
    if not 0 <= job.seed < 2**63:
        raise UsageError(f"{name}: a seed is 0 … 2⁶³ − 1, not {job.seed}")
    h, w = padded_size(job.image, multiple)
    if spec.most_px and h * w > spec.most_px:
        raise UsageError(f"{name}: {spec.name} works on pictures of up to {spec.most_px} pixels, not {h * w}")
    _check_texts(job, name, model)
    _check_steps(job, name, model)


def _check_texts(job: Job, name: str, model: Model) -> None:
    """UsageError when CLIP would cut the end of a prompt off; other text encoders beside it read on."""
    if model.family.denoiser != "unet":
        return
    tokenizer = model.pipeline.tokenizer
    for text in (job.prompt, job.negative_prompt):
        count = len(tokenizer(text, truncation=False).input_ids)
        if count > tokenizer.model_max_length:
            raise UsageError(
                f"{name}: the text encoder of {model.family.title} reads {tokenizer.model_max_length} tokens, and this "
                f"prompt has {count}: shorten it. {text!r}"
            )


def _check_steps(job: Job, name: str, model: Model) -> None:
    """UsageError when the strength leaves no step, before a pipeline would say so less plainly, or do nothing."""
    if job.steps < 1:
        raise UsageError(f"{name}: there must be at least 1 step, not {job.steps}")
    if "strength" not in model.spec.knobs:
        if job.strength is not None:
            raise _lacks("strength", name, model)
        return
    if job.strength is None or not 0 < job.strength <= 1:
        raise UsageError(f"{name}: the strength is a share above 0 up to 1, not {job.strength}")
    if int(job.steps * job.strength) < 1:
        raise UsageError(
            f"{name}: {job.steps} steps at strength {job.strength:g} leave {job.steps * job.strength:.2g} of a step, "
            f"so nothing would be done: take at least {ceil(1 / job.strength)} steps, or strength {1 / job.steps:.2g}"
        )


def _lacks(knob: Knob, name: str, model: Model) -> UsageError:
    others = ", ".join(with_knobs([knob]))
    return UsageError(
        f"{name} asks for {knob}, which {model.family.title} has not (as {model.spec.name}): leave it out, or bring a "
        f"model of: {others}"
    )
