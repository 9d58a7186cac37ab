"""Light sources of a scene as frozen data. All look along their local −z, which is Blender's convention for lights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..assets.material import RGB, FileRef

__all__ = ["AreaLight", "Light", "Matrix4", "PanelLight", "RingLight", "Sky", "SpotLight", "SunLight", "World"]

Row4 = tuple[float, float, float, float]
Matrix4 = tuple[Row4, Row4, Row4, Row4]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Light(_Frozen):
    """What all lights have. One that is `on_camera` moves with it."""

    world_T_light: Matrix4
    color: RGB = (1.0, 1.0, 1.0)
    on_camera: bool = False


class AreaLight(_Light):
    """A softbox or bar: a rectangle (or the ellipse inside it) of `size` metres that sends `power_w` watts forwards.

    Its radiance is power / (π · area) whatever the direction. No camera sees it, reflections show it.
    """

    kind: Literal["area"] = "area"
    size: tuple[float, float]
    shape: Literal["rectangle", "disk"] = "rectangle"
    power_w: float


class SpotLight(_Light):
    """A lamp whose `power_w` watts go into a cone `cone` radians wide, evenly, but for the share `blend` at its rim.

    Its radiant intensity on the axis is power / (2π (1 − cos(cone / 2))). `radius_m` softens its shadows.
    """

    kind: Literal["spot"] = "spot"
    cone: Annotated[float, Field(gt=0, lt=3.1416)]
    blend: Annotated[float, Field(ge=0, le=1)] = 0.1
    radius_m: Annotated[float, Field(ge=0)] = 0.01
    power_w: float


class SunLight(_Light):
    """Parallel light, `angle` radians wide, that gives `irradiance_w_m2` to whatever faces it."""

    kind: Literal["sun"] = "sun"
    angle: Annotated[float, Field(ge=0, le=3.1416)]
    irradiance_w_m2: float


class RingLight(_Light):
    """A luminous strip `width_m` wide, bent to a ring of mean radius `radius_m` about the local z axis.

    With `tilt` 0 it shines along −z; `tilt` radians turn the strip inwards, so π/2 is a tube that lights its axis. It
    is a Lambertian surface of area 2π · radius · width; no camera sees it, reflections show it.
    """

    kind: Literal["ring"] = "ring"
    radius_m: Annotated[float, Field(gt=0)]
    width_m: Annotated[float, Field(gt=0)]
    tilt: Annotated[float, Field(ge=0, le=1.5708)] = 0.0
    power_w: float


class PanelLight(_Light):
    """A luminous panel set flush into the surface, `size` metres; it is seen, and labelled as the surface."""

    kind: Literal["panel"] = "panel"
    size: tuple[float, float]
    power_w: float


Light = Annotated[AreaLight | SpotLight | SunLight | RingLight | PanelLight, Field(discriminator="kind")]


class Sky(_Frozen):
    """A clear sky with its sun (Nishita et al. 1993, single scattering); angles in radians, azimuth 0 is +x.

    `haze` multiplies the aerosol of clear air, `sun` says whether its disc is there.
    """

    elevation: float
    azimuth: float = 0.0
    haze: Annotated[float, Field(ge=0, le=10)] = 1.0
    sun: bool = True


class World(_Frozen):
    """Light from all around: exactly one of an HDRI (a built-in name such as "studio", or a file), a sky, or a colour.

    `strength` multiplies its radiance; `rotation` turns an HDRI about the vertical, radians.
    """

    hdri: str | FileRef | None = None
    sky: Sky | None = None
    color: RGB | None = None
    rotation: float = 0.0
    strength: float = 1.0

    @model_validator(mode="after")
    def _one_source(self) -> World:
        if sum(x is not None for x in (self.hdri, self.sky, self.color)) != 1:
            raise ValueError("a world has exactly one of hdri, sky and color")
        return self
