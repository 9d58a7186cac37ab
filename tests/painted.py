"""Small datasets to paint into, and painters that need no torch, for tests of what is made of a painting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scenewright.datasets.derived import card_sha256
from scenewright.datasets.derived_folder import accept_model, finish, open_derived
from scenewright.datasets.records import indices, read_info
from scenewright.diffusion.card import ModelCard, Part
from scenewright.diffusion.gate import judge
from scenewright.diffusion.ladder import Outcome
from scenewright.diffusion.painters import Wish
from scenewright.diffusion.plan import Plan
from scenewright.diffusion.tries import Rung
from scenewright.diffusion.variants import Stroke, Variant, tried
from scenewright.farm.generate import generate
from scenewright.farm.painting_plan import Ask, planned
from scenewright.farm.painting_worker import paint_image, studio
from scenewright.farm.refining_worker import prepare, store

from .small_recipe import make

__all__ = ["SIZE", "Brush", "panels", "refined", "studied"]

SIZE = (150, 200)
BOX = {
    "category": "panel", "shape": "box", "params": {"x_m": 0.08, "y_m": 0.06, "z_m": 0.01},
    "materials": ["painted_metal", "plastic", "zinc"],
}  # fmt: skip


def panels(folder: Path, count: int = 4, **changes: Any) -> Path:
    """A dataset of two panels seen from near by, drawn by the flat engine."""
    usual = {
        "objects": {"count": 2, "assets": [BOX]}, "placement": {"area": [0.12, 0.12]}, "camera": {"distance": 0.22},
        "render": {"engine": "flat", "size": [SIZE[1], SIZE[0]]}, "dataset": {"val_fraction": 0.4},
    }  # fmt: skip
    recipe = make(**usual | changes)
    assert generate(recipe, count, folder).complete
    return folder


class Brush:
    """Paints in one colour, and nothing at all where it is told to fail."""

    def __init__(self, fails_on: frozenset[str] = frozenset(), name: str = "a brush") -> None:
        self.fails_on, self.name = fails_on, name
        self.wishes: list[Wish] = []

    @property
    def card(self) -> ModelCard:
        return ModelCard(
            model=Part(id=self.name), family="brush", pipeline="Brush", license="none needed", scheduler="none",
            scheduler_config={}, precision="float32", device="cpu", versions={},
        )  # fmt: skip

    def prompt(self, wish: Wish) -> str:
        return f"a {wish.kind} on {wish.material}"

    def paint(self, sound: np.ndarray, wish: Wish) -> Variant:  # type: ignore[type-arg]
        self.wishes.append(wish)
        fails = wish.kind in self.fails_on

        def stroke(seed: int) -> Stroke:
            colour = np.array([seed % 200, 30, 220], np.uint8)
            return Stroke(sound if fails else np.where(wish.mask[..., None], colour, sound), 1)

        return tried(stroke, sound, wish.mask, wish.seed)


def studied(source: Path, folder: Path, ask: Ask, painter: Brush) -> Path:
    """What `painting.paint` makes, in this process and with a painter of the test's."""
    plan, info = planned(source, ask)
    folder.mkdir(exist_ok=True)
    info = open_derived(folder, source, info, "variant", plan.model_dump(mode="json"), len(indices(source)))
    info = accept_model(folder, info, painter.card)
    place = studio(source, folder, ask.masks, painter)
    for index in indices(source):
        paint_image(place, index)
    finish(folder, info)
    return folder


def refined(source: Path, folder: Path) -> Path:
    """What `refining.refine` makes, with a model that brightens a little."""
    plan, card, info = Plan(), Brush().card, read_info(source)
    folder.mkdir(exist_ok=True)
    new = open_derived(folder, source, info, "refined", plan.model_dump(mode="json"), len(indices(source)))
    new = accept_model(folder, new, card)
    for index in indices(source):
        case = prepare(source, index, info, plan)
        image = np.where((case.job.level > 0)[..., None], np.clip(case.job.image, 0, 250) + 4, case.job.image)
        verdict = judge(case.reference, image.astype(np.uint8))
        assert verdict.accepted
        rung = Rung("refined", plan.strength, case.job.seed, plan.steps, False, (), verdict)
        store(case, Outcome(image.astype(np.uint8), "refined", (rung,)), source, folder, card_sha256(card))
    finish(folder, new)
    return folder
