"""The sensor stage in a recipe: an ordered list of effects, each with a probability and values that may be drawn."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from .distribution import Distribution
from .distributions import Dist, Expr
from .limits import LARGEST, Strict, between, words
from .pixel_transforms import PIXEL_LEVEL, check_name, make
from .sensor import Domain, Subsampling
from .sensor_presets import SENSORS

__all__ = ["AlbumentationsSpec", "SensorSpec", "SensorSpecs"]


class _Spec(Strict):
    domain: ClassVar[Domain] = "linear"
    probability: Annotated[float, Field(ge=0, le=1, description="share of the images that get this effect")] = 1.0


class _Display(_Spec):
    domain: ClassVar[Domain] = "display"


class _Either(Strict):
    domain: Annotated[
        Domain, Field(description="linear: before the view transform, as light is; display: on the finished picture")
    ] = "linear"
    probability: Annotated[float, Field(ge=0, le=1, description="share of the images that get this effect")] = 1.0


class VignettingSpec(_Either):
    """Light falloff towards the corners (cos⁴)."""

    effect: Literal["vignetting"]
    strength: Annotated[Dist, between(0, 0.99), Field(description="share of the light that the corner loses")]


class ChromaticAberrationSpec(_Either):
    """Coloured fringes that grow towards the corners."""

    effect: Literal["chromatic_aberration"]
    red_px: Annotated[Dist, between(-50, 50), Field(description="how far red moves outward in the corner, pixels")]
    blue_px: Annotated[Dist, between(-50, 50), Field(description="how far blue moves outward in the corner, pixels")]


class BlurSpec(_Either):
    """Gaussian blur of a lens and its filters."""

    effect: Literal["blur"]
    sigma_px: Annotated[Dist, between(0, 100), Field(description="standard deviation, pixels")]


class DefocusSpec(_Spec):
    """A disc of confusion over the whole picture; for focus by depth see `camera.fstop`."""

    effect: Literal["defocus"]
    radius_px: Annotated[Dist, between(0, 100), Field(description="pixels")]


class ExposureSpec(_Spec):
    """An exposure that misses or flickers."""

    effect: Literal["exposure"]
    ev: Annotated[Dist, between(-20, 20), Field(description="stops")]


class WhiteBalanceSpec(_Spec):
    """A white balance that misses; 1 and 1 are true."""

    effect: Literal["white_balance"]
    red: Annotated[Dist, between(0.1, 10), Field(description="gain of red")] = Field(default=1.0, validate_default=True)
    blue: Annotated[Dist, between(0.1, 10), Field(description="gain of blue")] = Field(
        default=1.0, validate_default=True
    )


class BandingSpec(_Spec):
    """Bright and dark bars of mains flicker under a rolling shutter."""

    effect: Literal["banding"]
    strength: Annotated[Dist, between(0, 1), Field(description="amplitude, share of the exposure")]
    period_px: Annotated[Dist, between(2, LARGEST), Field(description="rows from bar to bar")]
    phase: Annotated[Dist, between(0, 1), Field(description="0: a bright bar at the top edge; in periods")] = Field(
        default={"dist": "uniform", "low": 0, "high": 1}, validate_default=True
    )


class NoiseSpec(_Spec):
    """Photon, read, row and pattern noise by ISO, as EMVA 1288 models a sensor; the exposure is as the ISO wants it."""

    effect: Literal["noise"]
    iso: Annotated[Dist, between(1, 1e7), Field(description="sensitivity: twice the ISO is half the light")]
    base_iso: Annotated[Dist, between(1, 1e6), Field(description="where the full well is used")] = Field(
        default=100, validate_default=True
    )
    full_well_e: Annotated[
        Dist, between(10, 1e7), Field(description="electrons that one photosite holds (datasheet: saturation capacity)")
    ] = Field(default=10000, validate_default=True)
    read_noise_e: Annotated[
        Dist, between(0, 1e4), Field(description="electrons, rms, per photosite (datasheet: temporal dark noise)")
    ] = Field(default=3.0, validate_default=True)
    row_noise_e: Annotated[Dist, between(0, 1e4), Field(description="electrons, rms, in common to a row")] = Field(
        default=0.0, validate_default=True
    )
    bits: Annotated[Dist, between(4, 24), Field(description="of the analogue-digital converter")] = Field(
        default=12, validate_default=True
    )
    binning: Annotated[
        Dist, between(1, 1e4), Field(description="photosites in one pixel: (12 MP scaled down to 640×480 has 39)")
    ] = Field(default=1, validate_default=True)
    prnu: Annotated[
        Dist, between(0, 0.5), Field(description="photosites differ by this share, the same in all images (PRNU)")
    ] = Field(default=0.0, validate_default=True)
    red_gain: Annotated[Dist, between(0.1, 10), Field(description="white balance: red has so much less light")] = Field(
        default=1.0, validate_default=True
    )
    blue_gain: Annotated[Dist, between(0.1, 10), Field(description="as `red_gain`")] = Field(
        default=1.0, validate_default=True
    )


class DemosaicSpec(_Spec):
    """The traces of an RGGB filter: colour fringes on fine detail, noise in blots."""

    effect: Literal["demosaic"]
    amount: Annotated[Dist, between(0, 1), Field(description="1: the interpolated picture; 0: as it was")] = Field(
        default=1.0, validate_default=True
    )


class DenoiseSpec(_Display):
    """A camera's noise reduction."""

    effect: Literal["denoise"]
    luma: Annotated[Dist, between(0, 1), Field(description="differences up to this share of white are smoothed")]
    radius_px: Annotated[Dist, between(0.3, 20), Field(description="standard deviation in the picture, pixels")] = (
        Field(default=1.5, validate_default=True)
    )
    chroma_px: Annotated[Dist, between(0, 50), Field(description="blur of colour alone, pixels")] = Field(
        default=1.0, validate_default=True
    )


