"""The label gate at its edges: what the render does not show, pictures without objects, wrong input, plain records."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from scenewright.diffusion.gate import judge, reference
from scenewright.diffusion.gate_evidence import LAGS, evidence, known, traces
from scenewright.diffusion.gate_outlines import lab, outlines
from scenewright.diffusion.gate_votes import group_mean, groups
from scenewright.errors import UsageError

from .gate_scenes import SCENE, Thing, drawn

GROUND = (0.45, 0.45, 0.43)
HIDDEN = Thing(4, (100, 85), 15, 40, GROUND)


def test_an_outline_that_the_render_does_not_show_is_not_judged() -> None:
    """An object of the ground's colour is not checkable: it has no scores and no faults, whatever happens to it."""
    picture, ids = drawn((*SCENE, HIDDEN))
    shown, _ = drawn(SCENE)
    ref = reference(shown, ids)
    refined = np.where((ids == 4)[..., None], picture // 2, shown)
    for s in judge(ref, refined).instances:
        assert s.checkable == (s.id != 4)
        assert (s.recall is None) == (s.id == 4)
        assert s.faults == ()
    assert ref.frozen[ids == 4].all()
    assert not ref.frozen[:60].any()


def test_specks_are_not_checkable() -> None:
    """An outline of few points says nothing about 2 px, so that instance is frozen."""
    picture, ids = drawn((*SCENE, Thing(8, (100, 85), 2.2, 40, (0.9, 0.1, 0.1))))
    ref = reference(picture, ids)
    assert {i for i, yes in zip(ref.shape.ids, ref.checkable, strict=True) if not yes} == {8}


def test_a_straight_edge_is_not_checkable() -> None:
    """An object that fills half of the picture shows one straight edge: along it, a shift cannot be seen."""
    picture, ids = drawn(())
    ids[:, 100:] = 1
    picture[:, 100:] = 255 - picture[:, 100:] // 2
    assert not reference(picture, ids).checkable.any()


def test_without_objects_only_the_picture_is_judged() -> None:
    """An image without instances is accepted as it is, and rejected with something in it."""
    picture, ids = drawn(())
    ref = reference(picture, ids)
    assert judge(ref, picture).accepted
    assert judge(ref, drawn(SCENE[:1])[0]).faults == ("new structure",)


@pytest.mark.parametrize("shape", [(170, 201, 3), (170, 200), (170, 200, 4)])
def test_images_of_other_shapes_are_an_error(shape: tuple[int, ...]) -> None:
    """A refined image must have the size and the channels of its render."""
    picture, ids = drawn(SCENE)
    ref = reference(picture, ids)
    with pytest.raises(UsageError, match=r"as large as the ids \(170, 200\)"):
        judge(ref, np.zeros(shape, np.uint8))
    with pytest.raises(UsageError, match="8 bits"):
        reference(np.zeros(picture.shape, np.float32), ids)


def test_a_verdict_is_plain_data() -> None:
    """A verdict goes to JSON and back without loss, as records need it."""
    picture, ids = drawn(SCENE)
    verdict = asdict(judge(reference(picture, ids), np.roll(picture, 3, axis=1)))
    back = json.loads(json.dumps(verdict))
    assert back["instances"][0]["shift_px"] == list(verdict["instances"][0]["shift_px"])
    assert back["picture"] == verdict["picture"]
    assert back["accepted"] is False


@pytest.mark.parametrize("radius", [8, 20, 41.5])
def test_outlines_of_discs_are_circles(radius: float) -> None:
    """Points lie on the circle to half a pixel, their mean radius to 0.15, and normals point away from the centre."""
    shape = outlines(drawn((Thing(1, (90.5, 84.25), radius, 200, (1, 1, 1)),))[1])
    away = shape.xy - np.array([90.5, 84.25])
    far = np.linalg.norm(away, axis=1)
    assert np.abs(far - radius).max() < 0.6
    assert far.mean() == pytest.approx(radius, abs=0.15)
    assert (away * shape.normal).sum(axis=1).min() / far.mean() > 0.9


def test_normals_of_holes_point_into_the_hole() -> None:
    """Out of a ring is away from the ring, on both of its outlines."""
    shape = outlines(drawn((Thing(1, (80, 80), 40, 200, (1, 1, 1), hole=20),))[1])
    away = shape.xy - 80
    outer = np.linalg.norm(away, axis=1) > 30
    inward = (away * shape.normal).sum(axis=1) < 0
    assert (outer != inward).all()
    assert outer.any()
    assert inward.any()


@pytest.mark.parametrize("gone", [-6, -2.5, 0, 1, 3.5, 8])
def test_evidence_names_how_far_an_edge_has_gone(gone: float) -> None:
    """Of a disc that has another radius, nearly every normal says by how much."""
    picture, ids = drawn((Thing(1, (100, 85), 40, 200, (0.8, 0.2, 0.2)),))
    refined, _ = drawn((Thing(1, (100, 85), 40 + gone, 200, (0.8, 0.2, 0.2)),))
    shape = outlines(ids)
    before = traces(lab(picture), shape)
    proof, _ = evidence(known(before), traces(lab(refined), shape))
    assert np.median(np.abs(LAGS[proof.argmax(axis=1)] - gone)) <= 0.5


def test_means_over_groups_are_those_of_their_points() -> None:
    """Instances, stretches that go on at the start of their contour, and instances without outlines: mean by mean."""
    _, ids = drawn(SCENE)
    ids[5:7, 190:192] = 4  # so small that it has no outline
    shape = outlines(ids)
    among = groups(shape)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0, 1, len(shape.xy)).astype(np.float32)
    values = rng.normal(size=(len(shape.xy), 3)).astype(np.float32)
    found = group_mean(values, weight, among)
    assert (among.runs[:, 1, 0] < among.runs[:, 1, 1]).any()
    for runs, owner, mean in zip(among.runs, among.owner, found, strict=True):
        points = np.concatenate([np.arange(a, b) for a, b in runs])
        assert (shape.owner[points] == owner).all()
        expected = np.average(values[points], axis=0, weights=weight[points]) if len(points) else np.zeros(3)
        assert mean == pytest.approx(expected, abs=1e-5)
    assert [len(among.stretches(k)) > 0 for k in range(6)] == [True, True, False, True, True, True]
    assert {b - a + d - c for (a, b), (c, d) in among.runs[6:]} == {64}
