"""Defect variants answer their request with a label of what changed, or say that they did not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scenewright.diffusion.inpainter import WEIGHTS, Inpainter
from scenewright.diffusion.variants import TRIES, variant
from scenewright.errors import UsageError

from .test_inpainter import disc, ground

pytest.importorskip("torch", reason="needs the extra `diffusion`")
pytest.importorskip("diffusers", reason="needs the extra `diffusion`")


@pytest.fixture(scope="module")
def model() -> Any:
    return Inpainter.load(WEIGHTS)


def test_a_variant_is_labelled_by_what_changed(model: Any) -> None:
    """A dark stain covers its request; the label lies in it, and everything else is the sound picture."""
    sound, request = ground(80, 90), disc(80, 90, 20)
    made = variant(model, sound, request, "stain", 0.8, 3, np.array([-0.9, -0.9, -0.9], np.float32), steps=3)
    assert made.accepted and len(made.tries) == 1 and made.tries[0].seed == 3
    assert (made.change.mask <= request).all() and made.change.coverage > 0.8
    assert (made.image[~request] == sound[~request]).all()
    again = variant(model, sound, request, "stain", 0.8, 3, np.array([-0.9, -0.9, -0.9], np.float32), steps=3)
    assert (again.image == made.image).all() and again.tries == made.tries


def test_what_does_not_show_is_refused_after_other_seeds(model: Any) -> None:
    """A stain in the tone of its ground hardly changes anything: every seed is tried, and the fault comes back."""
    sound, request = ground(64, 64), disc(64, 64, 20)
    flat = np.full_like(sound, 128)
    made = variant(model, flat, request, "stain", 0.05, 3, np.zeros(3, np.float32), steps=1)
    assert not made.accepted
    assert len(made.tries) == TRIES and len({t.seed for t in made.tries}) == TRIES
    assert all(t.fault is not None for t in made.tries)


def test_tones_are_drawn_by_the_seed(model: Any) -> None:
    """Without a tone each seed draws one of those that the kind had, the same every time."""
    sound, request = ground(64, 64), disc(64, 64, 18)
    made = [variant(model, sound, request, "oil", 0.7, seed, steps=1).tries[0].tone for seed in (1, 2, 3, 1)]
    known = {tuple(round(float(x), 3) for x in row[3:]) for row in model.tones["oil"]}
    assert made[0] == made[3] and len(set(made)) > 1
    assert {tuple(round(x, 3) for x in tone) for tone in made if tone} <= known


def test_unknown_kinds_are_told(model: Any) -> None:
    """A kind that the model never saw is an error, whether or not a tone is given."""
    with pytest.raises(UsageError, match="knows no 'warped'"):
        variant(model, ground(64, 64), disc(64, 64, 9), "warped", 0.5, 0)
