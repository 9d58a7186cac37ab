"""The camera in a recipe: where it stands, its sensor and focal length or its calibrated matrix, and its distortion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .distributions import Dist, Expr
from .limits import Number, Positive, Strict, between
from .recipe_motion import StereoSpec

__all__ = ["BrownConradySpec", "CameraSpec", "FisheyeSpec", "MatrixSpec"]

Pixels = Annotated[int, Field(ge=8, le=65536)]
#: Calibrations give rational models coefficients of some dozens; nothing sensible is beyond.
Coefficient = Annotated[Dist, between(-1000, 1000)]
_ZERO = Field(default=0.0, validate_default=True)
#: Of a full-frame sensor, when a recipe says nothing.
SENSOR_WIDTH_MM = 36.0


class BrownConradySpec(Strict):
    """Radial and tangential distortion with OpenCV's coefficients; k1 below 0 is a barrel."""

    model: Literal["brown_conrady"]
    k1: Coefficient = _ZERO
    k2: Coefficient = _ZERO
    p1: Coefficient = _ZERO
    p2: Coefficient = _ZERO
    k3: Coefficient = _ZERO
    k4: Coefficient = _ZERO
    k5: Coefficient = _ZERO
    k6: Coefficient = _ZERO


class FisheyeSpec(Strict):
    """A fisheye lens with the coefficients of cv2.fisheye (Kannala and Brandt); all 0 is the equidistant lens."""

    model: Literal["fisheye"]
    k1: Coefficient = _ZERO
    k2: Coefficient = _ZERO
    k3: Coefficient = _ZERO
    k4: Coefficient = _ZERO


class MatrixSpec(Strict):
    """Intrinsics from a calibration, in pixels of images of `size`; rendered at another size they are scaled."""

    fx: Positive
    fy: Positive
    cx: Number
    cy: Number
    size: Annotated[tuple[Pixels, Pixels], Field(description="width and height of the calibrated images, pixels")]
    origin: Annotated[
        Literal["center", "corner"],
        Field(
            description="where cx and cy are 0: center of the top-left pixel, as in OpenCV and BOP, or its corner, as "
            "in COLMAP and in Scenewright's labels"
        ),
    ]


class CameraSpec(Strict):
    """A camera on a sphere around its target.

    Intrinsics come from `focal_mm` with either `sensor_width_mm` or `pixel_pitch_um`, or from `matrix`.
    """

    distance: Annotated[Positive, Field(description="metres from the target")] = Field(
        default=0.6, validate_default=True
    )
    azimuth_deg: Number = Field(default=-90.0, validate_default=True)
    elevation_deg: Annotated[Dist, between(1, 90), Field(description="90 looks straight down")] = Field(
        default=50.0, validate_default=True
    )
    roll_deg: Number = Field(default=0.0, validate_default=True)
    target: Annotated[tuple[Number, Number, Number], Field(description="point looked at, metres")] = Field(
        default=(0.0, 0.0, 0.0), validate_default=True
    )
    focal_mm: Annotated[
        Positive, Field(description="focal length; beside a `matrix` it only says how wide an aperture `fstop` is")
    ] = Field(default=35.0, validate_default=True)
    sensor_width_mm: Annotated[
        float | None,
        Field(
            ge=1, le=1000,
            description="width that the image covers, 36 if nothing else is said; narrower than 1 mm: enlarge sensor, "
            "focal length and f-number alike",
        ),
    ] = None  # fmt: skip
    pixel_pitch_um: Annotated[
        float | None, Field(ge=0.1, le=1000, description="from pixel to pixel of the sensor, instead of its width")
    ] = None
    sensor_px: Annotated[
        tuple[Pixels, Pixels] | None,
        Field(description="pixels of the whole sensor, which the image shows scaled; default: one for one"),
    ] = None
    matrix: Annotated[MatrixSpec | None, Field(description="calibrated intrinsics, instead of a sensor")] = None
    principal_offset_px: Annotated[
        tuple[Number, Number],
        Field(description="of the optical axis from the image's middle, right and down, pixels of the image"),
    ] = Field(default=(0.0, 0.0), validate_default=True)
    distortion: Annotated[
        BrownConradySpec | FisheyeSpec | None, Field(discriminator="model", description="of the lens; null: none")
    ] = None
    fstop: Annotated[Dist | None, Field(description="aperture number; null or left out: everything is sharp")] = None
    stereo: Annotated[StereoSpec | None, Field(description="two images, left and right, of every scene")] = None

    @model_validator(mode="after")
    def _aperture(self) -> CameraSpec:
        for v in self.fstop.values() if self.fstop is not None and not isinstance(self.fstop, Expr) else ():
            if isinstance(v, str | bool | tuple) or not 0.5 <= v <= 128:
                raise ValueError(f"fstop must lie between 0.5 and 128, can be {v}")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> CameraSpec:
        """The focal length in pixels is said once."""
        sensor = [name for name in ("sensor_width_mm", "pixel_pitch_um", "sensor_px") if getattr(self, name)]
        if self.matrix is not None and sensor:
            raise ValueError(f"matrix already says what {sensor[0]} would: leave one of them out")
        if self.matrix is not None and any(getattr(d, "value", 1) != 0 for d in self.principal_offset_px):
            raise ValueError("matrix already says where the optical axis is: leave principal_offset_px out")
        if self.sensor_width_mm is not None and self.pixel_pitch_um is not None:
            raise ValueError("sensor_width_mm and pixel_pitch_um both say how large a pixel is: leave one of them out")
        if self.sensor_px is not None and self.pixel_pitch_um is None:
            raise ValueError("sensor_px needs pixel_pitch_um: give it, or sensor_width_mm alone")
        return self
