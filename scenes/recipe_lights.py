"""Lights of a recipe, by `kind`, and what lights a scene from all around."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, model_validator

from .distributions import Dist, Distribution, Expr
from .limits import NonNegative, Number, Positive, Strict, between, file_names, words

__all__ = ["LIGHTS", "LightSpec", "WorldSource", "WorldSpec"]

WorldSource = Literal["hdri", "sky", "colour"]


def _colour(dist: Distribution) -> Distribution:
    """A check that a distribution gives linear RGB triples only."""
    for v in () if isinstance(dist, Expr) else dist.values():
        if not isinstance(v, tuple | list) or len(v) != 3 or not all(0 <= c <= 1 for c in v):
            raise ValueError(f"must be a linear RGB triple, each from 0 to 1, got {v!r}")
    return dist


Colour = Annotated[Dist, AfterValidator(_colour)]
Azimuth = Annotated[Number, Field(description="0 is +x, 90 is +y")]
Power = Annotated[NonNegative, Field(description="watts of radiant power, as Blender counts them")]


class _Lamp(Strict):
    """What all lights have."""

    probability: Annotated[float, Field(ge=0, le=1, description="share of the images that have it")] = 1.0
    temperature_k: Annotated[Dist, between(1500, 20000), Field(description="black body; 6500 is white")] = Field(
        default=6500.0, validate_default=True
    )
    colour: Annotated[
        Colour | None, Field(description="linear RGB, multiplies the power; replaces `temperature_k`")
    ] = None


class _Aimed(_Lamp):
    """A lamp that looks at a point of the scene, or along the camera's axis."""

    power: Power = Field(default=10.0, validate_default=True)
    azimuth_deg: Azimuth = Field(default=45.0, validate_default=True)
    elevation_deg: Annotated[Dist, between(1, 90)] = Field(default=55.0, validate_default=True)
    distance: Annotated[Positive, Field(description="metres from the target")] = Field(
        default=1.0, validate_default=True
    )
    target: Annotated[tuple[Number, Number, Number], Field(description="point looked at, metres")] = Field(
        default=(0.0, 0.0, 0.0), validate_default=True
    )
    at: Annotated[
        Literal["target", "camera"],
        Field(description="camera: fixed to the camera, `offset_m` from it, looking as it does"),
    ] = "target"
    offset_m: Annotated[
        tuple[Number, Number, Number], Field(description="right, up and forwards of the camera, metres")
    ] = Field(default=(0.0, 0.0, 0.0), validate_default=True)


class _Several(_Aimed):
    """One that can come several times."""

    count: Annotated[
        Dist, between(0, 16), Field(description="how many, evenly around the target (or the camera's axis)")
    ] = Field(default=1, validate_default=True)


class SoftboxSpec(_Several):
    """A softbox, rectangular or round, that points at the middle of the surface."""

    kind: Literal["softbox"] = "softbox"
    size: Annotated[tuple[Positive, Positive], Field(description="metres")] = Field(
        default=(0.4, 0.3), validate_default=True
    )
    shape: Annotated[Literal["rectangle", "disk"], Field(description="disk: the ellipse inside `size`")] = "rectangle"


class BarSpec(_Several):
    """A bar light: long and thin, its length level. `count: 2` is one on each side."""

    kind: Literal["bar"]
    length: Annotated[Positive, Field(description="metres")] = Field(default=0.3, validate_default=True)
    width: Annotated[Positive, Field(description="metres")] = Field(default=0.02, validate_default=True)


class SpotSpec(_Several):
    """A spot light: `power` goes into its cone."""

    kind: Literal["spot"]
    cone_deg: Annotated[Dist, between(1, 170), Field(description="full angle of the cone")] = Field(
        default=40.0, validate_default=True
    )
    blend: Annotated[Dist, between(0, 1), Field(description="share of the cone that fades to its rim")] = Field(
        default=0.2, validate_default=True
    )
    radius: Annotated[NonNegative, Field(description="of the lamp, metres; softens shadows")] = Field(
        default=0.01, validate_default=True
    )


class SunSpec(_Lamp):
    """Sunlight without a sky."""

    kind: Literal["sun"]
    azimuth_deg: Azimuth = Field(default=45.0, validate_default=True)
    elevation_deg: Annotated[Dist, between(1, 90)] = Field(default=45.0, validate_default=True)
    irradiance: Annotated[
        NonNegative, Field(description="on what faces it, beside a `world.strength` of 1: π lights white to white")
    ] = Field(default=3.0, validate_default=True)
    angle_deg: Annotated[Dist, between(0, 90), Field(description="angular diameter; the real sun's is 0.53")] = Field(
        default=0.53, validate_default=True
    )


