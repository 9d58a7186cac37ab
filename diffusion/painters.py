"""Who paints defects: the embedded inpainter, or a user's model of diffusers that is told in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from . import sources
from .card import ModelCard, Part, libraries, settings
from .inpainter import STEPS, WEIGHTS, Inpainter, scheduler
from .jobs import Job
from .load import Model
from .paint_plan import Words, worded
from .placing import Placing, device_name, device_of, threads_of
from .quiet import quiet
from .refiner import Refiner
from .steady import steady
from .variants import Stroke, Variant, tried, variant

__all__ = ["Embedded", "Painter", "Prompted", "Wish", "known_kinds"]

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

#: A kind of which the embedded inpainter saw fewer examples is not painted: of 5 dents it learnt nothing but blots.
LEAST_SEEN = 20
#: A user's model is shown so much around a defect, in sizes of it, and so many pixels at least.
AROUND, LEAST_PX = 2.0, 48


@dataclass(frozen=True)
class Wish:
    """What is to be painted: a kind in a mask (h, w), on a material of some family, by a seed.

    `index` is that of the image.
    """

    index: int
    kind: str
    severity: float
    material: str
    mask: Mask
    seed: int


class Painter(Protocol):
    """Paints defects into sound pictures."""

    @property
    def card(self) -> ModelCard:
        """What it is."""

    def prompt(self, wish: Wish) -> str | None:
        """What the model reads, None for one that reads nothing."""

    def paint(self, sound: Image, wish: Wish) -> Variant:
        """A picture (h, w, 3) with a defect.

        Raises:
            UsageError: it does not know the kind, or the mask is empty.
            ModelError: the model failed.
        """


def known_kinds(folder: Path = WEIGHTS) -> tuple[str, ...]:
    """The kinds that the embedded inpainter paints well enough, without loading it."""
    return tuple(kind for kind, seen in sources.read_json(folder / "kinds.json").items() if len(seen) >= LEAST_SEEN)


class Embedded:
    """The inpainter that comes with the package. It sees the material, and is told how severe a defect is."""

    def __init__(self, placing: Placing, steps: int = STEPS, folder: Path = WEIGHTS) -> None:
        _need_libraries()
        self.device, self.steps = device_of(placing), steps
        with quiet():
            self.model = Inpainter.load(folder)
            self.model.net.to(self.device)
        plan = scheduler()
        self._card = ModelCard(
            model=Part(id="scenewright defect inpainter", sha256=sources.hashes(folder)), family="defect inpainter",
            pipeline=type(self.model.net).__name__, license="GPL-3.0-or-later",
            training_data="renders of this project's recipe `surface` and their sound twins, and nothing else: it adds "
            "variety, not realism",
            scheduler=type(plan).__name__, scheduler_config=settings(plan), precision="float32",
            device=device_name(self.device), threads=threads_of(placing), versions=libraries(),
        )  # fmt: skip

    @property
    def card(self) -> ModelCard:
        """What it is."""
        return self._card

    def prompt(self, wish: Wish) -> None:
        """As in `Painter`."""

    def paint(self, sound: Image, wish: Wish) -> Variant:
        """As in `Painter`."""
        with steady(self.device, self.card.threads):
            return variant(self.model, sound, wish.mask, wish.kind, wish.severity, wish.seed, steps=self.steps)


class Prompted:
    """A user's model, which reads of kind and material. How severe a defect is nothing tells it but the mask."""

    def __init__(self, model: Model, words: Words) -> None:
        self.model, self.words, self._refiner = model, words, Refiner(model)
        worded(words.prompt, "", "")

    @property
    def card(self) -> ModelCard:
        """What it is."""
        return self.model.card

    def prompt(self, wish: Wish) -> str:
        """As in `Painter`."""
        return worded(self.words.prompt, wish.kind, wish.material)

    def paint(self, sound: Image, wish: Wish) -> Variant:
        """As in `Painter`. The model sees a square about the defect, made larger: its VAE would lose what is thin."""
        words, cut = self.words, _about(wish.mask)
        near, mask = sound[cut], wish.mask[cut]
        factor = words.side_px / max(mask.shape)
        size = (max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor)))
        shown = cv2.resize(near, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)
        level = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        free = np.asarray(level > 0, np.float32)
        prompt = self.prompt(wish)

        def paint(seed: int) -> Stroke:
            job = Job(
                wish.index, np.asarray(shown, np.uint8), free, prompt, words.negative_prompt, strength=words.strength,
                steps=words.steps, guidance=words.guidance, seed=seed,
            )  # fmt: skip
            (made,) = self._refiner.refine([job])
            back = cv2.resize(
                made.image, mask.shape[::-1], interpolation=cv2.INTER_AREA if factor > 1 else cv2.INTER_CUBIC
            )
            out = sound.copy()
            out[cut] = np.where(mask[..., None], back, near)
            return Stroke(out, made.steps, strength=words.strength)

        return tried(paint, sound, wish.mask, wish.seed)


def _about(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of a square about a mask, as far as it lies in the picture; UsageError for an empty mask."""
    if not mask.any():
        raise UsageError("a mask without pixels says nowhere to paint")
    ends = [np.flatnonzero(mask.any(axis=1 - axis))[[0, -1]] + [0, 1] for axis in (0, 1)]
    side = max(LEAST_PX, round(AROUND * max(int(b - a) for a, b in ends)))
    cut = []
    for (a, b), size in zip(ends, mask.shape, strict=True):
        start = int(np.clip((a + b) // 2 - side // 2, 0, max(0, size - side)))
        cut.append(slice(start, min(size, start + side)))
    return cut[0], cut[1]


def _need_libraries() -> None:
    """UsageError that says what to install."""
    try:
        import diffusers  # noqa: F401  # asked for, not used
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"painting defects needs {error.name or error}: pip install 'scenewright[diffusion]', with the build of "
            "torch for your machine"
        ) from error
