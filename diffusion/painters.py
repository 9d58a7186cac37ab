"""Who paints defects: the embedded inpainter, or a user's model of diffusers that is told in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..assets.defects.kinds import KINDS
from ..errors import UsageError
from . import sources
from .card import ModelCard, Part, libraries, plain
from .inpainter import STEPS, WEIGHTS, Inpainter, scheduler
from .jobs import Job
from .load import Model
from .placing import Placing, device_name, device_of, threads_of
from .quiet import quiet
from .refiner import Refiner
from .steady import steady
from .variants import Variant, tried, variant

__all__ = ["LOCAL", "PROMPT", "Embedded", "Painter", "Prompted", "Words", "known_kinds", "worded"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

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


class Painter(Protocol):
    """Paints defects into sound pictures."""

    @property
    def card(self) -> ModelCard:
        """What it is."""

    def paint(
        self, index: int, sound: Image, request: Mask, kind: str, severity: float, material: str, seed: int
    ) -> Variant:
        """A defect of a kind in a request (h, w) of a picture (h, w, 3), on a material of that family.

        Raises:
            UsageError: it does not know the kind, or the request is empty.
            ModelError: the model failed.
        """


def known_kinds(folder: Path = WEIGHTS) -> tuple[str, ...]:
    """The kinds that the embedded inpainter paints, without loading it."""
    return tuple(sources.read_json(folder / "kinds.json"))


class Embedded:
    """The inpainter that comes with the package."""

    def __init__(self, placing: Placing, steps: int = STEPS, folder: Path = WEIGHTS) -> None:
        _need_libraries()
        self.device, self.steps = device_of(placing), steps
        with quiet():
            self.model = Inpainter.load(folder)
            self.model.net.to(self.device)
        plan = scheduler()
        self._card = ModelCard(
            model=Part(id="scenewright defect inpainter", sha256=sources.hashes(folder)),
            family="defect inpainter", pipeline=type(self.model.net).__name__, license="GPL-3.0-or-later",
            training_data="renders of this project's recipe `surface` and their sound twins, and nothing else: it adds "
            "variety, not realism",
            scheduler=type(plan).__name__, scheduler_config=plain(dict(plan.config)), precision="float32",
            device=device_name(self.device), threads=threads_of(placing), versions=libraries(),
        )  # fmt: skip

    @property
    def card(self) -> ModelCard:
        """What it is."""
        return self._card

    def paint(
        self, index: int, sound: Image, request: Mask, kind: str, severity: float, material: str, seed: int
    ) -> Variant:
        """As in `Painter`; the material is seen in the picture."""
        with steady(self.device, self.card.threads):
            return variant(self.model, sound, request, kind, severity, seed, steps=self.steps)


@dataclass(frozen=True)
class Words:
    """What a model that reads prompts is told: `prompt` may hold {kind} and {material}; see `Job`."""

    prompt: str = PROMPT
    negative_prompt: str = ""
    strength: float | None = 1.0
    steps: int = 30
    guidance: float = 7.0

    def __post_init__(self) -> None:
        worded(self.prompt, "scratch", "zinc")


def worded(prompt: str, kind: str, material: str) -> str:
    """A prompt with its placeholders filled in; UsageError for others than {kind} and {material}."""
    try:
        return prompt.format(kind=WORDS.get(kind, kind.replace("_", " ")), material=material.replace("_", " "))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(
            f"a prompt may hold {{kind}} and {{material}} in braces, and nothing else: got {prompt!r} ({error})"
        ) from None


class Prompted:
    """A user's model."""

    def __init__(self, model: Model, words: Words) -> None:
        self.model, self.words, self._refiner = model, words, Refiner(model)

    @property
    def card(self) -> ModelCard:
        """What it is."""
        return self.model.card

    def paint(
        self, index: int, sound: Image, request: Mask, kind: str, severity: float, material: str, seed: int
    ) -> Variant:
        """As in `Painter`. Nothing tells the model how severe the defect is but its size."""
        words = self.words
        prompt, level = worded(words.prompt, kind, material), request.astype(np.float32)

        def paint(seed: int) -> tuple[Image, None]:
            job = Job(
                index, sound, level, prompt, words.negative_prompt, strength=words.strength, steps=words.steps,
                guidance=words.guidance, seed=seed,
            )  # fmt: skip
            (made,) = self._refiner.refine([job])
            return made.image, None

        return tried(paint, sound, request, seed)


def _need_libraries() -> None:
    """UsageError that says what to install."""
    try:
        import diffusers  # noqa: F401  # asked for, not used
        import torch  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"painting defects needs {error.name or error}: pip install 'scenewright[diffusion]', with the build of "
            "torch for your machine"
        ) from error
