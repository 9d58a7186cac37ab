"""The label gate on drawn scenes: what it accepts, what it rejects and why, and what it leaves unjudged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from scenewright.diffusion.gate import InstanceScores, Reference, Verdict, judge, reference

from .gate_scenes import SCENE, Thing, drawn

Image = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def ref() -> Reference:
    picture, ids = drawn(SCENE)
    return reference(picture, ids)


def faults(verdict: Verdict) -> dict[int, tuple[str, ...]]:
    return {s.id: s.faults for s in verdict.instances if s.faults}


def shift(scores: InstanceScores) -> tuple[float, float]:
    assert scores.shift_px is not None
    return scores.shift_px


def with_moved(index: int, dx: float, dy: float) -> Image:
    things = (*SCENE[:index], SCENE[index].moved(dx, dy), *SCENE[index + 1 :])
    return drawn(things)[0]


def noisy(picture: Image) -> Image:
    noise = np.random.default_rng(3).normal(0, 8, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


RESTYLED: dict[str, Callable[[Image], Image]] = {
    "identity": lambda p: p,
    "darker": lambda p: (p * 0.6).astype(np.uint8),
    "brighter": lambda p: np.clip(p * 1.25, 0, 255).astype(np.uint8),
    "gamma": lambda p: np.rint(255 * (p / 255) ** 1.4).astype(np.uint8),
    "blur": lambda p: cv2.GaussianBlur(p, (0, 0), 1),
    "noise": noisy,
    "channels exchanged": lambda p: np.ascontiguousarray(p[..., ::-1]),
    "light from the left": lambda p: (p * np.linspace(1, 0.5, p.shape[1])[:, None]).astype(np.uint8),
}


@pytest.mark.parametrize("name", RESTYLED)
def test_what_leaves_labels_true_is_accepted(ref: Reference, name: str) -> None:
    """Gain, gamma, blur, noise, other colours and other light are no reasons to reject."""
    verdict = judge(ref, RESTYLED[name](ref.render))
    assert (verdict.accepted, verdict.faults, faults(verdict)) == (True, (), {})
    assert all(s.checkable for s in verdict.instances)


def test_identity_has_full_marks(ref: Reference) -> None:
    """Compared with itself, a render keeps every edge and nothing in it moves."""
    for s in judge(ref, ref.render).instances:
        assert (s.recall, s.stretch_recall, s.agreement) == (1, 1, 1)
        assert np.linalg.norm(shift(s)) < 0.15


@pytest.mark.parametrize("index", range(len(SCENE)))
@pytest.mark.parametrize(("dx", "dy"), [(2, 0), (-1.5, 1.5), (0, -3), (3.2, 3.9), (-8, 0)])
def test_a_moved_object_is_found_and_measured(ref: Reference, index: int, dx: float, dy: float) -> None:
    """An object drawn 2 to 8 px elsewhere is rejected, alone, and its shift is measured to 0.3 px."""
    verdict = judge(ref, with_moved(index, dx, dy))
    found = {s.id: s for s in verdict.instances}[SCENE[index].id]
    assert not verdict.accepted
    assert verdict.failed_ids == (SCENE[index].id,)
    assert "moved" in found.faults
    assert np.linalg.norm(np.subtract(shift(found), (dx, dy))) < 0.3


@pytest.mark.parametrize("index", range(len(SCENE)))
def test_an_erased_object_is_lost(ref: Reference, index: int) -> None:
    """Where an object is no longer drawn, its edges are lost and those of others are not."""
    verdict = judge(ref, drawn(SCENE[:index] + SCENE[index + 1 :])[0])
    assert verdict.failed_ids == (SCENE[index].id,)
    assert "lost" in faults(verdict)[SCENE[index].id]


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_another_size_is_noticed(ref: Reference, factor: float) -> None:
    """Objects drawn 15 % larger or smaller have grown, or are scaled, by about as much."""
    things = tuple(replace(t, radius=t.radius * factor, hole=t.hole * factor) for t in SCENE)
    verdict = judge(ref, drawn(things)[0])
    assert set(verdict.failed_ids) == {t.id for t in SCENE}
    for s in verdict.instances:
        assert {"grown", "scaled"} & set(s.faults)
        assert s.scale == pytest.approx(factor, abs=0.04)


def test_an_added_object_is_new_structure(ref: Reference) -> None:
    """An object without a label is a fault of the picture and of none of its instances."""
    verdict = judge(ref, drawn((*SCENE, Thing(9, (20, 150), 12, 40, (0.7, 0.2, 0.2))))[0])
    assert (verdict.accepted, verdict.faults, faults(verdict)) == (False, ("new structure",), {})
    assert verdict.picture.new_px > 80


@pytest.mark.parametrize("value", [0, 255])
def test_a_frame_without_content_is_empty(ref: Reference, value: int) -> None:
    """A black frame, as a safety filter returns it, and a white one are rejected for what they are."""
    verdict = judge(ref, np.full_like(ref.render, value))
    assert not verdict.accepted
    assert "empty" in verdict.faults


def test_noise_alone_is_rejected(ref: Reference) -> None:
    """A picture that has nothing to do with the render keeps no outline."""
    verdict = judge(ref, np.random.default_rng(0).integers(0, 256, ref.render.shape, np.uint8))
    assert not verdict.accepted
    assert set(verdict.failed_ids) == {t.id for t in SCENE}


def test_objects_that_exchange_their_looks_are_found() -> None:
    """Two discs of one size are told apart by their colours, though no outline has changed."""
    discs = (Thing(1, (60, 60), 20, 40, (0.7, 0.2, 0.2)), Thing(2, (140, 110), 20, 40, (0.2, 0.3, 0.7)))
    swapped = tuple(replace(a, at=b.at) for a, b in ((discs[0], discs[1]), (discs[1], discs[0])))
    verdict = judge(reference(*drawn((*discs, SCENE[2]))), drawn((*swapped, SCENE[2]))[0])
    assert {s.id: s.looks_of for s in verdict.instances} == {1: 2, 2: 1, 5: None}
    assert faults(verdict) == {1: ("exchanged",), 2: ("exchanged",)}


def test_names_of_ids_do_not_matter(ref: Reference) -> None:
    """With other numbers for the same objects, every object gets the same scores."""
    new = {t.id: 900 - t.id for t in SCENE}
    ids = np.zeros_like(ref.ids)
    for old, other in new.items():
        ids[ref.ids == old] = other
    refined = with_moved(1, 2, 1)
    renamed = {s.id: s for s in judge(reference(ref.render, ids), refined).instances}
    for s in judge(ref, refined).instances:
        assert replace(renamed[new[s.id]], id=s.id) == s
        assert s.looks_of is None


def test_a_mirror_mirrors_the_shift(ref: Reference) -> None:
    """Render, ids and refined image flipped left to right: the verdict is the same, the shift is mirrored."""
    refined = with_moved(2, 3, 1)
    flipped = judge(reference(ref.render[:, ::-1], ref.ids[:, ::-1]), refined[:, ::-1])
    for a, b in zip(judge(ref, refined).instances, flipped.instances, strict=True):
        assert a.faults == b.faults
        assert shift(b) == pytest.approx((-shift(a)[0], shift(a)[1]), abs=0.2)


def test_one_reference_judges_many(ref: Reference) -> None:
    """What was judged before does not change a verdict, nor does judging change the images."""
    refined = with_moved(0, 2, 0)
    before = refined.copy()
    first = judge(ref, refined)
    judge(ref, noisy(ref.render))
    assert judge(ref, refined) == first
    assert (refined == before).all()
    assert judge(reference(*drawn(SCENE)), refined) == first


def test_what_fills_the_picture_is_free_and_searched() -> None:
    """An object without an outline in the picture is not frozen, and what is added on it is noticed."""
    ground, _ = drawn(())
    whole = np.full(ground.shape[:2], 5, np.uint16)
    filled = reference(ground, whole)
    assert not filled.frozen.any() and filled.frozen_ids == ()
    verdict = judge(filled, ground)
    assert verdict.accepted and not verdict.instances[0].outlined and not verdict.instances[0].checkable
    assert judge(filled, drawn(SCENE)[0]).faults == ("new structure",)


def test_a_speck_is_frozen() -> None:
    """An object of a few pixels has an outline, though one too short to be followed."""
    picture, ids = drawn(SCENE)
    ids[2:4, 2:4] = 99
    measured = reference(picture, ids)
    assert 99 in measured.frozen_ids and measured.frozen[2:4, 2:4].all()
