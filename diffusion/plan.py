"""What is asked of a model for a whole dataset, and from that the job of each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from string import Formatter
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..errors import UsageError
from ..scenes.scene import Frozen, Scene
from ..scenes.streams import stream
from .change_map import Freedom, change_map
from .control import Control, Truth, control_picture
from .gate import Reference
from .gate_scores import Rules
from .jobs import Job

__all__ = ["PROMPT", "Plan", "job_of"]

#: What is asked for when nobody says anything.
PROMPT = "photograph of {objects} on {ground}"
#: A prompt names no more kinds of things than this: text encoders read some 75 tokens.
MOST_NAMES = 5

Mask = npt.NDArray[np.bool_]


class Plan(Frozen):
    """What decides the pixels of a refined dataset, beside the model.

    Attributes:
        prompts: each image draws one. `{objects}`, `{materials}` and `{ground}` become what its scene holds.
        negative_prompt: what is not to be seen; empty for none.
        strength: share of the noise that is added, None for families without it.
        steps: denoising steps of a full strength.
        guidance: how strictly the prompt is followed.
        controls: control pictures for the ControlNets, in their order.
        control_scale: how strongly these act.
        freedom: how far background, objects and outlines may change.
        gate: what the label gate asks for.
        batch: images at a time; another batch moves values by 1 of 255 at most.
        seed: another seed, other pictures.
    """

    prompts: Annotated[tuple[str, ...], Field(min_length=1)] = (PROMPT,)
    negative_prompt: str = ""
    strength: Annotated[float | None, Field(gt=0, le=1)] = 0.4
    steps: Annotated[int, Field(ge=1, le=1000)] = 30
    guidance: Annotated[float, Field(ge=0, le=100)] = 6.0
    controls: tuple[Control, ...] = ()
    control_scale: Annotated[float, Field(ge=0, le=10)] = 1.0
    freedom: Freedom = Freedom()
    gate: Rules = Rules()
    batch: Annotated[int, Field(ge=1, le=256)] = 1
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0

    def checked(self) -> Plan:
        """The plan itself; UsageError where a prompt has a placeholder that nothing fills."""
        for text in self.prompts:
            try:
                names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
            except ValueError as error:
                raise UsageError(
                    f"the prompt {text!r} is not complete: {error}. Write a brace that is one as {{{{"
                ) from error
            if unknown := sorted(names - {"objects", "materials", "ground"}):
                raise UsageError(
                    f"the prompt {text!r} asks for {unknown}: what can be filled in is {{objects}}, {{materials}} and "
                    "{ground}"
                )
        return self


def job_of(plan: Plan, scene: Scene, truth: Truth, measured: Reference, hold: Mask | None = None) -> Job:
    """What a model is asked to do with one image.

    Args:
        scene: its scene, for the prompt.
        truth: its depth, ids and normals, for the control pictures.
        measured: its render, as the gate measured it: what cannot be judged is not changed.
        hold: (h, w) what else stays as rendered.
    """
    level = change_map(measured.ids, plan.freedom, measured.frozen_ids, hold)
    level[measured.frozen] = 0
    choice = stream(plan.seed, scene.index, "refine.prompt").integers(len(plan.prompts))
    return Job(
        index=scene.index, image=measured.render, level=level, prompt=prompt(plan.prompts[choice], scene),
        negative_prompt=plan.negative_prompt, control=tuple(control_picture(kind, truth) for kind in plan.controls),
        control_scale=plan.control_scale, strength=plan.strength, steps=plan.steps, guidance=plan.guidance,
        seed=int(stream(plan.seed, scene.index, "refine.noise").integers(2**63 - 1)),
    )  # fmt: skip


def prompt(text: str, scene: Scene) -> str:
    """A prompt with its placeholders filled from a scene."""
    labelled = [o for o in scene.objects if o.category_id] or list(scene.objects)
    materials = (m.family for o in labelled for m in o.materials.values())
    ground = "a surface"
    if scene.fixtures:
        ground = f"a {scene.fixtures[0].name}"
    elif scene.surface is not None and scene.backplate is None:
        ground = scene.surface.material.family
    return text.format(
        objects=_listed((o.category for o in labelled), "parts"), materials=_listed(materials, "materials"),
        ground=_words(ground),
    )  # fmt: skip


def _listed(names: Iterable[str], none: str) -> str:
    """The most frequent names, "bolt, nut and washer"."""
    found = [_words(name) for name, _ in Counter(names).most_common(MOST_NAMES)]
    if not found:
        return none
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"


def _words(name: str) -> str:
    return name.replace("_", " ")