class ToneSpec(_Display):
    """Levels, gamma, contrast, saturation."""

    effect: Literal["tone"]
    black: Annotated[Dist, between(-0.5, 0.49), Field(description="what becomes black, of 0 to 1")] = Field(
        default=0.0, validate_default=True
    )
    white: Annotated[Dist, between(0.5, 2), Field(description="what becomes white; below 1 clips highlights")] = Field(
        default=1.0, validate_default=True
    )
    gamma: Annotated[Dist, between(0.1, 10), Field(description="above 1 brightens")] = Field(
        default=1.0, validate_default=True
    )
    contrast: Annotated[Dist, between(-1, 1), Field(description="above 0: an S-curve")] = Field(
        default=0.0, validate_default=True
    )
    saturation: Annotated[Dist, between(0, 5), Field(description="0 is grey, 1 as it was")] = Field(
        default=1.0, validate_default=True
    )


class SharpenSpec(_Display):
    """Unsharp masking, with its halos."""

    effect: Literal["sharpen"]
    amount: Annotated[Dist, between(0, 10), Field(description="1 doubles what is finer than the radius")]
    radius_px: Annotated[Dist, between(0.3, 50), Field(description="pixels")] = Field(
        default=1.0, validate_default=True
    )
    threshold: Annotated[Dist, between(0, 1), Field(description="smaller differences are left alone, of 0 to 1")] = (
        Field(default=0.0, validate_default=True)
    )


class JpegSpec(_Display):
    """JPEG, encoded and decoded."""

    effect: Literal["jpeg"]
    quality: Annotated[Dist, between(1, 100), Field(description="of libjpeg; rounded to a whole number")]
    subsampling: Annotated[Dist, words(Subsampling), Field(description="of colour")] = Field(
        default="4:2:0", validate_default=True
    )


class QuantizeSpec(_Display):
    """Fewer levels of brightness."""

    effect: Literal["quantize"]
    bits: Annotated[Dist, between(1, 8), Field(description="per channel; rounded to a whole number")]


def _as_data(value: Any) -> str:
    """A list is handed on as it is, except a triple of numbers, which may be an RGB value: both mean the same here."""
    return "list" if isinstance(value, list | tuple) else "dist"


Argument = Annotated[
    Annotated[Dist, Tag("dist")] | Annotated[tuple[Any, ...], Tag("list")],
    Discriminator(_as_data),
]


class AlbumentationsSpec(_Display):
    """A pixel-level transform of albumentations 2.0.8, on the 8-bit picture; what it draws itself is stored too."""

    effect: Literal["albumentations"]
    transform: Annotated[str, Field(json_schema_extra={"enum": [*PIXEL_LEVEL]})]
    params: Annotated[
        dict[str, Argument], Field(description="its arguments: values, distributions, or lists as it takes them")
    ] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _possible(self) -> AlbumentationsSpec:
        check_name(self.transform)
        if {"p", "strict"} & self.params.keys():
            raise ValueError("params: leave out `p` and `strict`; `probability` says how often the effect is applied")
        for params in self._extremes():
            make(self.transform, params)
        return self

    def _extremes(self) -> list[dict[str, Any]]:
        """Arguments to try: the first of each, and each other value of one of them beside the first of the others."""
        some = {k: list(d.values()) if isinstance(d, Distribution) else [d] for k, d in self.params.items()
                if not isinstance(d, Expr)}  # fmt: skip
        if len(some) < len(self.params):
            return []  # computed ones are checked when they are drawn
        first = {k: v[0] for k, v in some.items()}
        return [first, *({**first, k: v} for k, values in some.items() for v in values[1:])]


SensorSpec = Annotated[
    VignettingSpec
    | ChromaticAberrationSpec
    | BlurSpec
    | DefocusSpec
    | ExposureSpec
    | WhiteBalanceSpec
    | BandingSpec
    | NoiseSpec
    | DemosaicSpec
    | DenoiseSpec
    | ToneSpec
    | SharpenSpec
    | JpegSpec
    | QuantizeSpec
    | AlbumentationsSpec,
    Field(discriminator="effect"),
]


def _expanded(data: Any) -> Any:
    """A camera's name stands for its effects, alone or in a list with others."""
    if isinstance(data, str):
        data = [data]
    if not isinstance(data, list | tuple):
        return data
    effects: list[Any] = []
    for entry in data:
        if isinstance(entry, str) and entry not in SENSORS:
            raise ValueError(f"{entry!r} is no sensor; there are {', '.join(SENSORS)}, or give a list of effects")
        effects += SENSORS[entry] if isinstance(entry, str) else [entry]
    return effects


def _in_order(specs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Light passes the view transform once: nothing can be linear after something on the finished picture."""
    display = None
    for i, spec in enumerate(specs):
        if spec.domain == "display":
            display = display or spec.effect
        elif display:
            raise ValueError(
                f"entry {i}: {spec.effect} works on linear light and cannot come after {display}, which works on the "
                "finished picture: move it up"
            )
    return specs


Camera = Literal["phone", "machine_vision", "webcam", "dslr"]
SensorSpecs = Annotated[
    tuple[SensorSpec, ...],
    BeforeValidator(_expanded, json_schema_input_type=Camera | list[Camera | SensorSpec]),
    AfterValidator(_in_order),
]
