"""Lights: each kind made from its values, and drawn from a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..assets.material import RGB
from .black_body import black_body
from .recipe_lights import BacklightSpec, BarSpec, DarkFieldSpec, LightSpec, RingSpec, SoftboxSpec, SpotSpec, SunSpec
from .rules import ImageDraws
from .scene import Camera, matrix
from .scene_lights import AreaLight, Light, PanelLight, RingLight, SpotLight, SunLight

__all__ = ["camera_pose", "lights", "orbit_pose", "softbox"]

Pose = npt.NDArray[np.float64]
Aimed = SoftboxSpec | BarSpec | SpotSpec | RingSpec

_CV_TO_LIGHT = np.diag([1.0, -1.0, -1.0, 1.0])  # a light looks along −z with y up, OpenCV's camera along z with y down
#: How far above the surface a panel that is flush with it lies, metres: enough for the renderer to tell them apart.
FLUSH_M = 5e-5


def orbit_pose(orbit: tuple[float, float, float], target: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Pose:
    """(4, 4) world_T_light at `orbit` (distance metres, azimuth, elevation radians) of the target, facing it."""
    distance, azimuth, elevation = orbit
    z = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    x = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([x, np.cross(z, x), z], axis=1), distance * z + np.asarray(target)
    return pose


def softbox(
    power_w: float, size: tuple[float, float], orbit: tuple[float, float, float], temperature_k: float
) -> AreaLight:
    """A softbox at `orbit` (distance metres, azimuth, elevation radians) that faces the origin, upright."""
    return AreaLight(
        world_T_light=matrix(orbit_pose(orbit)), size=size, power_w=power_w, color=black_body(temperature_k)
    )


def camera_pose(camera: Camera, offset_m: tuple[float, float, float], turn: float = 0.0) -> Pose:
    """(4, 4) world_T_light of a lamp right, up and forwards of a camera, looking as it does.

    `turn` radians about the optical axis put several of them around it.
    """
    right, up, forwards = offset_m
    c, s = math.cos(turn), math.sin(turn)
    local = np.array(
        [[c, -s, 0, c * right - s * up], [s, c, 0, s * right + c * up], [0, 0, 1, -forwards], [0, 0, 0, 1]]
    )
    return np.asarray(np.linalg.inv(camera.extrinsics) @ _CV_TO_LIGHT @ local)


def lights(draw: ImageDraws, camera: Camera) -> tuple[Light, ...]:
    """All lights of an image, drawn; ValueError where one is impossible."""
    found: list[Light] = []
    for i, spec in enumerate(draw.recipe.lights):
        path = f"lights.{i}"
        if spec.probability < 1 and draw.pick(f"{path}.on", (True, False), (spec.probability, 1 - spec.probability)):
            continue
        found += _light_rand(draw, path, spec, camera)
    return tuple(found)


def _light_rand(draw: ImageDraws, path: str, spec: LightSpec, camera: Camera) -> Iterator[Light]:
    colour = draw.optional(f"{path}.colour")
    color: RGB = black_body(draw(f"{path}.temperature_k")) if colour is None else tuple(colour)
    if isinstance(spec, SunSpec):
        pose = orbit_pose((1.0, _radians(draw, f"{path}.azimuth_deg"), _radians(draw, f"{path}.elevation_deg")))
        angle = _radians(draw, f"{path}.angle_deg")
        yield SunLight(world_T_light=matrix(pose), color=color, angle=angle, irradiance_w_m2=draw(f"{path}.irradiance"))
    elif isinstance(spec, DarkFieldSpec):
        yield _dark_field(draw, path, color)
    elif isinstance(spec, BacklightSpec):
        yield _backlight(draw, path, color)
    else:
        for pose in _poses(draw, path, spec, camera):
            yield _aimed(draw, path, spec, pose, color)


def _poses(draw: ImageDraws, path: str, spec: Aimed, camera: Camera) -> Iterator[Pose]:
    count = 1 if isinstance(spec, RingSpec) else round(draw(f"{path}.count"))
    turns = [math.tau * k / count for k in range(count)]
    if spec.at == "camera":
        offset = _three(draw, f"{path}.offset_m")
        yield from (camera_pose(camera, offset, turn) for turn in turns)
        return
    distance, azimuth = draw(f"{path}.distance"), _radians(draw, f"{path}.azimuth_deg")
    elevation, target = _radians(draw, f"{path}.elevation_deg"), _three(draw, f"{path}.target")
    yield from (orbit_pose((distance, azimuth + turn, elevation), target) for turn in turns)


def _aimed(draw: ImageDraws, path: str, spec: Aimed, pose: Pose, color: RGB) -> Light:
    power, fixed, place = draw(f"{path}.power"), spec.at == "camera", matrix(pose)
    if isinstance(spec, SpotSpec):
        return SpotLight(
            world_T_light=place, color=color, on_camera=fixed, power_w=power, cone=_radians(draw, f"{path}.cone_deg"),
            blend=draw(f"{path}.blend"), radius_m=draw(f"{path}.radius"),
        )  # fmt: skip
    if isinstance(spec, RingSpec):
        radius, width = _ring(path, draw(f"{path}.radius"), draw(f"{path}.width"), 0.0)
        return RingLight(
            world_T_light=place, color=color, on_camera=fixed, power_w=power, radius_m=radius, width_m=width
        )
    if isinstance(spec, BarSpec):
        size = draw(f"{path}.length"), draw(f"{path}.width")
        return AreaLight(world_T_light=place, color=color, on_camera=fixed, power_w=power, size=size)
    size = draw(f"{path}.size.0"), draw(f"{path}.size.1")
    return AreaLight(world_T_light=place, color=color, on_camera=fixed, power_w=power, size=size, shape=spec.shape)


def _dark_field(draw: ImageDraws, path: str, color: RGB) -> RingLight:
    """Its strip faces the middle of the surface."""
    height = draw(f"{path}.height")
    tilt = math.atan2(draw(f"{path}.radius"), height)
    radius, width = _ring(path, draw(f"{path}.radius"), draw(f"{path}.width"), tilt)
    if width * math.sin(tilt) / 2 >= height:
        raise ValueError(
            f"{path}: a strip {width:g} m wide at a height of {height:g} m reaches into the surface: raise height"
        )
    pose = np.eye(4)
    pose[2, 3] = height
    return RingLight(
        world_T_light=matrix(pose), color=color, power_w=draw(f"{path}.power"), radius_m=radius, width_m=width,
        tilt=round(tilt, 9),
    )  # fmt: skip


def _ring(path: str, radius: float, width: float, tilt: float) -> tuple[float, float]:
    if width * math.cos(tilt) / 2 >= radius:
        raise ValueError(f"{path}: a ring of radius {radius:g} m has no room for a strip of {width:g} m: lower width")
    return radius, width


def _backlight(draw: ImageDraws, path: str, color: RGB) -> PanelLight:
    size = draw(f"{path}.size.0"), draw(f"{path}.size.1")
    offset = draw(f"{path}.offset_m.0"), draw(f"{path}.offset_m.1")
    for axis, name in enumerate("xy"):
        room = draw(f"surface.size.{axis}") / 2 - 0.002
        if size[axis] / 2 + abs(offset[axis]) > room:
            raise ValueError(
                f"{path}: the panel reaches {size[axis] / 2 + abs(offset[axis]):g} m along {name}, the surface {room:g}"
                " m: lower its size, or raise surface.size"
            )
    pose = np.diag([1.0, -1.0, -1.0, 1.0])  # it looks up
    pose[:3, 3] = *offset, FLUSH_M
    return PanelLight(world_T_light=matrix(pose), color=color, size=size, power_w=draw(f"{path}.power"))


def _radians(draw: ImageDraws, path: str) -> float:
    return math.radians(draw(path))


def _three(draw: ImageDraws, path: str) -> tuple[float, float, float]:
    x, y, z = (float(draw(f"{path}.{i}")) for i in range(3))
    return x, y, z
