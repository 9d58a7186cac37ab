"""A built Blender scene made one for EEVEE: its settings, and what EEVEE needs otherwise than Cycles does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
import numpy.typing as npt

from ..scenes.ids import SURFACE
from ..scenes.scene import EeveeSettings, Scene
from . import eevee_world
from .eevee_glass import thicken

__all__ = ["configure", "near_plane"]

#: Share of the picture's size that is rendered beyond each border, so that rays on the screen find what is there.
OVERSCAN_PERCENT = 5.0
#: Texels of shadow maps are not smaller than this; Blender's 1 mm would show on screws.
SHADOW_TEXEL_M = 0.0001
#: Lamps count as far as they give more than this; Blender's 0.01 takes some of a weak lamp's light away.
LIGHT_THRESHOLD = 1e-4
#: Moments of the exposure among which the samples are shared out; every preset's samples are a multiple.
MOTION_STEPS = 8


def configure(target: bpy.types.Scene, scene: Scene, settings: EeveeSettings) -> None:
    """Make a built Blender scene render with EEVEE; colour management and what the camera sees stay as they are."""
    eevee_world.add_lamps(target, scene.world)
    target.render.engine = "BLENDER_EEVEE_NEXT"
    target.render.film_transparent = False
    eevee = target.eevee
    eevee.taa_render_samples = settings.samples
    eevee.use_raytracing, eevee.ray_tracing_method = True, "SCREEN"
    options = eevee.ray_tracing_options
    # Its denoiser takes neighbours' rays for a pixel's own, and small metal parts lose all their contrast.
    options.resolution_scale, options.use_denoise = "1", False
    # Rays of a dull surface seldom meet a small bright lamp of a panorama; the horizon on the screen leaves none out.
    eevee.use_fast_gi, eevee.fast_gi_method = True, "GLOBAL_ILLUMINATION"
    eevee.fast_gi_resolution = "1"
    eevee.clamp_surface_direct = eevee.clamp_surface_indirect = 0.0
    eevee.use_shadows, eevee.light_threshold = True, LIGHT_THRESHOLD
    eevee.use_overscan, eevee.overscan_size = True, OVERSCAN_PERCENT
    # Without, blur is smeared over the finished picture along one line, or in one disc, for each pixel.
    eevee.use_bokeh_jittered, eevee.motion_blur_steps = True, MOTION_STEPS
    for light in bpy.data.lights:
        light.use_shadow_jitter = True
        light.shadow_maximum_resolution = SHADOW_TEXEL_M
    for material in bpy.data.materials:
        material.surface_render_method, material.use_raytrace_refraction = "DITHERED", True
    for item in target.collection.objects:
        if item.type == "MESH":
            thicken(item)
    # Blender itself would gather all that is bright into one sun, whatever the number and direction of the spots.
    target.world.sun_threshold = 0.0


@contextmanager
def near_plane(target: bpy.types.Scene, depth_m: npt.NDArray[np.float32]) -> Iterator[None]:
    """Clip close to what the camera sees at `depth_m` (h, w): precision of EEVEE's depth buffer goes with the near end.

    A buffer that begins at 0.5 mm, as Cycles' camera does, tells depths at 1 m no nearer than a tenth of a millimetre.
    """
    camera, nearest = target.camera.data, min(float(depth_m.min(initial=1.0)), _nearest_corner(target))
    kept = camera.clip_start
    # A quarter: what moves while the shutter is open, and what a wide aperture sees from its rim, is nearer.
    camera.clip_start = max(kept, 0.25 * nearest)
    try:
        yield
    finally:
        camera.clip_start = kept


def _nearest_corner(target: bpy.types.Scene) -> float:
    """Depth of the nearest corner of all boxes around meshes but the table: labels may look through glass."""
    from_world = np.linalg.inv(np.array(target.camera.matrix_world))
    depths = [
        -(from_world @ np.array(item.matrix_world) @ np.c_[np.array(item.bound_box), np.ones(8)].T)[2]
        for item in target.collection.objects
        if item.type == "MESH" and item.pass_index != SURFACE
    ]
    return float(np.min(depths, initial=1.0))
