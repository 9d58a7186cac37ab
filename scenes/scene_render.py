"""How a picture is computed, as frozen data: what its engine spends on it, and how linear light becomes sRGB."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["EeveeSettings", "Look", "RenderSettings", "Settings", "ViewTransform"]

ViewTransform = Literal["agx", "standard"]
Look = Literal["none", "medium_high_contrast", "high_contrast"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _View(_Frozen):
    """The view transform. `Frame.linear` is before exposure and white balance."""

    view_transform: ViewTransform = "agx"
    look: Look = "none"
    exposure_ev: float = 0.0
    white_balance_k: Annotated[float, Field(ge=1800, le=20000)] = 6500.0
    white_balance_tint: Annotated[float, Field(ge=-150, le=150)] = 0.0


class _Cycles(_Frozen):
    engine: Literal["cycles", "flat"] = "cycles"
    preset: str = "standard"
    samples: Annotated[int, Field(ge=1)] = 16
    min_samples: Annotated[int, Field(ge=0)] = 0
    noise_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    denoise: bool = True
    prefilter: Literal["accurate", "fast"] = "accurate"


class _Eevee(_Frozen):
    engine: Literal["eevee"] = "eevee"
    preset: str = "standard"
    samples: Annotated[int, Field(ge=1)] = 64


class RenderSettings(_View, _Cycles):
    """How Cycles computes the picture: `look` is the contrast of "agx", and "none" with "standard".

    A pixel gets at least `min_samples`, and more until Cycles estimates its noise below `noise_threshold` or it has
    `samples`; with a threshold of 0 every pixel gets `samples`. `prefilter` is what the denoiser does with its images
    of albedo and normals: "accurate" costs as much again as the rest of it. A black body at `white_balance_k` looks
    white; a `white_balance_tint` above 0 takes green out of the picture.
    """


class EeveeSettings(_View, _Eevee):
    """How EEVEE computes the picture; view transform and white balance as `RenderSettings` has them.

    `samples` are whole pictures, each with its own jitter of pixels, lights and aperture, whose mean is the picture.
    """


Settings = Annotated[RenderSettings | EeveeSettings, Field(discriminator="engine")]
