"""Effects of lens and sensor on linear light, each against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from scenewright.render.sensor import develop
from scenewright.render.sensor_light import poisson

from .sensor_shots import NOISE, SIZE, Seen, flat, frame_of, light, photo, scene_with


def test_noise_is_poisson_and_normal() -> None:
    """Mean and variance of a grey field are those of EMVA 1288: photons, read noise, converter, in closed form."""
    value = 0.18
    out = light(flat(value, (512, 512)), NOISE)
    well = 8000 * 100 / 400  # electrons of a photosite at this ISO
    for channel, gain in enumerate((2.0, 1.0, 1.5)):
        mean = well * 10 / 78 / gain  # middle grey is 10/78 of saturation
        variance = mean + 4**2 + (well / 2**12) ** 2 / 12
        got = out[..., channel].astype(np.float64) / value * mean
        n = got.size
        assert abs(got.mean() - mean) < 5 * math.sqrt(variance / n)
        assert abs(got.var() / variance - 1) < 5 * math.sqrt(2 / n)


def test_noise_of_the_dark() -> None:
    """Without light the noise is read noise alone, of both signs, and its mean is black."""
    out = light(flat(0, (512, 512)), {**NOISE, "read_noise_e": 10, "bits": 24})[..., 1]
    std = 10 / (8000 * 100 / 400) * 0.18 * 78 / 10
    assert abs(out.std() / std - 1) < 0.01
    assert abs(out.mean()) < 5 * std / out.size**0.5


def test_twice_the_iso_is_twice_the_photon_variance() -> None:
    """With photon noise alone variance goes with ISO, and against binning."""
    quiet = {**NOISE, "read_noise_e": 0, "bits": 24}
    base = light(flat(0.3, (512, 512)), quiet).var(axis=(0, 1))
    twice = light(flat(0.3, (512, 512)), {**quiet, "iso": 800}).var(axis=(0, 1))
    binned = light(flat(0.3, (512, 512)), {**quiet, "binning": 4}).var(axis=(0, 1))
    assert np.allclose(twice / base, 2, rtol=0.03) and np.allclose(base / binned, 4, rtol=0.03)


def test_exposure_brings_more_electrons() -> None:
    """One stop of exposure in the view transform halves the relative variance of photon noise."""
    scene = scene_with({**NOISE, "read_noise_e": 0, "bits": 24})
    variances = []
    for ev in (0.0, 1.0):
        seen = Seen()
        settings = scene.render.model_copy(update={"exposure_ev": ev})
        develop(frame_of(flat(0.2, (512, 512))), scene.model_copy(update={"render": settings}), seen)
        variances.append(seen.light.var())
    assert variances[0] / variances[1] == pytest.approx(2, rel=0.03)


def test_pattern_is_the_sensors_own() -> None:
    """Two images of one sensor share the pattern, and differ in the noise."""
    bright = {**NOISE, "iso": 100, "full_well_e": 1e7, "read_noise_e": 0, "bits": 24, "prnu": 0.05}
    a, b = (light(flat(0.5), {**bright, "seed": s})[..., 1].ravel() for s in (1, 2))
    assert np.corrcoef(a, b)[0, 1] > 0.99 and not np.array_equal(a, b)
    assert a.std() / a.mean() == pytest.approx(0.05, rel=0.03)


def test_row_noise_is_common_to_a_row() -> None:
    """Row noise alone leaves every row level, and rows differ by its electrons."""
    steady = {**NOISE, "iso": 100, "full_well_e": 1e7, "read_noise_e": 0, "bits": 24, "row_noise_e": 1e4, "red_gain": 1}
    out = light(flat(0.5, (512, 64)), steady)[..., 1].astype(np.float64) / (0.18 * 78 / 10) * 1e7
    rows = out.mean(axis=1)
    photons = math.sqrt(0.5 / (0.18 * 78 / 10) * 1e7)
    assert rows.std() == pytest.approx(math.hypot(1e4, photons / 8), rel=0.1)
    assert (out - rows[:, None]).std() == pytest.approx(photons * math.sqrt(63 / 64), rel=0.02)


def test_vignetting_is_cos4() -> None:
    """The principal point keeps its light, the farthest corner loses the share named, between them cos⁴ holds."""
    h, w = SIZE
    at = {"cx": 40.5, "cy": 30.5}  # the centre of pixel (40, 30)
    out = light(flat(1), {"effect": "vignetting", "strength": 0.4}, **at)[..., 0]
    assert out[30, 40] == 1
    reach = math.hypot(w - 40.5, h - 30.5)
    tan = math.sqrt(0.6**-0.5 - 1)  # cos⁴ of the corner's angle is 0.6
    for x, y in ((w - 1, h - 1), (0, 0), (100, 5)):
        angle = math.atan(tan * math.hypot(x + 0.5 - 40.5, y + 0.5 - 30.5) / reach)
        assert out[y, x] == pytest.approx(math.cos(angle) ** 4, abs=1e-6)


def test_chromatic_aberration_scales_about_the_principal_point() -> None:
    """A ramp of red is a ramp again, flatter by the magnification; green stays, and so does the principal point."""
    h, w = SIZE
    ramp = np.repeat(np.tile(np.arange(w, dtype=np.float32), (h, 1))[..., None], 3, axis=2) / w
    at = {"cx": 60.5, "cy": 40.5}
    out = light(ramp, {"effect": "chromatic_aberration", "red_px": 3, "blue_px": -2}, **at)
    assert np.array_equal(out[..., 1], ramp[..., 1])
    reach = math.hypot(w - 60.5, h - 40.5)
    x = np.arange(w) + 0.5
    for channel, shift in ((0, 3), (2, -2)):
        where = 60.5 + (x - 60.5) / (1 + shift / reach) - 0.5
        inner = (where > 2) & (where < w - 3)
        assert np.abs(out[50, :, channel] * w - where)[inner].max() < 1e-4


@pytest.mark.parametrize("sigma", [0.3, 0.8, 2.5])
def test_blur_has_its_width(sigma: float) -> None:
    """An impulse becomes a spot of sum 1, whose variance is that of the Gaussian, narrow ones included."""
    dot = flat(0)
    dot[48, 64] = 1
    spot = light(dot, {"effect": "blur", "sigma_px": sigma})[..., 0].astype(np.float64)
    x = np.arange(SIZE[1]) - 64
    assert spot.sum() == pytest.approx(1, abs=1e-5)
    assert (spot.sum(axis=0) * x**2).sum() == pytest.approx(sigma**2, rel=1e-3)


def test_defocus_is_a_disc() -> None:
    """An impulse becomes a disc: level inside, nothing outside, variance radius²/4 along each axis."""
    dot = flat(0)
    dot[48, 64] = 1
    spot = light(dot, {"effect": "defocus", "radius_px": 6})[..., 0].astype(np.float64)
    x = np.arange(SIZE[1]) - 64
    assert spot.sum() == pytest.approx(1, abs=1e-5)
    assert (spot.sum(axis=0) * x**2).sum() == pytest.approx(6**2 / 4 + 1 / 12, rel=0.01)
    assert spot[48, 64] == pytest.approx(1 / (math.pi * 36), rel=0.01) and spot[48, 64 + 8] < 1e-6
    assert np.array_equal(light(photo(), {"effect": "defocus", "radius_px": 0}), photo())


def test_light_is_multiplied() -> None:
    """Exposure, white balance and banding are gains: 2^EV, one a channel, a cosine down the rows."""
    grey = flat(0.5)
    assert np.allclose(light(grey, {"effect": "exposure", "ev": -1}), 0.25)
    assert np.allclose(light(grey, {"effect": "white_balance", "red": 1.2, "blue": 0.8})[0, 0], [0.6, 0.5, 0.4])
    bars = light(grey, {"effect": "banding", "strength": 0.1, "period_px": 32, "phase": 0.25})[:, 5, 1]
    rows = 0.5 * (1 - 0.1 * np.sin(2 * np.pi * (np.arange(SIZE[0]) + 0.5) / 32))
    assert np.allclose(bars, rows, atol=1e-6)


def test_demosaic_keeps_what_varies_linearly() -> None:
    """Malvar's filters reproduce grey ramps exactly, away from borders, and measured pixels everywhere."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 100.0
    ramp = np.repeat((0.2 + 0.3 * x + 0.1 * y)[..., None], 3, axis=2).astype(np.float32)
    out = light(ramp, {"effect": "demosaic", "amount": 1})
    assert np.allclose(out[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=1e-6)
    colour = photo()
    out = light(colour, {"effect": "demosaic", "amount": 1})
    assert np.array_equal(out[::2, ::2, 0], colour[::2, ::2, 0])
    assert np.array_equal(out[1::2, 1::2, 2], colour[1::2, 1::2, 2])
    assert np.array_equal(out[::2, 1::2, 1], colour[::2, 1::2, 1])
    assert np.abs(out - colour).max() > 0.05  # and it is no copy


def test_demosaic_of_flat_colour() -> None:
    """A field of one colour comes out as it went in: each place of the mosaic fills in the right neighbours."""
    field = flat(0)
    field[:] = (0.9, 0.5, 0.1)
    assert np.allclose(light(field, {"effect": "demosaic", "amount": 1}), field, atol=1e-6)


def test_photons_are_poisson_at_every_mean() -> None:
    """At any mean, from nearly dark to bright, shares of counts are those of Poisson's formula."""
    z = np.random.default_rng(5).standard_normal(200_000)
    for mean in (0.02, 1.0, 7.5, 29.9, 30.1, 400.0):
        got = poisson(np.full(z.shape, mean), z)
        bins = np.arange(got.max() + 2)
        found, due = np.bincount(got.astype(int), minlength=len(bins)) / len(z), stats.poisson.pmf(bins, mean)
        assert np.abs(np.cumsum(found - due)).max() < 2.0 / len(z) ** 0.5  # Kolmogorov: 1.95 is the 0.1 % point
        assert got.mean() == pytest.approx(mean, abs=5 * (mean / len(z)) ** 0.5)


def test_a_change_of_light_changes_the_noise_nowhere_else() -> None:
    """Where a picture and its twin without a defect are equal before the sensor, they are equal after it."""
    sound = np.random.default_rng(2).uniform(0, 0.4, (64, 80, 3)).astype(np.float32)
    marred = sound.copy()
    marred[20:30, 40:55] *= 0.05
    for iso in (25, 100, 800):
        effect = {**NOISE, "iso": iso, "row_noise_e": 3.0, "prnu": 0.01}
        differ = (light(sound, effect) != light(marred, effect)).any(axis=2)
        assert differ[20:30, 40:55].all()
        differ[20:30, 40:55] = False
        assert not differ.any()
