"""Motion in a recipe: the velocities of objects and camera, the shutter, and how many frames make a sequence."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .distributions import Dist
from .limits import Number, Strict, between

__all__ = ["STILL", "BodyMotion", "MotionSpec", "StereoSpec", "Vector"]

Vector = tuple[Number, Number, Number]
_STILL = (0.0, 0.0, 0.0)


class BodyMotion(Strict):
    """A constant velocity of the origin, and a constant turn about it."""

    velocity_m_s: Annotated[Vector, Field(description="x, y, z in the world, metres per second")] = Field(
        default=_STILL, validate_default=True
    )
    spin_deg_s: Annotated[
        Vector, Field(description="turn about the world's x, y and z through the origin, degrees per second")
    ] = Field(default=_STILL, validate_default=True)


STILL = BodyMotion()


class MotionSpec(Strict):
    """How things move while the shutter is open and from frame to frame."""

    frames: Annotated[
        int, Field(ge=1, le=1000, description="images of one sequence; all of them go to the same split")
    ] = 1
    step_s: Annotated[float, Field(ge=1e-6, le=3600, description="time between two frames, seconds")] = 0.04
    shutter_s: Annotated[
        Annotated[Dist, between(0, 60)],
        Field(description="how long the shutter is open, seconds: 0 freezes every motion; labels are of the middle"),
    ] = Field(default=0.0, validate_default=True)
    objects: Annotated[BodyMotion, Field(description="of all objects alike, as on a conveyor; spin turns each")] = STILL
    camera: BodyMotion = STILL


class StereoSpec(Strict):
    """A second, rectified view from the right: the same camera, moved along its own x axis."""

    baseline_m: Annotated[Dist, between(1e-4, 100), Field(description="distance of the two centres, metres")] = Field(
        default=0.065, validate_default=True
    )