class RingSpec(_Aimed):
    """A ring light: about the camera's axis, or above the scene with `at: target`."""

    kind: Literal["ring"]
    at: Literal["target", "camera"] = "camera"
    elevation_deg: Annotated[Dist, between(1, 90)] = Field(default=90.0, validate_default=True)
    radius: Annotated[Positive, Field(description="mean radius, metres")] = Field(default=0.06, validate_default=True)
    width: Annotated[Positive, Field(description="of the luminous strip, metres")] = Field(
        default=0.02, validate_default=True
    )


class DarkFieldSpec(_Lamp):
    """A low ring around the parts that shines inwards: flat faces stay dark, edges and scratches light up."""

    kind: Literal["dark_field"]
    power: Power = Field(default=10.0, validate_default=True)
    radius: Annotated[Positive, Field(description="metres; must be larger than the parts' area")] = Field(
        default=0.25, validate_default=True
    )
    height: Annotated[Positive, Field(description="of its middle above the surface, metres")] = Field(
        default=0.04, validate_default=True
    )
    width: Annotated[Positive, Field(description="of the luminous strip, metres")] = Field(
        default=0.02, validate_default=True
    )


class BacklightSpec(_Lamp):
    """A luminous panel in the surface, under the parts: they become silhouettes. It is labelled as the surface."""

    kind: Literal["backlight"]
    power: Power = Field(default=5.0, validate_default=True)
    size: Annotated[tuple[Positive, Positive], Field(description="metres, inside the surface")] = Field(
        default=(0.4, 0.3), validate_default=True
    )
    offset_m: Annotated[tuple[Number, Number], Field(description="x and y of its middle, metres")] = Field(
        default=(0.0, 0.0), validate_default=True
    )


#: Kind → its model.
LIGHTS: dict[str | int, type[BaseModel]] = {
    "softbox": SoftboxSpec,
    "bar": BarSpec,
    "spot": SpotSpec,
    "sun": SunSpec,
    "ring": RingSpec,
    "dark_field": DarkFieldSpec,
    "backlight": BacklightSpec,
}


def _kind(data: Any) -> str:
    if isinstance(data, dict):
        return str(data.get("kind", "softbox"))
    return str(getattr(data, "kind", "softbox"))


LightSpec = Annotated[
    Annotated[SoftboxSpec, Tag("softbox")]
    | Annotated[BarSpec, Tag("bar")]
    | Annotated[SpotSpec, Tag("spot")]
    | Annotated[SunSpec, Tag("sun")]
    | Annotated[RingSpec, Tag("ring")]
    | Annotated[DarkFieldSpec, Tag("dark_field")]
    | Annotated[BacklightSpec, Tag("backlight")],
    Discriminator(
        _kind,
        custom_error_type="light",
        custom_error_message=f"`kind` of a light must be one of {', '.join(map(str, LIGHTS))}",
    ),
]


class SkySpec(Strict):
    """A clear sky, by where its sun stands."""

    elevation_deg: Annotated[Dist, between(-5, 90), Field(description="of the sun; below 0 is dusk")] = Field(
        default=40.0, validate_default=True
    )
    azimuth_deg: Azimuth = Field(default=135.0, validate_default=True)
    haze: Annotated[Dist, between(0, 10), Field(description="aerosol: 0 none, 1 clear air, 5 a hazy city")] = Field(
        default=1.0, validate_default=True
    )
    sun: Annotated[bool, Field(description="false: the sun's disc is behind something")] = True


class WorldSpec(Strict):
    """Light from all around: a panorama, a sky, or one colour."""

    source: Annotated[
        Dist, words(WorldSource), Field(description="default: whichever of hdri, sky and colour is given, else hdri")
    ] = Field(default="hdri", validate_default=True)
    hdri: Annotated[
        Dist,
        AfterValidator(file_names),
        Field(description="built-in name (city, courtyard, forest, interior, night, studio, sunrise, sunset) or file"),
    ] = Field(default="studio", validate_default=True)
    sky: SkySpec = SkySpec()
    colour: Annotated[Colour, Field(description="linear RGB of an even surrounding")] = Field(
        default=(1.0, 1.0, 1.0), validate_default=True
    )
    rotation_deg: Annotated[Number, Field(description="of the panorama about the vertical")] = Field(
        default=0.0, validate_default=True
    )
    strength: Annotated[
        NonNegative,
        Field(
            description="mean radiance of the panorama after scaling, radiance of the colour, or share of the light of "
            "a clear day: 1 lights a white table to about mid white"
        ),
    ] = Field(default=1.0, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "source" in data:
            return data
        given = [name for name in ("hdri", "sky", "colour") if name in data]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given: say which is meant by `source`, or a choice of them")
        return {**data, "source": given[0]} if given else data
