"""The sensor stage of a scene: what a lens, a sensor and a camera's software do to the picture, in order.

All values are drawn already: `render.sensor.develop` carries them out and draws nothing but from the seeds that stand
here. Effects with domain "linear" work on scene-linear colour, before the view transform; those with domain "display"
on the display-referred sRGB picture. r is the distance from the principal point, 1 at the image corner farthest off.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "Albumentations",
    "Banding",
    "Blur",
    "ChromaticAberration",
    "Defocus",
    "Demosaic",
    "Denoise",
    "Domain",
    "Exposure",
    "Jpeg",
    "Noise",
    "Quantize",
    "Sensor",
    "SensorEffect",
    "Sharpen",
    "Subsampling",
    "Tone",
    "Vignetting",
    "WhiteBalance",
]

Domain = Literal["linear", "display"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


def _as_json(value: Any) -> Any:
    """Tuples as the lists that JSON would make of them, so that a scene equals itself when it is read again."""
    if isinstance(value, dict):
        return {k: _as_json(v) for k, v in value.items()}
    return [_as_json(v) for v in value] if isinstance(value, list | tuple) else value


class _Effect(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Linear(_Effect):
    domain: ClassVar[Domain] = "linear"


class _Display(_Effect):
    domain: ClassVar[Domain] = "display"


class Vignetting(_Effect):
    """Natural light falloff, cos⁴ of the angle off axis, as gain 1 / (1 + t²r²)²; the corner loses `strength` of it."""

    effect: Literal["vignetting"] = "vignetting"
    domain: Domain = "linear"
    strength: float


class ChromaticAberration(_Effect):
    """Lateral colour: red and blue are scaled about the principal point and end so many pixels farther out at r = 1."""

    effect: Literal["chromatic_aberration"] = "chromatic_aberration"
    domain: Domain = "linear"
    red_px: float
    blue_px: float


class Blur(_Effect):
    """A Gaussian point spread of standard deviation `sigma_px`: lens and anti-aliasing filter."""

    effect: Literal["blur"] = "blur"
    domain: Domain = "linear"
    sigma_px: float


class Defocus(_Linear):
    """A disc of `radius_px` as point spread: the whole picture out of focus alike (`camera.fstop` goes by depth)."""

    effect: Literal["defocus"] = "defocus"
    radius_px: float


class Exposure(_Linear):
    """Radiance times 2^`ev`: an exposure that misses, or flickers from image to image."""

    effect: Literal["exposure"] = "exposure"
    ev: float


class WhiteBalance(_Linear):
    """Red and blue times their gains: a white balance that misses."""

    effect: Literal["white_balance"] = "white_balance"
    red: float
    blue: float


class Banding(_Linear):
    """Mains flicker under a rolling shutter: row y times 1 + `strength` cos 2π(y / `period_px` + `phase`)."""

    effect: Literal["banding"] = "banding"
    strength: float
    period_px: float
    phase: float


class Noise(_Linear):
    """Photon, dark and fixed-pattern noise of a linear sensor, in electrons, as EMVA 1288 (Release 4.0, §2) models it.

    A value x, exposure included, stands for μ = x / g · W · `binning` / (0.18 · 78/10) electrons, where
    W = `full_well_e` · `base_iso` / `iso` is what a photosite holds at this ISO, and g the white-balance gain of the
    colour (`red_gain`, 1, `blue_gain`). Middle grey 0.18 thus lies at 10/78 of saturation (ISO 12232: saturation-based
    speed 78/H, recommended exposure 10/S). Counted are Poisson(μ (1 + `prnu` n / √`binning`)) electrons, n normal and
    the sensor's own, from `pattern_seed`; a dark signal of variance `binning` · (`read_noise_e`² + K²/12) with the
    converter's step K = W / 2^`bits`; and one value of standard deviation `row_noise_e` for each row.
    """

    effect: Literal["noise"] = "noise"
    iso: float
    base_iso: float
    full_well_e: float
    read_noise_e: float
    row_noise_e: float
    bits: float
    binning: float
    prnu: float
    red_gain: float
    blue_gain: float
    seed: Seed
    pattern_seed: Seed


class Demosaic(_Linear):
    """One colour a pixel behind an RGGB filter, the others interpolated linearly (Malvar, He, Cutler 2004).

    `amount` 1 is the interpolated picture, 0 the untouched one: pictures that were scaled down show less of it.
    """

    effect: Literal["demosaic"] = "demosaic"
    amount: float


class Denoise(_Display):
    """A camera's noise reduction: a bilateral filter on luma (range `luma`, of 0 … 1) and a Gaussian on chroma."""

    effect: Literal["denoise"] = "denoise"
    luma: float
    radius_px: float
    chroma_px: float


class Tone(_Display):
    """Levels, gamma, contrast and saturation, in this order, each clipped to 0 … 1.

    v ← (v − `black`) / (`white` − `black`); v ← v^(1/`gamma`); v ← v + `contrast` (3v² − 2v³ − v);
    v ← Y + `saturation` (v − Y) with Rec.709 luma Y.
    """

    effect: Literal["tone"] = "tone"
    black: float
    white: float
    gamma: float
    contrast: float
    saturation: float


class Sharpen(_Display):
    """Unsharp masking of luma, as cameras do: `amount` times what a Gaussian of `radius_px` takes away.

    Of that difference, in 0 … 1, `threshold` is taken off first, so that noise is not sharpened.
    """

    effect: Literal["sharpen"] = "sharpen"
    amount: float
    radius_px: float
    threshold: float


class Jpeg(_Display):
    """Compressed by libjpeg at that quality, and read again."""

    effect: Literal["jpeg"] = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)]
    subsampling: Subsampling


class Quantize(_Display):
    """Rounded to 2^`bits` levels between 0 and 1."""

    effect: Literal["quantize"] = "quantize"
    bits: Annotated[int, Field(ge=1, le=8)]


class Albumentations(_Display):
    """A pixel-level transform of albumentations, by its name and arguments; what it draws itself comes from `seed`."""

    effect: Literal["albumentations"] = "albumentations"
    transform: str
    params: Annotated[dict[str, Any], BeforeValidator(_as_json)]
    seed: Seed


SensorEffect = Annotated[
    Vignetting
    | ChromaticAberration
    | Blur
    | Defocus
    | Exposure
    | WhiteBalance
    | Banding
    | Noise
    | Demosaic
    | Denoise
    | Tone
    | Sharpen
    | Jpeg
    | Quantize
    | Albumentations,
    Field(discriminator="effect"),
]

#: In the order in which they are applied: all linear ones come before all display ones.
Sensor = tuple[SensorEffect, ...]
